/** What is known → samples. Pure. */
import { type Sample, sample } from '../../src/metric.ts';
import type { Learnt, Memory, Own, Totals } from './memory.ts';
import { metrics } from './metrics.ts';
import type { NagiosOptions } from './options.ts';
import { CHUNK_BYTES } from './read.ts';

const STATES = { host: ['UP', 'DOWN', 'UNREACHABLE'], service: ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] } as const;
const PROBLEMS = { host: ['DOWN', 'UNREACHABLE'], service: ['WARNING', 'CRITICAL', 'UNKNOWN'] } as const;
const OBJECTS = ['host', 'service'] as const;

type ByState = typeof metrics.alerts | typeof metrics.otherAlerts;
type ByChange = typeof metrics.flapping | typeof metrics.otherFlapping;

/** The usual ones from 0 on, so that the first alert of a kind is seen; what else there was beside them. */
function withUsual(totals: Totals, usual: readonly string[]): [key: string, total: number][] {
  return Object.entries({ ...Object.fromEntries(usual.map((key) => [key, 0])), ...totals });
}

const usualAlerts = OBJECTS.flatMap((object) =>
  STATES[object].flatMap((state) => [`${object} ${state} hard`, `${object} ${state} soft`]),
);
const usualFlaps = OBJECTS.flatMap((object) => [`${object} started`, `${object} stopped`]);

function alertsOf(metric: ByState, totals: Totals, isSent: (object: string) => boolean): Sample[] {
  return withUsual(totals, usualAlerts).flatMap(([key, total]) => {
    const [object = '', state = '', state_type] = key.split(' ');
    return isSent(object) ? [sample(metric, total, { object, state: state.toLowerCase(), state_type })] : [];
  });
}

function flapsOf(metric: ByChange, totals: Totals, isSent: (object: string) => boolean): Sample[] {
  return withUsual(totals, usualFlaps).flatMap(([key, total]) => {
    const [object = '', change] = key.split(' ');
    return isSent(object) ? [sample(metric, total, { object, change })] : [];
  });
}

function problemsOf({ problems, hostsLearnt, servicesLearnt }: Memory): Sample[] {
  const learnt: Record<(typeof OBJECTS)[number], Learnt> = { host: hostsLearnt, service: servicesLearnt };
  return OBJECTS.flatMap((object) => {
    const known = sample(metrics.statesKnown, learnt[object] === 'all' ? 1 : 0, { object });
    if (learnt[object] === 'nothing') return [known];
    const counts: Totals = Object.fromEntries(PROBLEMS[object].map((state) => [state, 0]));
    for (const { service, state } of problems.values())
      if ((service === undefined) === (object === 'host')) counts[state] = (counts[state] ?? 0) + 1;
    const states = Object.entries(counts).map(([state, count]) =>
      sample(metrics.hardProblems, count, { object, state: state.toLowerCase() }),
    );
    return [known, ...states];
  });
}

function ownOf({ host, service, alerts, flaps, problem }: Own, isLearning: boolean): Sample[] {
  const samples: Sample[] = [];
  for (const [key, total] of Object.entries(alerts)) {
    const [state = '', state_type] = key.split(' ');
    const labels = { host, state: state.toLowerCase(), state_type };
    if (service === undefined) samples.push(sample(metrics.hostAlerts, total, labels));
    else samples.push(sample(metrics.serviceAlerts, total, { ...labels, service }));
  }
  for (const [change, total] of Object.entries(flaps)) {
    if (service === undefined) samples.push(sample(metrics.hostFlapping, total, { host, change }));
    else samples.push(sample(metrics.serviceFlapping, total, { host, service, change }));
  }
  if (problem === undefined || isLearning) return samples;
  const value = problem ? 1 : 0;
  if (service === undefined) samples.push(sample(metrics.hostProblem, value, { host }));
  else samples.push(sample(metrics.serviceProblem, value, { host, service }));
  return samples;
}

/** `behind`: bytes that are not read yet; undefined: not known. */
export function measure(memory: Memory, options: NagiosOptions, behind: number | undefined): Sample[] {
  const { counts } = memory;
  // What the past teaches is not so now before all of it was read. An incomplete last line is shorter.
  const isLearning = memory.learning >= CHUNK_BYTES;
  const isSelecting = (object: string): boolean => (object === 'host' ? options.hosts : options.services).length > 0;
  return [
    ...alertsOf(metrics.alerts, memory.alerts, () => true),
    ...flapsOf(metrics.flapping, memory.flaps, () => true),
    ...alertsOf(metrics.otherAlerts, memory.otherAlerts, isSelecting),
    ...flapsOf(metrics.otherFlapping, memory.otherFlaps, isSelecting),
    ...(isLearning ? [] : problemsOf(memory)),
    ...[...memory.own.values()].flatMap((one) => ownOf(one, isLearning)),
    ...(behind === undefined ? [] : [sample(metrics.behind, behind)]),
    sample(metrics.lines, counts.lines),
    sample(metrics.unreadable, counts.unreadable),
    sample(metrics.rotations, counts.rotations),
    sample(metrics.gaps, counts.gaps),
    ...(options.events ? [sample(metrics.leftOut, counts.leftOut)] : []),
  ];
}
