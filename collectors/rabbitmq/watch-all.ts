/** The whole broker: what is cheap in each run, and the queues as often as the broker can bear. */
import type { Context, Reading } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { type Found, lostSight, type Scope, withLost } from './kept.ts';
import { createMeasure, type ListSums, type Measure, measureGroup, measureStatus } from './measure.ts';
import type { Memory } from './memory.ts';
import { brokerMetrics } from './metrics-broker.ts';
import type { RabbitmqOptions } from './options.ts';
import type { Pace } from './pace.ts';
import type { Source, Status } from './record.ts';
import { scoped } from './scoped.ts';
import { placer, type Survey, survey } from './survey.ts';
import { forgetOthers, measureWatched, untold } from './watched.ts';

export async function watchAll(
  { options, readAtMs, elapsedMs, intervalMs }: Context<RabbitmqOptions>,
  source: Source,
  memory: Memory,
): Promise<Reading> {
  const { cluster } = options;
  const to = createMeasure();
  const problems: Failure[] = [];
  const unread: Scope[] = [];
  const status = await source.status();
  problems.push(...status.problems);
  memory.countsMessages = status.broker?.countsMessages ?? memory.countsMessages;
  memory.statistics = status.broker?.statistics ?? memory.statistics;

  /** One expensive part, if it is its turn; undefined: not read now. */
  const paced = async <Value>(part: 'list' | 'details', pace: Pace, read: () => Promise<Value>) => {
    if (!pace.isDue(readAtMs, intervalMs)) return undefined;
    const beganMs = elapsedMs();
    try {
      const value = await read();
      pace.done(readAtMs);
      return value;
    } catch (thrown) {
      const failure = asFailure(thrown);
      problems.push(scoped(failure, { scope: 'queue' }));
      if (part === 'list') problems.push(scoped(failure, { scope: 'group' }));
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
    const lost = lostSight(memory.kept, seen.kept, listed.problems);
    memory.kept = [...seen.kept.map(({ vhost, name }) => ({ vhost, name })), ...lost];
    forgetOthers(memory);
  }
  const found = await keptQueues(source, memory, seen, paced, problems);
  if (found === undefined) unread.push({ scope: 'queue' });
  else {
    unread.push(...found.unread, ...untold(found.queues));
    measureWatched(to, found.queues, memory, readAtMs, cluster);
  }

  if (seen !== undefined) measureSurvey(to, seen, cluster);
  const sums = seen === undefined ? undefined : sumsOf(seen, listed?.problems ?? []);
  measureStatus(to, status, sums, cluster);
  // Sums that are not known now, and what only a list tells.
  if (sums?.all === undefined) unread.push({ scope: 'broker' });
  if (sums === undefined) unread.push({ scope: 'vhost' });
  unread.push(...stoppedNodes(status));
  noteChanges(memory, status);
  for (const [part, pace] of [
    ['list', memory.list],
    ['details', memory.details],
  ] as const)
    to.add(brokerMetrics.source_age_seconds, pace.ageSeconds(readAtMs), { cluster, scope: 'broker', part });
  return { samples: to.samples, problems, unread };
}

/** With their counts, where the source has to be asked for them; undefined: not read in this run. */
async function keptQueues(
  source: Source,
  memory: Memory,
  seen: Survey | undefined,
  paced: <Value>(part: 'details', pace: Pace, read: () => Promise<Value>) => Promise<Value | undefined>,
  problems: Failure[],
): Promise<Found | undefined> {
  const { details } = source;
  // Without statistics there are no details, and of a broker that is asked otherwise the list tells all.
  if (details === undefined || memory.statistics === false) return seen && { queues: seen.kept, unread: [] };
  const read = await paced('details', memory.details, () => details(memory.kept));
  if (read === undefined) return undefined;
  problems.push(...read.problems);
  return withLost(memory.kept, read.queues, seen?.kept);
}

/** The sums of what the list had; of a vhost of which it lacks something nothing. */
function sumsOf(seen: Survey, problems: readonly Failure[]): ListSums {
  const lacking = new Set(problems.map(({ evidence }) => evidence.labels?.vhost));
  // A problem that names no vhost may be of any.
  const vhosts = lacking.has(undefined) ? [] : seen.vhosts.filter(({ vhost }) => !lacking.has(vhost));
  return {
    all: problems.length === 0 ? seen.all : undefined,
    vhosts: new Map(vhosts.map((one) => [one.vhost, one])),
  };
}

function measureSurvey(to: Measure, seen: Survey, cluster: string | undefined): void {
  for (const group of seen.groups) measureGroup(to, group, cluster);
  const labels = { cluster, scope: 'broker' };
  to.add(brokerMetrics.queues_left_out, seen.leftOut, labels);
  to.add(brokerMetrics.queues_unknown, seen.unknown, labels);
}

/** Of a node that does not run nothing is known but that; what it used last is no news, and neither is 0. */
function stoppedNodes({ nodes }: Status): Scope[] {
  return nodes.flatMap(({ node, running }) => (running === false ? [{ scope: 'node', node }] : []));
}

function noteChanges({ changes }: Memory, { broker, nodes }: Status): void {
  changes.see('alarm_raised', 'alarm_cleared', 'broker', broker?.alarm);
  for (const { node, partitions, running } of nodes) {
    changes.see('partitioned', 'healed', node, partitions === undefined ? undefined : partitions > 0);
    changes.see('node_down', 'node_up', node, running === undefined ? undefined : !running);
  }
}
