/** The whole broker: what is cheap in each run, and the queues as often as the broker can bear. */
import type { Context, Reading } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher } from '../../src/text.ts';
import { type Found, isCovered, lostSight, type Scope, withLost } from './kept.ts';
import { createMeasure, keyOf, type ListSums, type Measure, measureGroup, measureStatus } from './measure.ts';
import type { Memory } from './memory.ts';
import { brokerMetrics } from './metrics-broker.ts';
import type { RabbitmqOptions } from './options.ts';
import type { Pace } from './pace.ts';
import type { Listing, NodeRecord, Source, Status } from './record.ts';
import { NOTHING, scoped } from './scoped.ts';
import { placer, type Survey, survey } from './survey.ts';
import { forgetOthers, measureWatched } from './watched.ts';

/** Numbers of the broker, but for those that say by a label what they are of. */
const WITHOUT_SUM: Scope = { scope: 'broker', version: undefined, endpoint: undefined, change: undefined };

type Paced = (part: 'list' | 'details', pace: Pace, read: () => Promise<Listing>) => Promise<Listing | undefined>;

export async function watchAll(
  { options, readAtMs, elapsedMs, intervalMs }: Context<RabbitmqOptions>,
  source: Source,
  memory: Memory,
): Promise<Reading> {
  const { cluster } = options;
  const status = await source.status();
  const to = createMeasure({ ...dating(memory, status), heights: memory.heights });
  memory.sums = [{ scope: 'broker' }, ...status.vhosts.map(({ vhost }) => ({ scope: 'vhost', vhost }))].map(keyOf);
  const problems: Failure[] = [...status.problems];
  const unread: Scope[] = [];
  memory.countsMessages = status.broker?.countsMessages ?? memory.countsMessages;
  memory.statistics = status.broker?.statistics ?? memory.statistics;

  /** One expensive part, if it is its turn; undefined: not read now. */
  const paced: Paced = async (part, pace, read) => {
    const tell = (failure: Failure): void => {
      // Where details are read as well, the list is not what queues are known by.
      const isAll = part === 'details' || source.details === undefined;
      problems.push(scoped(failure, isAll ? { scope: 'queue' } : NOTHING));
      if (part === 'list') problems.push(scoped(failure, { scope: 'group' }));
    };
    if (!pace.isDue(readAtMs, intervalMs)) {
      if (pace.failure !== undefined) tell(pace.failure);
      return undefined;
    }
    const beganMs = elapsedMs();
    try {
      const value = await read();
      // Where a whole scope is unknown it was tried, and not done.
      if (!value.problems.some(isWide)) pace.done(readAtMs);
      return value;
    } catch (thrown) {
      const failure = asFailure(thrown);
      pace.failed(failure);
      tell(failure);
      return undefined;
    } finally {
      const tookMs = elapsedMs() - beganMs;
      pace.tried(readAtMs, tookMs);
      to.add(brokerMetrics.source_seconds, tookMs / 1000, { cluster, scope: 'broker', part });
    }
  };

  const placeOf = placer(options);
  const listed = await paced('list', memory.list, () => source.list(({ name }) => placeOf(name) === 'kept'));
  let seen: Survey | undefined;
  if (listed === undefined) unread.push({ scope: 'group' });
  else {
    problems.push(...listed.problems);
    const before = { isKept: memory.stuck.isKnown, isStuck: memory.stuck.isStuck };
    seen = survey(listed.queues, options, before);
    const lost = lostSight(memory.kept, seen.kept, listed.problems, memory.lost, options.maxQueues);
    memory.kept = [...seen.kept.map(({ vhost, name }) => ({ vhost, name })), ...lost];
    forgetOthers(memory);
  }
  const found = await keptQueues(source, memory, seen, paced, problems, intervalMs);
  if (found === undefined) unread.push({ scope: 'queue' });
  else {
    for (const scope of found.unread) unread.push(scope);
    for (const scope of measureWatched(to, found.queues, memory, readAtMs, cluster)) unread.push(scope);
  }

  const listProblems = listed?.problems ?? [];
  if (seen !== undefined) unread.push(...measureSurvey(to, seen, listProblems, cluster));
  const sums = seen === undefined || memory.own === true ? undefined : sumsOf(seen, listProblems, isWhole(options));
  measureStatus(to, status, sums, cluster, matcher(options.vhosts ?? ['*']));
  // Sums that are not known now, and what only a list tells.
  if (sums?.all === undefined && status.broker?.messages === undefined) unread.push(WITHOUT_SUM);
  if (sums === undefined || listProblems.some(isWide)) unread.push({ scope: 'vhost' });
  unread.push(...silentNodes(status));
  noteChanges(memory, status);
  memory.leftOut = seen?.leftOut ?? memory.leftOut;
  memory.unknown = seen?.unknown ?? memory.unknown;
  to.add(brokerMetrics.queues_left_out, memory.leftOut, { cluster, scope: 'broker' });
  to.add(brokerMetrics.queues_unknown, memory.unknown, { cluster, scope: 'broker' });
  for (const part of ['list', 'details'] as const)
    to.add(brokerMetrics.source_age_seconds, ageOf(memory, part, readAtMs), { cluster, scope: 'broker', part });
  return { samples: to.samples, problems, unread };
}

/** With their counts, where the source has to be asked for them; undefined: not read in this run. */
async function keptQueues(
  source: Source,
  memory: Memory,
  seen: Survey | undefined,
  paced: Paced,
  problems: Failure[],
  intervalMs: number | undefined,
): Promise<Found | undefined> {
  const { details } = source;
  // Without statistics there are no details, and of a broker that is asked otherwise the list tells all.
  if (details === undefined || memory.statistics === false) return seen && { queues: seen.kept, unread: [] };
  const read = await paced('details', memory.details, () => details(memory.kept));
  if (read === undefined) return undefined;
  problems.push(...read.problems);
  const turn = turnOf(memory.kept.length, read.unasked?.length ?? 0);
  memory.turnSeconds = ((turn - 1) * (intervalMs ?? 0)) / 1000;
  if (turn > 1) problems.push(inTurns(memory.kept.length, turn));
  return withLost(memory.kept, read, seen?.kept);
}

/** In how many runs all are asked for, where one cannot ask for all. */
function turnOf(all: number, unasked: number): number {
  return unasked === 0 || unasked >= all ? 1 : Math.ceil(all / (all - unasked));
}

function inTurns(all: number, runs: number): Failure {
  const text = `the ${all} queues are too many for the requests or the time of one run: their numbers are up to ${runs} runs old; raise maxRequests or the interval, or lower maxQueues`;
  return new Failure('E_TIMEOUT', text, { labels: NOTHING });
}

function ageOf({ list, details, turnSeconds }: Memory, part: 'list' | 'details', readAtMs: number): number | undefined {
  if (part === 'list') return list.ageSeconds(readAtMs);
  const age = details.ageSeconds(readAtMs);
  return age === undefined ? undefined : age + turnSeconds;
}

/** Whether a problem may be of any vhost's queues. */
function isWide({ evidence: { labels = {} } }: Failure): boolean {
  return labels.vhost === undefined && labels.scope !== NOTHING.scope;
}

const leavesUnknown = ({ evidence }: Failure): boolean => evidence.labels?.scope !== NOTHING.scope;

/** Whether every vhost is asked for. */
const isWhole = ({ vhosts = ['*'] }: RabbitmqOptions): boolean => vhosts.includes('*');

/** The sums of what the list had; of a vhost of which it lacks something, or of a broker of which some was asked, none. */
function sumsOf(seen: Survey, problems: readonly Failure[], whole: boolean): ListSums {
  const told = seen.vhosts.filter(({ vhost }) => !isCovered({ scope: 'queue', vhost }, problems));
  return {
    all: whole && told.length === seen.vhosts.length && !problems.some(leavesUnknown) ? seen.all : undefined,
    vhosts: new Map(told.map((one) => [one.vhost, one])),
  };
}

/** Answers the groups that are not told. */
function measureSurvey(to: Measure, seen: Survey, problems: readonly Failure[], cluster: string | undefined): Scope[] {
  const unread: Scope[] = [];
  for (const group of seen.groups) {
    const scope = { scope: 'group', vhost: group.vhost, queue: group.group };
    // A part of a sum is no sum.
    const isPart = isCovered(scope, problems);
    if (!isPart) measureGroup(to, group, cluster);
    if (isPart || group.messages === undefined) unread.push(scope);
  }
  return unread;
}

/** The nodes that count, as one text; and whether what is dated now can be compared with what was dated before. */
function dating(memory: Memory, { nodes }: Status): { nodes: string; dated: boolean } {
  // Where they could not be read they are those of before.
  if (nodes.length > 0) {
    const telling = nodes.filter((one) => !isSilent(one)).map(({ node }) => node);
    memory.nodes = nodes.length > 1 ? telling.sort().join(' ') : '';
    memory.isWhole = telling.length === nodes.length;
  }
  const before = memory.datedBy;
  memory.datedBy = memory.endpoints.current;
  return { nodes: memory.nodes, dated: before === undefined || before === memory.datedBy };
}

/** A node that does not run, or of which the others have no statistics. */
function isSilent({ running, memoryUsedBytes, uptimeSeconds }: NodeRecord): boolean {
  return running === false || (memoryUsedBytes === undefined && uptimeSeconds === undefined);
}

/**
 * Of a node that does not run nothing is known but that; what it used last is no news, and neither is 0. Links to it may
 * come back with what they had counted before.
 */
function silentNodes({ nodes }: Status): Scope[] {
  return nodes.filter(isSilent).flatMap(({ node }) => [
    { scope: 'node', node },
    { scope: 'peer', node },
    { scope: 'peer', peer: node },
  ]);
}

function noteChanges({ changes }: Memory, { broker, nodes }: Status): void {
  changes.see('alarm_raised', 'alarm_cleared', 'broker', broker?.alarm);
  for (const { node, partitions, running } of nodes) {
    changes.see('partitioned', 'healed', node, partitions === undefined ? undefined : partitions > 0);
    changes.see('node_down', 'node_up', node, running === undefined ? undefined : !running);
  }
}
