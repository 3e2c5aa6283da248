/** What the daemon tells of events: what came in, what waits, what was delivered. */
import { counter, gauge, type Metric, type Sample, sample } from '../metric.ts';
import type { IntakeCounts } from './intake.ts';
import type { Waiting } from './report.ts';

const source = 'edgestatd';
const to = ['destination'] as const;
const way = ['way'] as const;

const perWay = {
  accepted: counter('events_accepted', {
    unit: 'events',
    labels: way,
    source,
    help: 'Events on the disk, by the way in.',
  }),
  refused: counter('events_refused', {
    ...{ unit: 'events', labels: way, source },
    help: 'Events that were well-formed and could not be taken: the spool is full or broken, or their id is another’s.',
  }),
};

const perDestination = {
  waiting: gauge('events_waiting', { unit: 'events', labels: to, source, help: 'Events that are not delivered yet.' }),
  oldest: gauge('events_oldest_seconds', {
    ...{ unit: 'seconds', labels: to, source },
    help: 'Since when the oldest of them has been accepted; 0: none waits.',
  }),
  dead: gauge('events_dead', { unit: 'events', labels: to, source, help: 'Events that were refused for good.' }),
  delivered: counter('events_delivered', { unit: 'events', labels: to, source, help: 'Events that were taken.' }),
};

const whole = {
  dropped: counter('events_dropped', {
    unit: 'events',
    source,
    help: 'Events given up: too old, or dropped to make room.',
  }),
  spool: gauge('events_spool_bytes', { unit: 'bytes', source, help: 'The size of the spool’s file.' }),
  usable: gauge('events_spool_usable', { unit: 'boolean', source, help: '1: the spool can be written.' }),
};

export const eventMetrics: Readonly<Record<string, Metric>> = { ...perWay, ...perDestination, ...whole };

export interface EventsSeen {
  readonly intake: IntakeCounts;
  readonly delivered: ReadonlyMap<string, number>;
  readonly dropped: number;
  /** Undefined: the spool cannot be used, so that nothing is known of it. */
  readonly spool: { readonly bytes: number; readonly waiting: readonly Waiting[] } | undefined;
  /** The last event that came in could not be written. */
  readonly isUnwritable: boolean;
}

export function eventSamples(seen: EventsSeen, nowMs: number): Sample[] {
  const { intake, delivered, dropped, spool, isUnwritable } = seen;
  const isUsable = spool !== undefined && !isUnwritable;
  const samples = [sample(whole.dropped, dropped), sample(whole.usable, isUsable ? 1 : 0)];
  for (const [name, total] of intake.accepted) samples.push(sample(perWay.accepted, total, { way: name }));
  for (const [name, total] of intake.refused) samples.push(sample(perWay.refused, total, { way: name }));
  for (const [destination, total] of delivered) samples.push(sample(perDestination.delivered, total, { destination }));
  if (spool === undefined) return samples;
  samples.push(sample(whole.spool, spool.bytes));
  for (const { destination, waiting, dead, oldestMs } of spool.waiting) {
    const labels = { destination };
    // The clock may have been set back since.
    const age = oldestMs === undefined ? 0 : Math.max(0, nowMs - oldestMs) / 1000;
    samples.push(
      sample(perDestination.waiting, waiting, labels),
      sample(perDestination.oldest, age, labels),
      sample(perDestination.dead, dead, labels),
    );
  }
  return samples;
}
