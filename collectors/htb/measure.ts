/** Records → samples. Pure. */
import { type Metric, type Sample, sample } from '../../src/metric.ts';
import { classMetrics, deviceMetrics, drift, qdiscMetrics, sentPackets64 } from './metrics.ts';
import type { NamedClass } from './names.ts';
import type { ClassRecord, QdiscRecord } from './record.ts';
import type { DeviceReview } from './review.ts';
import { identityOf } from './tree.ts';

type Reader = (record: ClassRecord) => number | bigint | undefined;

/** All but those that need more than the record: packets (two widths) and tokens (the clock of the scheduler). */
const readers: readonly (readonly [Metric, Reader])[] = [
  [classMetrics.sentBytes, (record) => record.sentBytes],
  [classMetrics.dropped, (record) => record.dropped],
  [classMetrics.overlimits, (record) => record.overlimits],
  [classMetrics.requeues, (record) => record.requeues],
  [classMetrics.lended, (record) => record.lended],
  [classMetrics.borrowed, (record) => record.borrowed],
  [classMetrics.giants, (record) => record.giants],
  [classMetrics.backlogBytes, (record) => record.backlogBytes],
  [classMetrics.backlogPackets, (record) => record.backlogPackets],
  [classMetrics.rate, (record) => record.rate?.bitsPerSecond],
  [classMetrics.ceil, (record) => record.ceil?.bitsPerSecond],
];

/**
 * `identity`: what tells the device apart, whatever its name. `tickSeconds`: what a token is; undefined: not known, so
 * tokens are not sent.
 */
export function measureClasses(
  identity: string,
  classes: readonly NamedClass[],
  tickSeconds: number | undefined,
  into: Sample[],
): void {
  for (const { record, labels } of classes) {
    // The class itself is what is counted, whoever it is named after.
    const origin = `${identity} ${record.handle}`;
    const add = (metric: Metric, value: number | bigint | undefined): void => {
      if (value !== undefined) into.push({ metric, value, labels, origin });
    };
    for (const [metric, read] of readers) add(metric, read(record));
    add(record.packetsBits === 64 ? sentPackets64 : classMetrics.sentPackets, record.sentPackets);
    if (tickSeconds === undefined) continue;
    add(classMetrics.tokens, inSeconds(record.tokens, tickSeconds));
    add(classMetrics.ctokens, inSeconds(record.ctokens, tickSeconds));
  }
}

function inSeconds(ticks: number | undefined, tickSeconds: number): number | undefined {
  return ticks === undefined ? undefined : ticks * tickSeconds;
}

export function measureQdisc(device: string, record: QdiscRecord, into: Sample[]): void {
  // The root one is the device's own.
  const labels = { device, qdisc: record.parent === 'root' ? undefined : record.handle };
  const origin = `${identityOf({ ifindex: record.ifindex, device })} qdisc ${record.handle}`;
  const add = (metric: Metric<'device' | 'qdisc'>, value: number | bigint | undefined): void => {
    if (value !== undefined) into.push({ ...sample(metric, value, labels), origin });
  };
  add(qdiscMetrics.sentBytes, record.sentBytes);
  add(qdiscMetrics.sentPackets, record.sentPackets);
  add(qdiscMetrics.dropped, record.dropped);
  add(qdiscMetrics.overlimits, record.overlimits);
  add(qdiscMetrics.requeues, record.requeues);
  add(qdiscMetrics.backlogBytes, record.backlogBytes);
  add(qdiscMetrics.backlogPackets, record.backlogPackets);
  add(qdiscMetrics.directPackets, record.directPackets);
  add(qdiscMetrics.defaultClass, record.defaultMinor);
}

/** `about` stands in no series: a problem with Open vSwitch leaves these unknown, and the classes' own numbers not. */
export const ABOUT_OVS = { about: 'ovs' } as const;

export function measureDevice(device: string, review: DeviceReview, into: Sample[]): void {
  const labels = { ...ABOUT_OVS, device };
  const { classes, unusedClasses, queuesWithoutClass, driftedQueues } = review;
  into.push(sample(deviceMetrics.classes, classes, labels));
  if (unusedClasses !== undefined) into.push(sample(deviceMetrics.unusedClasses, unusedClasses, labels));
  if (queuesWithoutClass !== undefined) into.push(sample(deviceMetrics.queuesWithoutClass, queuesWithoutClass, labels));
  if (driftedQueues !== undefined) into.push(sample(deviceMetrics.driftedQueues, driftedQueues, labels));
  for (const one of review.drifts) {
    const { labels: named, reason, drifted } = one;
    into.push(sample(drift, drifted ? 1 : 0, { ...named, ...ABOUT_OVS, device, name: named.name, reason }));
  }
}
