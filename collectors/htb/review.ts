/** One device's tree against its queues: what drifts, what is unused, what is missing. Pure. */
import type { OvsQueue, ShapedDevice } from '../../src/ovs/topology.ts';
import { type Drift, driftOfQueue, driftOfRoot, isComparable, isStray, stray } from './drift.ts';
import type { DriftReason } from './metrics.ts';
import {
  classOfQueue,
  idWithoutClass,
  type MissingClass,
  type NamedClass,
  OVS_QUEUES,
  OVS_ROOT_MINOR,
} from './names.ts';

export interface NamedDrift {
  /** At least `name`; all that is known of the class, or of what it would be. */
  readonly labels: { readonly name: string; readonly [label: string]: string | undefined };
  readonly reason: DriftReason;
  readonly drifted: boolean;
}

/** Undefined: not known, as where Open vSwitch does not shape the device or its database does not answer. */
export interface DeviceReview {
  readonly classes: number;
  readonly unusedClasses: number | undefined;
  readonly queuesWithoutClass: number | undefined;
  readonly driftedQueues: number | undefined;
  readonly drifts: readonly NamedDrift[];
}

export interface Reviewed {
  readonly classes: readonly NamedClass[];
  /** The queues that have none. */
  readonly missing: readonly MissingClass[];
  /** Undefined: Open vSwitch does not shape this device. */
  readonly shaped: ShapedDevice | undefined;
  /** The rows are those of now. */
  readonly live: boolean;
  /** The flows are known, so that a queue without a user has none. */
  readonly flowsKnown: boolean;
  /** They were read, and not merely unneeded because the database names every queue's user. */
  readonly flowsRead: boolean;
}

export function reviewDevice({ classes, missing, shaped, live, flowsKnown, flowsRead }: Reviewed): DeviceReview {
  const counted = { classes: classes.length, drifts: [] };
  if (shaped === undefined || !live || !isComparable(shaped)) {
    return { ...counted, unusedClasses: undefined, queuesWithoutClass: undefined, driftedQueues: undefined };
  }
  const byMinor = new Map(
    classes.filter(({ record }) => record.major === 1).map((one) => [one.record.minor, one] as const),
  );
  const labelsWithout = new Map(missing.map(({ queue, labels }) => [queue, labels] as const));
  const root = byMinor.get(OVS_ROOT_MINOR);
  const drifts: NamedDrift[] = [];
  const tell = (labels: NamedDrift['labels'], { reason, drifted }: Drift): void => {
    drifts.push({ labels, reason, drifted });
  };

  tell(root?.labels ?? { name: `inner_1:${OVS_ROOT_MINOR.toString(16)}` }, driftOfRoot(shaped, root?.record));
  let queuesWithoutClass = 0;
  for (const queue of shaped.queues.values()) {
    // Above, no class is a queue's: the inner one would be that of 65533.
    const one = queue.id < OVS_QUEUES ? byMinor.get(classOfQueue(queue.id)) : undefined;
    if (one === undefined) queuesWithoutClass += 1;
    const labels = one?.labels ?? labelsWithout.get(queue.id) ?? labelsByQueue(queue);
    tell(labels, driftOfQueue(queue, one?.record, shaped, root?.record));
  }
  for (const { record, labels } of classes) if (isStray(record, shaped)) tell(labels, stray);

  const unused = classes.filter(({ record, queue, role, users }) => {
    if (queue === undefined || role !== 'leaf' || users.length > 0) return false;
    // Of a class without a queue nothing but flows can say who uses it.
    return flowsRead || !isStray(record, shaped);
  });
  return {
    classes: classes.length,
    unusedClasses: flowsKnown ? unused.length : undefined,
    queuesWithoutClass,
    driftedQueues: drifts.filter(({ drifted }) => drifted).length,
    drifts,
  };
}

function labelsByQueue({ id }: OvsQueue): NamedDrift['labels'] {
  return { name: idWithoutClass(id), queue: String(id) };
}
