/** Follows the log from where the last run ended, through rotation and truncation, within one run's budget. */
import type { FilePart, Host } from '../../src/collector.ts';
import type { Failure } from '../../src/errors.ts';
import type { Memory, Place } from './memory.ts';
import { type Budget, CHUNK_BYTES, fits, readAt, readOn } from './read.ts';
import { type Chain, chainFrom, isStill } from './rotated.ts';
import type { Tally } from './tally.ts';

/** What stood in the log before counting began is read to learn states, up to so much. */
const LEARN_BYTES = 64 * 2 ** 20;

/** To look at all rotated logs between two rotations. */
const ATTEMPTS = 3;

export interface Where {
  readonly log: string;
  readonly archive: string;
}

export interface Followed {
  /** Bytes that are not read yet; undefined: not known. */
  readonly behind: number | undefined;
  readonly problems: readonly Failure[];
}

/** The end of the log as it is now, and so much before it that only teaches states. */
export async function beginning(
  host: Host,
  log: string,
): Promise<{ readonly place: Place; readonly learning: number; readonly skipping: boolean }> {
  const { identity, size } = await host.readPart(log, 0, 0);
  const position = Math.max(0, size - LEARN_BYTES);
  // What begins in the middle of a line begins with the next one.
  return { place: { identity, position, print: '' }, learning: size - position, skipping: position > 0 };
}

/** Reads what stood there when it began, and not what was written meanwhile: that counts from the next run on. */
export async function learn(host: Host, log: string, work: Work, limit: number): Promise<Followed> {
  const { size } = await readOn(host, log, work, { isFinal: false, limit });
  return { behind: Math.max(0, size - work.memory.place.position), problems: [] };
}

/** How far behind the place is, without reading on. */
export async function distance(host: Host, log: string, place: Place): Promise<number | undefined> {
  const part = await readAt(host, log, place, 0);
  return fits(part, place) ? part.size - place.position : undefined;
}

export interface Work {
  readonly memory: Memory;
  readonly tally: Tally;
  readonly budget: Budget;
}

/** Reads on. `E_NOT_FOUND` and what else befalls the log itself is thrown; the memory is then worth nothing. */
export async function follow(host: Host, where: Where, work: Work): Promise<Followed> {
  const { memory } = work;
  const part = await readAt(host, where.log, memory.place, CHUNK_BYTES);
  if (fits(part, memory.place)) {
    delete memory.place.path;
    return readLog(host, where, work, part, []);
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const current = await host.readPart(where.log, 0, CHUNK_BYTES);
    if (current.size === 0 && (await isAtEnd(host, memory.place))) return { behind: 0, problems: [] };
    const chain = await chainFrom(host, where, memory.place, current, memory.lastSeconds);
    // Where it was rotated while files were looked at, one may have been overlooked.
    if (await isStill(host, where.log, current)) return catchUp(host, where, work, current, chain);
  }
  return { behind: undefined, problems: [] };
}

/** Nothing new stands in the rotated log, and nothing in the next one: its writer may still have the old one open. */
async function isAtEnd(host: Host, place: Place): Promise<boolean> {
  if (place.path === undefined) return false;
  const part = await readAt(host, place.path, place, 1).catch(() => undefined);
  return part !== undefined && fits(part, place) && part.size === place.position;
}

async function catchUp(host: Host, where: Where, work: Work, current: FilePart, chain: Chain): Promise<Followed> {
  const { memory } = work;
  const problems = chain.gap === undefined ? [] : [chain.gap];
  let behind = current.size + chain.files.reduce((sum, { size }) => sum + size, 0);
  if (chain.gap === undefined) behind -= memory.place.position;
  else bridge(memory);
  const isOver = (): boolean => work.budget.left <= 0 || work.budget.isLate();
  for (const [index, { path, identity, size }] of chain.files.entries()) {
    if (index > 0 || chain.gap !== undefined) begin(memory, { identity, position: 0, print: '' });
    // By its content it may have been found under another identity.
    Object.assign(memory.place, { identity, path });
    const isLast = index === chain.files.length - 1;
    // As long as nothing stands in the next one, the writer may still have this one open.
    const isFinal = !isLast || current.size > 0;
    if (isOver()) return { behind, problems };
    const from = memory.place.position;
    const { how } = await readOn(host, path, work, { isFinal });
    behind -= Math.min(size, memory.place.position) - from;
    if (how !== 'end') return { behind, problems };
  }
  // An empty log is not begun: where it is truncated before its next line, the rest is found by the place before.
  if (current.size === 0 && chain.files.length > 0) return { behind, problems };
  begin(memory, { identity: current.identity, position: 0, print: '' });
  if (isOver()) return { behind, problems };
  return readLog(host, where, work, current, problems);
}

async function readLog(
  host: Host,
  { log }: Where,
  work: Work,
  inHand: FilePart,
  problems: readonly Failure[],
): Promise<Followed> {
  const { memory } = work;
  const { how, size } = await readOn(host, log, work, { isFinal: false, inHand });
  // What is written from now on is new, whatever its time: the clock may have been set back.
  if (how === 'end') delete memory.sinceSeconds;
  return { behind: how === 'changed' ? undefined : size - memory.place.position, problems };
}

function begin(memory: Memory, place: Place): void {
  memory.counts.rotations += 1;
  memory.skipping = false;
  memory.place.identity = place.identity;
  memory.place.position = place.position;
  memory.place.print = place.print;
  delete memory.place.path;
}

/** What is lost cannot be known; what is found and older than the last line was read before. */
function bridge(memory: Memory): void {
  memory.counts.gaps += 1;
  memory.learning = 0;
  if (memory.lastSeconds !== undefined) memory.sinceSeconds = memory.lastSeconds;
}
