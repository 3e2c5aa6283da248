/**
 * Configured rates against effective ones. What Open vSwitch makes of a queue: `htb_parse_class_details__` in its
 * lib/netdev-linux.c; before 3.2 it kept bytes per second in 32 bits. Pure.
 */
import type { OvsQueue, ShapedDevice } from '../../src/ovs/topology.ts';
import type { DriftReason } from './metrics.ts';
import { classOfQueue, OVS_ROOT_MINOR } from './names.ts';
import type { ClassRecord, Rate } from './record.ts';

export interface Drift {
  readonly reason: DriftReason;
  /** false: there is none, or it is explained. */
  readonly drifted: boolean;
}

/** What Open vSwitch makes of a configuration, in bytes per second, and what it did to it. */
interface Made {
  readonly bytesPerSecond: number;
  readonly reason: DriftReason;
}

/** Bits per second as configured → bytes per second as Open vSwitch holds them. */
type Held = (bitsPerSecond: number) => number;

const held: Held = (bitsPerSecond) => Math.floor(bitsPerSecond / 8);
/** Before 3.2 in 32 bits: what is larger loses its upper part, before anything is compared with it. */
const heldIn32: Held = (bitsPerSecond) => held(bitsPerSecond) % 2 ** 32;
const LARGEST_MTU = 65_535;
const explained: ReadonlySet<DriftReason> = new Set(['none', 'clipped_to_qos_max', 'raised_to_mtu']);

const found = (reason: DriftReason): Drift => ({ reason, drifted: !explained.has(reason) });

/** Whether there is nothing to compare: another kind of QoS has other classes, or none. */
export function isComparable({ type }: ShapedDevice): boolean {
  return type === 'linux-htb' || type === 'linux-hfsc';
}

/** What one queue's class is, against what Open vSwitch makes of the queue. */
export function driftOfQueue(
  queue: OvsQueue,
  record: ClassRecord | undefined,
  device: ShapedDevice,
  root: ClassRecord | undefined,
): Drift {
  if (record === undefined) return found('missing_class');
  const ceil = (how: Held): Made | undefined => madeCeil(queue, device, record, root, how);
  const rate = (how: Held): Made | undefined => madeRate(queue, device, record, root, how);
  return found(worst([compare(record.ceil, ceil, 'ceil_differs'), compare(record.rate, rate, 'rate_differs')]));
}

/** The inner class has the QoS row's own max-rate. */
export function driftOfRoot(device: ShapedDevice, root: ClassRecord | undefined): Drift {
  if (root === undefined) return found('missing_class');
  const ceil = (how: Held): Made | undefined => {
    const most = how(device.maxBitsPerSecond ?? 0);
    return most === 0 ? undefined : { bytesPerSecond: most, reason: 'none' };
  };
  return found(compare(root.ceil, ceil, 'ceil_differs'));
}

/** A class that no queue stands for. Open vSwitch makes queue 0 by itself, and the inner class. */
export function isStray(record: ClassRecord, device: ShapedDevice): boolean {
  const { major, minor } = record;
  if (major !== 1 || minor === OVS_ROOT_MINOR || minor === classOfQueue(0)) return false;
  return !device.queues.has(minor - 1);
}

export const stray: Drift = found('missing_queue');

/** What bounds the queues: the QoS row's max-rate, or what the kernel shows where the link's speed stands for it. */
function mostOf(device: ShapedDevice, root: ClassRecord | undefined, how: Held): number | undefined {
  const configured = how(device.maxBitsPerSecond ?? 0);
  if (configured > 0) return configured;
  return root?.ceil === undefined ? undefined : held(root.ceil.atMostBitsPerSecond);
}

/** HTB sends nothing with less than a packet's bytes each second; HFSC needs one byte. */
function leastOf({ type, interface: { mtu } }: ShapedDevice, { rate }: ClassRecord): number {
  return type === 'linux-hfsc' ? 1 : (mtu ?? plausibleMtu(rate) ?? 0);
}

function madeCeil(
  queue: OvsQueue,
  device: ShapedDevice,
  record: ClassRecord,
  root: ClassRecord | undefined,
  how: Held,
): Made | undefined {
  const most = mostOf(device, root, how);
  if (most === undefined) return undefined;
  // Open vSwitch takes 0 for none.
  if ((queue.maxBitsPerSecond ?? 0) === 0) return { bytesPerSecond: most, reason: 'none' };
  const configured = how(queue.maxBitsPerSecond ?? 0);
  if (configured > most) return { bytesPerSecond: most, reason: 'clipped_to_qos_max' };
  const least = Math.min(leastOf(device, record), most);
  // A min-rate above the max-rate raises it as well: nothing explains that, so the kernel's ceiling differs.
  if (configured >= least) return { bytesPerSecond: configured, reason: 'none' };
  return { bytesPerSecond: least, reason: 'raised_to_mtu' };
}

function madeRate(
  queue: OvsQueue,
  device: ShapedDevice,
  record: ClassRecord,
  root: ClassRecord | undefined,
  how: Held,
): Made | undefined {
  const most = mostOf(device, root, how);
  if (most === undefined) return undefined;
  const configured = how(queue.minBitsPerSecond ?? 0);
  if (configured > most) return { bytesPerSecond: most, reason: 'clipped_to_qos_max' };
  const least = Math.min(leastOf(device, record), most);
  if (configured >= least) return { bytesPerSecond: configured, reason: 'none' };
  // Without a min-rate of its own there is nothing that was raised.
  return { bytesPerSecond: least, reason: queue.minBitsPerSecond === undefined ? 'none' : 'raised_to_mtu' };
}

/** Where the MTU is not known, a rate that could be one is taken for it. */
function plausibleMtu(rate: Rate | undefined): number | undefined {
  const mtu = rate === undefined ? Number.NaN : held(rate.atMostBitsPerSecond);
  return mtu > 0 && mtu <= LARGEST_MTU ? mtu : undefined;
}

function compare(
  effective: Rate | undefined,
  made: (how: Held) => Made | undefined,
  differs: DriftReason,
): DriftReason {
  const wanted = made(held);
  if (effective === undefined || wanted === undefined) return 'none';
  if (stands(effective, wanted.bytesPerSecond * 8)) return wanted.reason;
  const truncated = made(heldIn32);
  const isTruncated = truncated !== undefined && stands(effective, truncated.bytesPerSecond * 8);
  return isTruncated ? 'truncated_to_32_bits' : differs;
}

function stands({ atLeastBitsPerSecond, atMostBitsPerSecond }: Rate, bits: number): boolean {
  return atLeastBitsPerSecond <= bits && bits <= atMostBitsPerSecond;
}

const SEVERITY: readonly DriftReason[] = [
  ...(['truncated_to_32_bits', 'ceil_differs', 'rate_differs', 'clipped_to_qos_max', 'raised_to_mtu'] as const),
  'none',
];

function worst(reasons: readonly DriftReason[]): DriftReason {
  return SEVERITY.find((reason) => reasons.includes(reason)) ?? 'none';
}
