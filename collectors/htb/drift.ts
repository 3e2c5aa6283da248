/**
 * Configured rates against effective ones. What Open vSwitch makes of a queue: `htb_parse_class_details__` and
 * `hfsc_parse_class_details__` in its lib/netdev-linux.c. Of HTB it kept bytes per second in 32 bits before 3.2, and of
 * HFSC it still does. Pure.
 */
import type { OvsQueue, ShapedDevice } from '../../src/ovs/topology.ts';
import type { DriftReason } from './metrics.ts';
import { classOfQueue, OVS_QUEUES, OVS_ROOT_MINOR } from './names.ts';
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

/** One queue on its device, and what the kernel has of both. */
interface Place {
  readonly queue: OvsQueue;
  readonly device: ShapedDevice;
  readonly record: ClassRecord;
  readonly root: ClassRecord | undefined;
}

/** Bits per second as configured → bytes per second as Open vSwitch holds them. */
type Held = (bitsPerSecond: number) => number;

const held: Held = (bitsPerSecond) => Math.floor(bitsPerSecond / 8);
/** In 32 bits: what is larger loses its upper part, before anything is compared with it. */
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
  const place: Place = { queue, device, record, root };
  const ceil = (how: Held): readonly Made[] => madeCeil(place, how);
  const rate = (how: Held): readonly Made[] => madeRate(place, how);
  return found(worst([compare(record.ceil, ceil, 'ceil_differs'), compare(record.rate, rate, 'rate_differs')]));
}

/** The inner class has the QoS row's own max-rate. */
export function driftOfRoot(device: ShapedDevice, root: ClassRecord | undefined): Drift {
  if (root === undefined) return found('missing_class');
  const ceil = (how: Held): readonly Made[] => {
    const most = how(device.maxBitsPerSecond ?? 0);
    return most === 0 ? [] : [{ bytesPerSecond: most, reason: 'none' }];
  };
  return found(compare(root.ceil, ceil, 'ceil_differs'));
}

/** A class that no queue stands for. Open vSwitch makes queue 0 by itself, and the inner class. */
export function isStray(record: ClassRecord, device: ShapedDevice): boolean {
  const { major, minor } = record;
  if (major !== 1 || minor === OVS_ROOT_MINOR || minor === classOfQueue(0)) return false;
  return minor > OVS_QUEUES || !device.queues.has(minor - 1);
}

export const stray: Drift = found('missing_queue');

/** What bounds the queues: the QoS row's max-rate, or what the kernel shows where the link's speed stands for it. */
function mostOf(device: ShapedDevice, root: ClassRecord | undefined, how: Held): number | undefined {
  const configured = how(device.maxBitsPerSecond ?? 0);
  if (configured > 0) return configured;
  return root?.ceil === undefined ? undefined : held(root.ceil.atMostBitsPerSecond);
}

/** HTB sends nothing with less than a packet's bytes each second; HFSC needs one byte. */
function leastOf(
  {
    device: {
      type,
      interface: { mtu },
    },
    record,
  }: Place,
  most: number,
): number {
  return Math.min(type === 'linux-hfsc' ? 1 : (mtu ?? plausibleMtu(record.rate) ?? 0), most);
}

/** What it may be: of less than a byte per second, versions have thought differently. None: not known. */
function madeCeil(place: Place, how: Held): readonly Made[] {
  const { queue, device, root } = place;
  const most = mostOf(device, root, how);
  const [{ bytesPerSecond: rate = 0 } = {}] = madeRate(place, how);
  if (most === undefined) return [];
  const unlimited: Made = { bytesPerSecond: most, reason: 'none' };
  const isHfsc = device.type === 'linux-hfsc';
  const asked = queue.maxBitsPerSecond;
  if (asked === undefined) {
    if (!isHfsc || how === held) return [unlimited];
    // From 2.6 on the bits per second of the QoS's max-rate stand in for it, and 32 bits do not hold them all.
    const overflown = Math.floor(((most * 8) % 2 ** 32) / 8);
    return [unlimited, { bytesPerSecond: Math.max(overflown, rate), reason: 'none' }];
  }
  const configured = how(asked);
  if (configured > most) return [{ bytesPerSecond: most, reason: 'clipped_to_qos_max' }];
  const least = leastOf(place, most);
  // A min-rate above the max-rate raises it as well: nothing explains that, so the kernel's ceiling differs.
  if (configured >= least) return [{ bytesPerSecond: configured, reason: 'none' }];
  const raised: Made = { bytesPerSecond: least, reason: 'raised_to_mtu' };
  if (held(asked) > 0) return [raised];
  // Whoever writes 0 means no rate of its own, so that the min-rate may well be it.
  const nothing: Made = asked === 0 && rate > least ? { bytesPerSecond: rate, reason: 'none' } : raised;
  if (isHfsc) return [nothing];
  if (isBefore2_9(device.version)) return [unlimited, nothing];
  return [asked === 0 ? unlimited : nothing];
}

function madeRate(place: Place, how: Held): readonly Made[] {
  const { queue, device, root } = place;
  const most = mostOf(device, root, how);
  if (most === undefined) return [];
  const configured = how(queue.minBitsPerSecond ?? 0);
  if (configured > most) return [{ bytesPerSecond: most, reason: 'clipped_to_qos_max' }];
  const least = leastOf(place, most);
  if (configured >= least) return [{ bytesPerSecond: configured, reason: 'none' }];
  // Without a min-rate of its own there is nothing that was raised.
  return [{ bytesPerSecond: least, reason: queue.minBitsPerSecond === undefined ? 'none' : 'raised_to_mtu' }];
}

/**
 * Where a max-rate of 0 is none, and one of 1 to 7 the least: from 2.9 on. Before 2.6 both were the least, and between
 * them (until the last releases of each series) both were none.
 */
function isBefore2_9(version: string | undefined): boolean {
  const [, major, minor] = /^([0-9]{1,4})\.([0-9]{1,4})/.exec(version ?? '') ?? [];
  return major === undefined || Number(major) < 2 || (Number(major) === 2 && Number(minor) < 9);
}

/** Where the MTU is not known, a rate that could be one is taken for it. */
function plausibleMtu(rate: Rate | undefined): number | undefined {
  const mtu = rate === undefined ? Number.NaN : held(rate.atMostBitsPerSecond);
  return mtu > 0 && mtu <= LARGEST_MTU ? mtu : undefined;
}

function compare(effective: Rate | undefined, made: (how: Held) => readonly Made[], differs: DriftReason): DriftReason {
  const wanted = made(held);
  if (effective === undefined || wanted.length === 0) return 'none';
  const standing = (all: readonly Made[]): Made | undefined =>
    all.find(({ bytesPerSecond }) => stands(effective, bytesPerSecond * 8));
  const reason = standing(wanted)?.reason;
  if (reason !== undefined) return reason;
  return standing(made(heldIn32)) === undefined ? differs : 'truncated_to_32_bits';
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
