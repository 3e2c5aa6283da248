import { expect, it } from 'vitest';
import type { OvsInterface, OvsQueue, ShapedDevice } from '../../src/ovs/topology.ts';
import { nameAll } from './names.ts';
import { parseClasses } from './parse.ts';
import { reviewDevice } from './review.ts';
import type { User } from './users.ts';

const uplink: OvsInterface = {
  ...{ uuid: 'i', name: 'eth1', type: '', bridge: 'br-ex', port: 'eth1', ofport: 1, mac: undefined, mtu: 1500 },
  ...{ portId: undefined, vm: undefined, vifId: undefined, network: undefined, peer: undefined },
  linkBitsPerSecond: undefined,
};
/** Queue id → max-rate. */
function device(queues: Readonly<Record<number, number>>, type = 'linux-htb'): ShapedDevice {
  const rows = Object.entries(queues).map(([key, maxBitsPerSecond]): [number, OvsQueue] => {
    const shared = { minBitsPerSecond: undefined, owner: undefined, ownerType: undefined };
    return [Number(key), { id: Number(key), uuid: `q${key}`, maxBitsPerSecond, ...shared }];
  });
  return { device: 'eth1', interface: uplink, qos: 'qos', type, maxBitsPerSecond: 1e9, queues: new Map(rows) };
}

const user: User = { vif: 'tap1', ip: undefined, port: undefined, mac: undefined, vm: undefined };
const OVS = ['1:fffe root rate 1Gbit ceil 1Gbit', '1:1 parent 1:fffe rate 12Kbit ceil 1Gbit'];

/** `used`: ids of the queues that somebody uses. */
function review(
  heads: readonly string[],
  shaped: ShapedDevice | undefined,
  {
    used = [],
    live = true,
    flowsKnown = true,
    flowsRead = flowsKnown,
  }: { used?: readonly number[]; live?: boolean; flowsKnown?: boolean; flowsRead?: boolean } = {},
) {
  const { records } = parseClasses(heads.map((head) => `class htb ${head}\n\n`).join(''));
  const users = (id: number): User[] => (used.includes(id) ? [user] : []);
  const of = { of: (_: unknown, { id }: OvsQueue) => users(id), ofQueue: (_: unknown, id: number) => users(id) };
  const named = nameAll({ device: 'eth1', classes: records, defaults: new Map([[1, 1]]), shaped }, of, 'vif');
  const { drifts, ...counts } = reviewDevice({ ...named, shaped, live, flowsKnown, flowsRead });
  return {
    counts: Object.values(counts),
    drifts: drifts.map((one) => `${one.labels.name} ${one.reason}${one.drifted ? ' !' : ''}`),
  };
}

it('a tree as Open vSwitch makes it has no drift, and queue 0 needs no row', () => {
  const found = review([...OVS, '1:6 parent 1:fffe rate 12Kbit ceil 5Mbit'], device({ 5: 5e6 }), { used: [5] });
  expect(found).toEqual({ counts: [3, 0, 0, 0], drifts: ['inner_1:fffe none', 'tap1 none'] });
});

it('queues without class, classes without queue and other rates are told and counted', () => {
  const heads = [...OVS, '1:6 parent 1:fffe rate 12Kbit ceil 4Mbit', '1:8 parent 1:fffe rate 12Kbit ceil 4Mbit'];
  const found = review(heads, device({ 5: 5e6, 6: 6e6 }), { used: [5] });
  expect(found.counts).toEqual([4, 1, 1, 3]);
  expect(found.drifts).toEqual([
    'inner_1:fffe none',
    'tap1 ceil_differs !',
    '1:7 missing_class !',
    '1:8 missing_queue !',
  ]);
});

it('what is explained is told and not counted', () => {
  const found = review([...OVS, '1:6 parent 1:fffe rate 12Kbit ceil 1Gbit'], device({ 5: 5e9 }), { used: [5] });
  expect(found).toEqual({ counts: [3, 0, 0, 0], drifts: ['inner_1:fffe none', 'tap1 clipped_to_qos_max'] });
});

it('a tree that is gone has none of its classes', () => {
  const found = review([], device({ 5: 5e6 }));
  expect(found).toEqual({ counts: [0, 0, 1, 2], drifts: ['inner_1:fffe missing_class !', '1:6 missing_class !'] });
});

it('unused is not known while the flows are not', () => {
  const heads = [...OVS, '1:6 parent 1:fffe rate 12Kbit ceil 5Mbit'];
  expect(review(heads, device({ 5: 5e6 }), { flowsKnown: false }).counts).toEqual([3, undefined, 0, 0]);
  expect(review(heads, device({ 5: 5e6 })).counts).toEqual([3, 1, 0, 0]);
});

it('nothing is compared without rows of now, without a QoS, or with one that makes no classes', () => {
  const unknown = [2, undefined, undefined, undefined];
  expect(review(OVS, device({ 5: 5e6 }), { live: false })).toEqual({ counts: unknown, drifts: [] });
  expect(review(OVS, undefined)).toEqual({ counts: unknown, drifts: [] });
  expect(review(OVS, device({ 5: 5e6 }, 'linux-codel'))).toEqual({ counts: unknown, drifts: [] });
});

it('a class of another qdisc stands for no queue', () => {
  const found = review([...OVS, '2:6 parent 1:1 rate 12Kbit ceil 5Mbit'], device({ 5: 5e6 }));
  expect(found.drifts).toEqual(['inner_1:fffe none', '1:6 missing_class !']);
});

it('a class without a queue is not called unused while only the database was asked', () => {
  const heads = [...OVS, '1:6 parent 1:fffe rate 12Kbit ceil 5Mbit', '1:8 parent 1:fffe rate 12Kbit ceil 4Mbit'];
  expect(review(heads, device({ 5: 5e6 })).counts).toEqual([4, 2, 0, 1]);
  expect(review(heads, device({ 5: 5e6 }), { flowsRead: false }).counts).toEqual([4, 1, 0, 1]);
});

it('a queue without a class is told of under the name that its class would have', () => {
  const left = [...OVS, '1:6 parent 1:fffe rate 12Kbit ceil 5Mbit'];
  const whole = [...left, '1:7 parent 1:fffe rate 12Kbit ceil 6Mbit'];
  const told = (heads: readonly string[], used: readonly number[]) =>
    review(heads, device({ 5: 5e6, 6: 6e6 }), { used }).drifts.slice(1);
  expect(told(left, [6])).toEqual(['1:6 none', 'tap1 missing_class !']);
  expect(told(left, [])).toEqual(['1:6 none', '1:7 missing_class !']);
  // Two of one name are told apart, and neither is named anew when its class or the other's goes.
  expect(told(whole, [5, 6])).toEqual(['tap1_1:6 none', 'tap1_1:7 none']);
  expect(told(left, [5, 6])).toEqual(['tap1_1:6 none', 'tap1_1:7 missing_class !']);
  expect(told([], [5, 6])).toEqual(['tap1_1:6 missing_class !', 'tap1_1:7 missing_class !']);
});

it('ids that no class can have are those of no class, not of the inner one', () => {
  const ids = { 61439: 5e6, 61440: 5e6, 65533: 5e6, 65535: 5e6, 70000: 5e6, 4294967295: 5e6 };
  const heads = [
    ...[...OVS, '1:f000 parent 1:fffe rate 12Kbit ceil 5Mbit', '1:f001 parent 1:fffe rate 12Kbit ceil 5Mbit'],
  ];
  expect(review(heads, device(ids))).toEqual({
    counts: [4, 1, 5, 6],
    drifts: [
      'inner_1:fffe none',
      '1:f000 none',
      ...[61_440, 65_533, 65_535, 70_000, 4_294_967_295].map((id) => `queue_${id} missing_class !`),
      '1:f001 missing_queue !',
    ],
  });
});

it('a lonely root is the inner class, and no queue’s', () => {
  const found = review(['1:fffe root rate 1Gbit ceil 1Gbit'], device({ 65533: 1e6 }), { used: [65_533] });
  expect(found.drifts).toEqual(['1:fffe none', 'tap1 missing_class !']);
});
