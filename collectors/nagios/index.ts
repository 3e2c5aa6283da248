/** Follows the log of Nagios, Icinga 1 or Naemon: alerts by what, when and where. */
import { type Context, defineCollector, type Host, type Reading } from '../../src/collector.ts';
import type { Failure } from '../../src/errors.ts';
import { checkNagios } from './check.ts';
import { beginning, distance, type Followed, follow, learn } from './follow.ts';
import { measure } from './measure.ts';
import { type Memory, newMemory, parseMemory, textOf } from './memory.ts';
import { metrics } from './metrics.ts';
import { type NagiosOptions, options, SERIES_OF_ONE } from './options.ts';
import { advised, lostMemory, problemsOf, scoped } from './problems.ts';
import { newBudget } from './read.ts';
import { archiveOf } from './rotated.ts';
import { tables } from './tables.ts';
import { createTally, selection, type Tally, type Told } from './tally.ts';

export const nagios = defineCollector<NagiosOptions>({
  name: 'nagios',
  remembers: true,
  options,
  metrics,
  tables,
  async collect(context: Context<NagiosOptions>): Promise<Reading> {
    try {
      return await read(context);
    } catch (thrown) {
      throw advised(thrown, context.options.log);
    }
  },
  check: checkNagios,
});

/** What is known of this process's own runs. */
interface Session {
  /** The text that was handed on last. */
  confirmed: string | undefined;
  /** The text that was written last: it is handed on, or its run failed. */
  written: string | undefined;
  /** The line that is shown for those that cannot be read, for as long as there are some. */
  shown: Told['firstUnreadable'];
  close(): void;
}

function sessionOf(host: Host, options: NagiosOptions): Session {
  const make = (): Session => ({ confirmed: undefined, written: undefined, shown: undefined, close: () => {} });
  return host.keep(`nagios ${JSON.stringify(options)}`, make);
}

async function read(context: Context<NagiosOptions>): Promise<Reading> {
  const { host, options } = context;
  const session = sessionOf(host, options);
  // Outside of a job (once) the runs of one target know of each other all the same.
  const text = context.memo === undefined ? session.written : context.memo.read();
  const known = text === undefined ? undefined : parseMemory(text);
  const continues = text !== undefined && (text === session.written || text === session.confirmed);
  if (continues) session.confirmed = text;
  const write = (memory: Memory): void => {
    memory.number += 1;
    session.written = textOf(memory);
    context.memo?.write(session.written);
  };
  if (known === undefined || known.log !== options.log) {
    const lost = text !== undefined && known === undefined ? [lostMemory(options.log)] : [];
    return begin(context, write, lost);
  }
  if (!continues) return resume(context, known, write);
  const before = textOf(known);
  const tally = createTally(known, options);
  const where = { log: options.log, archive: archiveOf(options) };
  const budget = newBudget(context.elapsedMs, context.timeoutMs);
  const followed = await follow(host, where, { memory: known, tally, budget });
  // What did not change is not written to the disk again.
  if (textOf(known) !== before) write(known);
  tally.told.firstUnreadable = session.shown = shownOf(tally.told.firstUnreadable, session.shown);
  return readingOf(known, options, tally, followed);
}

/** The same line as before where it says the same: a log that is none has others in each run, and is told once. */
function shownOf(now: Told['firstUnreadable'], before: Told['firstUnreadable']): Told['firstUnreadable'] {
  return now !== undefined && now.why === before?.why ? before : now;
}

/** Counting begins at the end of the log; what stands before it tells which states there are. */
async function begin(
  { host, options, elapsedMs, timeoutMs }: Context<NagiosOptions>,
  write: (memory: Memory) => void,
  problems: readonly Failure[],
): Promise<Reading> {
  const { place, learning, skipping } = await beginning(host, options.log);
  const memory = { ...newMemory(options.log, place, learning), skipping };
  const tally = createTally(memory, options);
  const work = { memory, tally, budget: newBudget(elapsedMs, timeoutMs) };
  const followed = await learn(host, options.log, work, place.position + learning);
  write(memory);
  return readingOf(memory, options, tally, { ...followed, problems });
}

/**
 * The first reading after a start is where the daemon's counting begins: what is known is told, and the log is read on
 * by the next run.
 */
async function resume(
  { host, options }: Context<NagiosOptions>,
  memory: Memory,
  write: (memory: Memory) => void,
): Promise<Reading> {
  const behind = await distance(host, options.log, memory.place);
  const isSelected = selection(options);
  const room = Math.floor(options.maxSeries / SERIES_OF_ONE);
  for (const [key, one] of memory.own) if (!isSelected(one)) memory.own.delete(key);
  for (const key of [...memory.own.keys()].slice(room)) memory.own.delete(key);
  memory.isCrowded = false;
  write(memory);
  return readingOf(memory, options, createTally(memory, options), { behind, problems: [] });
}

function readingOf(memory: Memory, options: NagiosOptions, tally: Tally, { behind, problems }: Followed): Reading {
  return {
    samples: measure(memory, options, behind),
    problems: [...problems.map(scoped), ...problemsOf(tally.told, memory, options)],
    // How far behind it is may not be known; then it is as it was.
    unread: behind === undefined ? [{ object: undefined, host: undefined }] : [],
    offers: tally.offers,
  };
}
