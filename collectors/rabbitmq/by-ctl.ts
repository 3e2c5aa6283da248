/**
 * The program rabbitmqctl. Each call boots an Erlang VM: about 0.7 s of CPU before it asks anything (3.10, measured), so
 * a run makes as few as it can: two for the status, one for the names of the vhosts, and one for each vhost. A listing of
 * 10,000 queues costs another second. It counts no messages: there are depths and states, and no totals.
 */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher, quoted } from '../../src/text.ts';
import { type AskedSource, missingVhost, unknownBy } from './asked-source.ts';
import { toldOf } from './ctl-failure.ts';
import { recordOfJson, recordOfRow, unresponsiveRecord } from './ctl-queues.ts';
import { statusOfJson, statusOfTerms } from './ctl-status.ts';
import { jsonIn, parseQueueTable, parseVhostTable } from './ctl-text.ts';
import { createPrograms, inTurns, type Turn } from './ctl-turns.ts';
import { fieldsOf, listOf, textIn } from './json.ts';
import type { RabbitmqOptions } from './options.ts';
import type { Listing, QueueName, QueueRecord, Status } from './record.ts';

/** Columns that every version has, those that came later, and those of 3.8 and later. */
const OLDEST = ['name', 'messages', 'messages_ready', 'messages_unacknowledged', 'consumers', 'memory'];
const OLDER = [...OLDEST, 'state', 'consumer_utilisation'];
const ALL = [...OLDER, 'type', 'leader'];
/** As JSON from 3.7 on, and as text before. The first that the program does not refuse is taken for all vhosts. */
const WAYS = [
  { columns: ALL, isJson: true },
  { columns: OLDER, isJson: true },
  { columns: OLDER, isJson: false },
  { columns: OLDEST, isJson: false },
] as const;
const JSON_FORMAT = ['--formatter', 'json'];

/** Where the interval is not known. */
const DEFAULT_INTERVAL_MS = 10_000;
/** Before it begins to wait for an answer. */
const BOOT_MS = 1000;
/** For one queue, to be called unresponsive; the program's own default is 15. */
const QUEUE_PATIENCE_SECONDS = 2;

/**
 * `intervalMs`: how far apart the runs are; a listing is given up when eight tenths of it have passed. `leftMs`: milliseconds
 * that the run has left. `only`: these queues alone are of interest, so their vhosts alone are asked.
 */
export function ctlSource(
  host: Host,
  options: RabbitmqOptions,
  intervalMs = DEFAULT_INTERVAL_MS,
  leftMs: () => number = () => Number.POSITIVE_INFINITY,
  memory: Turn = { turn: 0 },
  only?: readonly QueueName[],
): AskedSource {
  const names = only && [...new Set(only.map(({ vhost }) => vhost))];
  const isAsked = names === undefined ? matcher(options.vhosts ?? ['*']) : (vhost: string) => names.includes(vhost);
  const programs = createPrograms(options.maxRequests, leftMs);
  const seconds = (): string =>
    String(Math.floor(Math.min(60, Math.max(1, Math.min(intervalMs * 0.8, leftMs() - BOOT_MS) / 1000))));
  /** What is refused once is not asked again in this run; a listing of vhosts tells first whether there is JSON. */
  let way = 0;

  const run = (...args: readonly string[]): Promise<string> => {
    const [program = 'rabbitmqctl', ...before] = options.command;
    const isListing = args[0] === 'list_queues';
    return programs.start(() => host.run([program, ...before, '-q', ...args]), isListing);
  };
  const told = (...args: readonly string[]): Promise<string> => {
    return run(...args).catch((thrown: unknown) => {
      throw toldOf(asFailure(thrown)).failure;
    });
  };
  /** With its banner, which alone says the name of the node up to 3.7. */
  const loudly = async (...args: readonly string[]): Promise<string> => {
    const [program = 'rabbitmqctl', ...before] = options.command;
    return programs
      .start(() => host.run([program, ...before, ...args]))
      .catch((thrown: unknown) => {
        throw toldOf(asFailure(thrown)).failure;
      });
  };
  /** Undefined: the program does not understand the question. Rejects where another one would fail as well. */
  const unlessRefused = async (args: readonly string[], isForColumn = false): Promise<string | undefined> => {
    try {
      return await run(...args);
    } catch (thrown) {
      const { failure, isRefused, isColumn } = toldOf(asFailure(thrown));
      if (isForColumn ? isColumn : isRefused) return undefined;
      throw failure;
    }
  };

  const vhostNames = async (): Promise<readonly string[]> => {
    const text = await unlessRefused(['list_vhosts', 'name', ...JSON_FORMAT]);
    const rows = text === undefined ? undefined : jsonIn(text);
    if (Array.isArray(rows)) return rows.flatMap((row) => textIn(fieldsOf(row), 'name') ?? []);
    way = Math.max(
      way,
      WAYS.findIndex(({ isJson }) => !isJson),
    );
    return parseVhostTable(await told('list_vhosts', 'name'));
  };

  const listVhost = async (vhost: string): Promise<Listing> => {
    for (; ; way += 1) {
      const isLast = way >= WAYS.length - 1;
      const { columns, isJson } = WAYS[Math.min(way, WAYS.length - 1)] ?? WAYS[0];
      const args = ['list_queues', '-p', vhost, '--timeout', seconds(), ...(isJson ? JSON_FORMAT : []), ...columns];
      // 3.5 and older know no --timeout: with it they take the number for a column.
      const plain = columns === OLDEST ? ['list_queues', '-p', vhost, ...columns] : args;
      const text = isLast ? await told(...plain) : await unlessRefused(plain, true);
      if (text === undefined) continue;
      if (!isJson) return ofTable(vhost, text, columns);
      const rows = jsonIn(text);
      if (Array.isArray(rows)) return { queues: rows.flatMap((row) => recordOfJson(vhost, row) ?? []), problems: [] };
      throw new Failure('E_PARSE', `rabbitmqctl list_queues: no JSON in its answer ${quoted(text)}`);
    }
  };

  const withUnresponsive = async (vhost: string, listing: Listing): Promise<Listing> => {
    const patience = ['--queue-timeout', String(QUEUE_PATIENCE_SECONDS), '--timeout', seconds()];
    const text = await told('list_unresponsive_queues', '-p', vhost, ...patience, ...JSON_FORMAT, 'name');
    const silent = new Map<string, QueueRecord>();
    for (const row of listOf(jsonIn(text))) {
      const name = textIn(fieldsOf(row), 'name');
      if (name !== undefined) silent.set(name, unresponsiveRecord(vhost, name));
    }
    // Numbers that a silent queue told before it fell silent are not its numbers now.
    const queues = [...listing.queues.filter(({ name }) => !silent.has(name)), ...silent.values()];
    return { ...listing, queues };
  };

  const readVhost = async (vhost: string): Promise<Listing> => {
    const problems: Failure[] = [];
    const orProblem = async (work: () => Promise<Listing>, instead: Listing): Promise<Listing> => {
      try {
        return await work();
      } catch (thrown) {
        problems.push(unknownBy(asFailure(thrown), `vhost ${quoted(vhost)}`, { vhost }));
        return instead;
      }
    };
    if (!isHarmless(vhost)) return { queues: [], problems: [unsafe(vhost)] };
    let listing = await orProblem(() => listVhost(vhost), { queues: [], problems: [] });
    const before = listing;
    if (options.unresponsive) listing = await orProblem(() => withUnresponsive(vhost, before), before);
    return { queues: listing.queues, problems: [...listing.problems, ...problems] };
  };

  return {
    async status() {
      return statusFrom(unlessRefused, loudly);
    },
    async list() {
      const there = await vhostNames();
      // Of this machine's queues nobody said that the vhosts are there, unless they are configured.
      const expected = (options.vhosts ?? []).filter((name) => names !== undefined || !/[*?[]/.test(name));
      const missing = expected.filter((name) => !there.includes(name)).map(missingVhost);
      const { queues, problems } = await inTurns(there.filter(isAsked), memory, programs.refusal, readVhost);
      return { queues, problems: [...missing, ...problems] };
    },
    get requests() {
      return programs.started;
    },
    endpoints: new Map(),
  };
}

/**
 * Debian's rabbitmqctl hands its words to a shell, and quotes but the quotes in them: a vhost called `$(…)` would be run
 * as rabbitmq. One that begins with a dash is taken for an option by all of them.
 */
function isHarmless(vhost: string): boolean {
  return !/^-|["$`\\\u0000-\u001f\u007f]/.test(vhost);
}

function unsafe(vhost: string): Failure {
  const message = `vhost ${quoted(vhost)} is not asked: a shell could run its name; expected one without - in front, and without " $ \` \\ and control characters; use source: management`;
  return new Failure('E_CONFIG', message, { labels: { vhost } });
}

function ofTable(vhost: string, text: string, columns: readonly string[]): Listing {
  const { rows, problem } = parseQueueTable(text, columns, true);
  const problems = problem === undefined ? [] : [unknownBy(problem, `vhost ${quoted(vhost)}`, { vhost })];
  return { queues: rows.map((row) => recordOfRow(vhost, row)), problems };
}

/** The node that rabbitmqctl asks; and of its cluster who runs, who is cut off, and which alarms are in force. */
async function statusFrom(
  unlessRefused: (args: readonly string[]) => Promise<string | undefined>,
  loudly: (...args: readonly string[]) => Promise<string>,
): Promise<Status> {
  const problems: Failure[] = [];
  const clusterText = unlessRefused(['cluster_status', ...JSON_FORMAT]).catch((thrown: unknown) => {
    problems.push(unknownBy(asFailure(thrown), '', { scope: 'node' }));
    return undefined;
  });
  const [text, cluster] = await Promise.all([unlessRefused(['status', ...JSON_FORMAT]), clusterText]);
  const json = text === undefined ? undefined : jsonIn(text);
  const isJson = typeof json === 'object' && json !== null && !Array.isArray(json);
  const status = isJson
    ? statusOfJson(json, cluster === undefined ? undefined : jsonIn(cluster))
    : statusOfTerms(await loudly('status'));
  if (status === undefined) {
    throw new Failure(
      'E_PARSE',
      'rabbitmqctl status: neither JSON nor Erlang terms with a version or run_queue in them',
    );
  }
  return { ...status, vhosts: [], exchanges: [], links: [], problems };
}
