/**
 * Which processes there are, and which of them are looked for. A machine has thousands, of which a handful matter: one
 * that was looked at twice and is none of them is not read again, until one that is looked for is missing.
 */
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import type { Recogniser } from './names.ts';
import { commandWords, isDead, machineUptime, parseStat, type Stat, TICKS_PER_SECOND } from './parse.ts';

/** What was learnt of a process. A process is another one when its start is another, and may be one when its name is. */
interface Known {
  readonly startedTicks: number;
  readonly comm: string;
  readonly matches: readonly number[];
  /** Between fork() and exec() a process looks like what started it, so a young one is looked at twice. */
  readonly isSettled: boolean;
}

export interface Seen {
  readonly known: Map<number, Known>;
  /** When all were read because one was missing, on the monotonic clock. */
  fullAtMs: number | undefined;
  /** How many of each were there in the run before. */
  counts: readonly number[];
}

export const nobodySeen = (): Seen => ({ known: new Map(), fullAtMs: undefined, counts: [] });

export interface Found {
  readonly pid: number;
  readonly stat: Stat;
  readonly matches: readonly number[];
}

export interface Survey {
  /** Those that match, and those whose number was asked for. */
  readonly found: ReadonlyMap<number, Found>;
  /** Seconds since the machine's start; undefined: not told. */
  readonly uptime: number | undefined;
  /** Why some cannot be seen at all. */
  readonly hidden: Failure | undefined;
  /** By the number of what is looked for: why one more may be it. */
  readonly doubts: ReadonlyMap<number, Failure>;
  readonly problems: readonly Failure[];
}

/** An older process has long since become what it is; a younger one is looked at once more. */
const SETTLED_SECONDS = 60;
/** A process that is none of them may become one (exec), or be another with its number: so many are read again each run. */
const REVISITED = 100;
/** All are read when one is missing, yet not for each of those that come and go. */
const FULL_EVERY_MS = 60_000;

export interface Question {
  readonly host: Host;
  readonly proc: string;
  readonly recogniser: Recogniser;
  readonly seen: Seen;
  readonly readAtMs: number;
  /** Processes to read whatever they are: those of pid files. */
  readonly pids: ReadonlySet<number>;
  readonly size: number;
}

export async function survey(question: Question): Promise<Survey> {
  const { host, proc, seen, readAtMs, pids, size } = question;
  const there = (await host.list(proc)).filter((name) => /^[1-9][0-9]{0,6}$/.test(name)).map(Number);
  if (there.length === 0) {
    const advice = 'is proc(5) mounted there?';
    throw new Failure('E_NOT_FOUND', `no process in ${quoted(proc)}: ${advice}`, { path: proc });
  }
  const alive = new Set(there);
  for (const pid of seen.known.keys()) if (!alive.has(pid)) seen.known.delete(pid);
  const uptime = machineUptime(await host.readFile(`${proc}/uptime`).catch(() => ''));
  const isStranger = ([pid, { matches, isSettled }]: readonly [number, Known]): boolean =>
    matches.length === 0 && isSettled && !pids.has(pid);
  // In the order in which they were read.
  const strangers = [...seen.known].filter(isStranger).map(([pid]) => pid);
  const later = strangers.slice(REVISITED);
  const skipped = new Set(later);
  const state: Reading = { found: new Map(), doubts: new Map(), problems: [], isHiding: !alive.has(1), uptime };
  const now = there.filter((pid) => !skipped.has(pid));
  await read(question, now, state);
  const countOf = (index: number): number =>
    [...state.found.values()].filter(({ matches, stat }) => matches.includes(index) && !isDead(stat)).length;
  const counts = (): number[] => Array.from({ length: size }, (_, index) => countOf(index));
  const isRecent = seen.fullAtMs !== undefined && readAtMs - seen.fullAtMs < FULL_EVERY_MS;
  const isShort = counts().some((count, index) => count < (seen.counts[index] ?? 0) && (count === 0 || !isRecent));
  if (isShort) {
    seen.fullAtMs = readAtMs;
    await read(question, later, state);
  }
  seen.counts = counts();
  const { found, doubts, problems } = state;
  return { found, doubts, uptime, hidden: state.isHiding ? hiddenIn(proc) : undefined, problems };
}

function hiddenIn(proc: string): Failure {
  const advice = 'run as root, or as a member of the group of its gid= option';
  return new Failure('E_DENIED', `${quoted(proc)} hides the processes of others (hidepid): ${advice}`, { path: proc });
}

interface Reading {
  readonly found: Map<number, Found>;
  readonly doubts: Map<number, Failure>;
  readonly problems: Failure[];
  isHiding: boolean;
  readonly uptime: number | undefined;
}

async function read({ host, proc, recogniser, seen, pids }: Question, some: readonly number[], state: Reading) {
  const texts = await host.readFiles(some.map((pid) => `${proc}/${pid}/stat`));
  const unknown: { readonly pid: number; readonly stat: Stat }[] = [];
  const add = (pid: number, stat: Stat, matches: readonly number[]): void => {
    if (matches.length > 0 || pids.has(pid)) state.found.set(pid, { pid, stat, matches });
  };
  for (const [at, text] of texts.entries()) {
    const pid = some[at] ?? 0;
    if (text instanceof Failure) {
      // What else it may be: it has ended since the directory was read.
      if (text.code === 'E_DENIED') state.isHiding = true;
      continue;
    }
    const stat = parseStat(text);
    if (stat === undefined) {
      if (text !== '' && state.problems.length === 0) state.problems.push(notStat(`${proc}/${pid}/stat`, text));
      continue;
    }
    const known = seen.known.get(pid);
    const isSame = known?.startedTicks === stat.startedTicks && known.comm === stat.comm;
    if (isSame && (known.isSettled || isDead(stat))) {
      add(pid, stat, known.matches);
      remember(seen, pid, stat, known.matches, true);
    } else unknown.push({ pid, stat });
  }
  for (const { pid, stat, line } of await readLines(host, proc, unknown, recogniser)) {
    const before = seen.known.get(pid);
    const isAgain = before?.startedTicks === stat.startedTicks && before.comm === stat.comm;
    const argv = typeof line === 'string' ? commandWords(line) : undefined;
    const { matches, maybe } = recogniser.look(stat, argv);
    if (maybe.length === 0) {
      add(pid, stat, matches);
      const age = (state.uptime ?? 0) - stat.startedTicks / TICKS_PER_SECOND;
      remember(seen, pid, stat, matches, isAgain || age >= SETTLED_SECONDS);
    } else if (isAgain) add(pid, stat, before.matches);
    else {
      add(pid, stat, matches);
      for (const index of maybe) if (!isGone(line)) state.doubts.set(index, doubt(proc, pid, stat, line));
    }
  }
}

interface Unknown {
  readonly pid: number;
  readonly stat: Stat;
  /** Undefined: it is not needed, or not read because of state D. */
  readonly line?: string | Failure | undefined;
}

/** State D is mostly over in a moment, so those that are in it get their turn again behind all others. */
const TURNS = 3;

async function readLines(
  host: Host,
  proc: string,
  unknown: readonly Unknown[],
  recogniser: Recogniser,
): Promise<Unknown[]> {
  const done = unknown.filter(({ stat }) => !recogniser.needsCommandLine(stat));
  let waiting = unknown.filter(({ stat }) => recogniser.needsCommandLine(stat));
  for (let turn = 1; waiting.length > 0; turn++) {
    const free = waiting.filter(({ stat }) => stat.state !== 'D');
    const lines = await host.readFiles(free.map(({ pid }) => `${proc}/${pid}/cmdline`));
    done.push(...free.map((one, at) => ({ ...one, line: lines[at] })));
    const stuck = waiting.filter(({ stat }) => stat.state === 'D');
    if (turn === TURNS) return [...done, ...stuck];
    const texts = await host.readFiles(stuck.map(({ pid }) => `${proc}/${pid}/stat`));
    waiting = stuck.flatMap(({ pid }, at) => {
      const text = texts[at];
      const stat = typeof text === 'string' ? parseStat(text) : undefined;
      return stat === undefined ? [] : [{ pid, stat }];
    });
  }
  return done;
}

/** As the last one, so that the first are those that were not read for longest. */
function remember(
  { known }: Seen,
  pid: number,
  { startedTicks, comm }: Stat,
  matches: readonly number[],
  isSettled: boolean,
): void {
  known.delete(pid);
  known.set(pid, { startedTicks, comm, matches, isSettled });
}

const isGone = (line: string | Failure | undefined): boolean =>
  line instanceof Failure && (line.code === 'E_NOT_FOUND' || line.code === 'E_CONNECT');

/** To read the command line of one in state D may wait for as long as that lasts: what holds it has its memory locked. */
function doubt(proc: string, pid: number, { comm }: Stat, line: string | Failure | undefined): Failure {
  const path = `${proc}/${pid}/cmdline`;
  const who = `process ${pid} (${quoted(comm)}) may be one of them`;
  if (line instanceof Failure) return new Failure(line.code, `${who}: ${line.message}`, { path, cause: line });
  return new Failure('E_TIMEOUT', `${who}: it is in state D, in which its command line is not read`, { path });
}

function notStat(path: string, text: string): Failure {
  return new Failure('E_PARSE', `${path}: ${quoted(text)} is not what proc(5) documents`, { path, labels: NOTHING });
}

/** Nothing that is sent is unknown because of it. */
const NOTHING = { process: '' };
