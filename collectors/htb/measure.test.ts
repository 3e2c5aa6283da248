import { expect, it } from 'vitest';
import type { Sample } from '../../src/metric.ts';
import { measureClasses, measureDevice, measureQdisc } from './measure.ts';
import { nameAll } from './names.ts';
import { parseClasses, parseQdiscs } from './parse.ts';
import type { ClassRecord } from './record.ts';

const TEXT = `class htb 1:a root prio 0 quantum 1000 rate 1234Kbit ceil 2Mbit burst 1599b/1 mpu 0b cburst 1599b/1 mpu 0b level 0
 Sent 18446744073709551615 bytes 4294967296 pkt (dropped 1, overlimits 2 requeues 3)
 backlog 4b 5p requeues 3
 lended: 6 borrowed: 7 giants: 8
 tokens: -15625000 ctokens: 31250000
`;

function samplesOf(text: string, tick: number | undefined, change: Partial<ClassRecord> = {}): Sample[] {
  const records = parseClasses(text).records.map((record) => ({ ...record, ...change }));
  const samples: Sample[] = [];
  const tree = { device: 'eth1', classes: records, defaults: new Map<number, number>(), shaped: undefined };
  measureClasses('eth1', nameAll(tree, undefined, 'vif').classes, tick, samples);
  return samples;
}
const values = (samples: readonly Sample[]) =>
  Object.fromEntries(samples.map(({ metric, value }) => [metric.name, value]));

it('a class has its numbers, to the last bit', () => {
  expect(values(samplesOf(TEXT, 6.4e-8))).toEqual({
    ...{ sent_bytes: 18446744073709551615n, sent_packets: 4294967296, dropped_packets: 1, overlimits: 2, requeues: 3 },
    ...{ lended: 6, borrowed: 7, giants: 8, backlog_bytes: 4, backlog_packets: 5 },
    ...{ rate_bits_per_second: 1234000, ceil_bits_per_second: 2000000, tokens_seconds: -1, ctokens_seconds: 2 },
  });
});

it('packets are as wide as the kernel counts them', () => {
  const bits = (packetsBits: 32 | 64) =>
    samplesOf(TEXT, 1, { packetsBits }).find(({ metric }) => metric.name === 'sent_packets')?.metric.bits;
  expect([bits(32), bits(64)]).toEqual([32, 64]);
});

it('what the text does not say is not sent, and tokens not without their unit', () => {
  expect(Object.keys(values(samplesOf('class htb 1:a root rate 1Kbit ceil 1Kbit\n', 1))).toSorted()).toEqual([
    'ceil_bits_per_second',
    'rate_bits_per_second',
  ]);
  expect(values(samplesOf(TEXT, undefined))).not.toHaveProperty('tokens_seconds');
});

it('a class is counted as itself, whoever it is named after', () => {
  for (const { origin, labels } of samplesOf(TEXT, 1)) {
    expect([origin, labels.name, labels.class]).toEqual(['eth1 1:a', '1:a', '1:a']);
  }
});

it('the root qdisc is the device’s, and another one has its handle', () => {
  const { records } = parseQdiscs(`qdisc htb 1: dev eth1 root refcnt 2 r2q 10 default 0x30 direct_packets_stat 5
 Sent 1 bytes 2 pkt (dropped 3, overlimits 4 requeues 5)
 backlog 6b 7p requeues 5
qdisc htb 20: dev eth1 parent 1:1 r2q 10 default 0 direct_packets_stat 0
`);
  const samples: Sample[] = [];
  for (const record of records) measureQdisc('eth1', record, samples);
  const [own, other] = [undefined, '20:'].map((qdisc) => samples.filter(({ labels }) => labels.qdisc === qdisc));
  expect(values(own ?? [])).toEqual({
    ...{ qdisc_sent_bytes: 1, qdisc_sent_packets: 2, qdisc_dropped_packets: 3, qdisc_overlimits: 4, qdisc_requeues: 5 },
    ...{ qdisc_backlog_bytes: 6, qdisc_backlog_packets: 7, direct_packets: 5, default_class: 0x30 },
  });
  expect(values(other ?? [])).toEqual({ direct_packets: 0, default_class: 0 });
  expect(new Set(samples.map(({ origin }) => origin))).toEqual(new Set(['eth1 qdisc 1:', 'eth1 qdisc 20:']));
});

it.each([
  ['its index', 7, '#7 qdisc 1:'],
  ['its name where there is no index', undefined, 'eth1 qdisc 1:'],
])('a qdisc is counted as its device’s by %s', (_, ifindex, origin) => {
  const [record] = parseQdiscs('qdisc htb 1: dev eth1 root refcnt 2 direct_packets_stat 5\n').records;
  if (record === undefined) throw new Error('no qdisc');
  const samples: Sample[] = [];
  measureQdisc('eth1', { ...record, device: undefined, ifindex }, samples);
  expect(samples.length).toBeGreaterThan(0);
  for (const each of samples) expect(each.origin).toBe(origin);
});

it('what is not known of a device is not sent', () => {
  const samples: Sample[] = [];
  const unknown = { unusedClasses: undefined, queuesWithoutClass: undefined, driftedQueues: undefined, drifts: [] };
  measureDevice('eth1', { classes: 3, ...unknown }, samples);
  expect(values(samples)).toEqual({ classes: 3 });
});

it('a drift is told by its reason, 1 only where nothing explains it', () => {
  const samples: Sample[] = [];
  const drifts = [
    { labels: { name: 'tap1', vif: 'tap1' }, reason: 'ceil_differs' as const, drifted: true },
    { labels: { name: '1:7' }, reason: 'raised_to_mtu' as const, drifted: false },
  ];
  measureDevice('eth1', { classes: 0, unusedClasses: 0, queuesWithoutClass: 1, driftedQueues: 1, drifts }, samples);
  const told = samples.filter(({ metric }) => metric.name === 'drift').map(({ labels, value }) => [labels, value]);
  expect(told).toEqual([
    [{ about: 'ovs', device: 'eth1', name: 'tap1', vif: 'tap1', reason: 'ceil_differs' }, 1],
    [{ about: 'ovs', device: 'eth1', name: '1:7', reason: 'raised_to_mtu' }, 0],
  ]);
});
