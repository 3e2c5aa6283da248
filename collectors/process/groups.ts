/** Who was found of each name, whether any is expected, and what cannot be told. */
import type { Host, Kept } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { advance, type History, noHistory } from './history.ts';
import type { Group } from './measure.ts';
import { recogniser } from './names.ts';
import { type ProcessOptions, type Wanted, wantedOf } from './options.ts';
import { isDead, TICKS_PER_SECOND } from './parse.ts';
import { type PidFile, readPidFiles } from './pid-files.ts';
import { type Found, nobodySeen, type Seen, type Survey, survey } from './survey.ts';

/** What a target's runs have learnt of its processes. */
interface Memory extends Kept {
  readonly seen: Seen;
  readonly histories: readonly History[];
  uptime: number | undefined;
}

export interface Groups {
  readonly groups: readonly Group[];
  /** Names of which it cannot be told whether they run. */
  readonly unknown: readonly string[];
  /** Neither there nor expected. */
  readonly absent: readonly Wanted[];
  readonly problems: readonly Failure[];
  readonly uptime: number | undefined;
}

export async function findGroups(host: Host, options: ProcessOptions, readAtMs: number): Promise<Groups> {
  const wanted = wantedOf(options);
  const memory = host.keep<Memory>(`process ${JSON.stringify(options)}`, () => {
    return { seen: nobodySeen(), histories: wanted.map(() => noHistory(readAtMs)), uptime: undefined, close() {} };
  });
  const [pidFiles, installed] = [await readPidFiles(host, wanted), await readInstalled(host, wanted, memory)];
  const isExpected = (index: number): boolean => memory.histories[index]?.wasSeen === true || installed.has(index);
  const told = await survey({
    ...{ host, proc: options.proc, readAtMs, seen: memory.seen, size: wanted.length },
    recogniser: recogniser(wanted),
    pids: new Set([...pidFiles.values()].filter((one) => typeof one === 'number')),
  });
  const [groups, unknown, absent]: [Group[], string[], Wanted[]] = [[], [], []];
  const problems = [...told.problems];
  for (const [index, one] of wanted.entries()) {
    const found = foundOf(index, one, pidFiles.get(index), told);
    const history = memory.histories[index] ?? noHistory(readAtMs);
    if (found instanceof Failure) {
      history.hasBegun = true;
      if (isExpected(index)) {
        problems.push(found);
        unknown.push(one.name);
      } else absent.push(one);
      continue;
    }
    const alive = found.all.filter(({ stat }) => !isDead(stat));
    const zombies = found.all.filter(({ stat }) => isDead(stat));
    if (found.all.length === 0 && !isExpected(index)) {
      history.hasBegun = true;
      absent.push(one);
      continue;
    }
    if (found.problem !== undefined) problems.push(found.problem);
    advance(history, alive, isOwnClock(alive, told.uptime) ? memory.uptime : undefined);
    groups.push({ name: one.name, alive, zombies, history });
  }
  memory.uptime = told.uptime;
  return { groups, unknown, absent, problems, uptime: told.uptime };
}

/** The survey takes its time, in which further ones are started. */
const CLOCK_SECONDS = 60;

/** A clock that some were started after (lxcfs shows a container's) says of none whether it is new. */
const isOwnClock = (alive: readonly Found[], uptime: number | undefined): boolean =>
  uptime !== undefined && alive.every(({ stat }) => stat.startedTicks / TICKS_PER_SECOND <= uptime + CLOCK_SECONDS);

const isByName = (one: Wanted | undefined): boolean => one?.exact !== undefined || one?.pattern !== undefined;

/** Those that are expected whatever was seen, or because a file says so. */
async function readInstalled(host: Host, wanted: readonly Wanted[], { histories }: Memory): Promise<Set<number>> {
  const always = wanted.flatMap(({ installed }, index) => (installed === undefined ? [index] : []));
  const asked = wanted.flatMap(({ installed = [] }, index) =>
    histories[index]?.wasSeen === true ? [] : installed.map((path) => ({ index, path })),
  );
  const texts = asked.length === 0 ? [] : await host.readFiles(asked.map(({ path }) => path));
  // One that is larger than what is read is there, too.
  const isThere = (text: string | Failure | undefined): boolean =>
    text instanceof Failure ? text.code === 'E_OUTPUT_SIZE' : text !== undefined;
  return new Set([...always, ...asked.filter((_, at) => isThere(texts[at])).map(({ index }) => index)]);
}

/** Nothing that is sent is unknown because of it. */
const NOTHING = { process: '' };

function foundOf(
  index: number,
  wanted: Wanted,
  pidFile: PidFile | undefined,
  { found, doubts, hidden }: Survey,
): { readonly all: readonly Found[]; readonly problem?: Failure } | Failure {
  const labels = { process: wanted.name };
  const unknown = ({ code, message, evidence }: Failure): Failure =>
    new Failure(code, `${quoted(wanted.name)}: ${message}`, { ...evidence, labels });
  if (pidFile instanceof Failure) return unknown(pidFile);
  if (pidFile === 'none') return { all: [] };
  const named = [...found.values()].filter(({ matches }) => matches.includes(index));
  if (pidFile === undefined) {
    const why = hidden ?? doubts.get(index);
    if (why !== undefined && named.every(({ stat }) => isDead(stat))) return unknown(why);
    if (hidden === undefined) return { all: named };
    const message = `${quoted(wanted.name)}: only those of this user are counted: ${hidden.message}`;
    return { all: named, problem: new Failure(hidden.code, message, { labels: NOTHING }) };
  }
  const its = found.get(pidFile);
  if (its === undefined) return hidden === undefined ? { all: [] } : unknown(hidden);
  if (!isByName(wanted) || its.matches.includes(index)) return { all: [its] };
  const doubt = doubts.get(index);
  if (doubt !== undefined) return unknown(doubt);
  const other = `process ${pidFile}, which is ${quoted(its.stat.comm)}`;
  const message = `${quoted(wanted.name)}: pid file ${quoted(wanted.pidFile ?? '')} names ${other}: it is stale`;
  return { all: [], problem: new Failure('E_NOT_FOUND', message, { labels: NOTHING }) };
}
