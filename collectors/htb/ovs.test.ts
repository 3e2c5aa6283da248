/** What is not known of Open vSwitch leaves nothing of the kernel's own numbers unknown. */
import { expect, it } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { keeper } from '../../src/hosts/target.ts';
import { createNaming } from '../../src/naming.ts';
import { createTotals } from '../../src/totals.ts';
import { htb } from './index.ts';

const QDISC = 'qdisc htb 1: dev eth1 root refcnt 2 r2q 10 default 0x1 direct_packets_stat 0\n';
const dump = (classes: Readonly<Record<string, number>>): string =>
  Object.entries(classes)
    .map(
      ([minor, bytes]) =>
        `class htb 1:${minor} ${minor === 'fffe' ? 'root' : 'parent 1:fffe'} rate 8bit ceil 8bit burst 1b cburst 1b\n` +
        ` Sent ${bytes} bytes 1 pkt (dropped 0, overlimits 0 requeues 0)\n backlog 0b 0p requeues 0\n`,
    )
    .join('');

it('a database that may not be read costs the names and the drift, and no class its beginning or its end', async () => {
  let text = '';
  const kept = keeper({ connect: () => Promise.reject(new Failure('E_DENIED', 'not as this user')) });
  const host = {
    name: 'hv01',
    keep: kept.keep,
    run: async (argv: readonly string[]) => (argv.includes('qdisc') ? QDISC : text),
    readFile: async () => '000003e8 00000040 000f4240 3b9aca00',
    netlink: () => Promise.reject(new Failure('E_NOT_FOUND', 'none')),
  } as unknown as Host;
  const naming = createNaming('b');
  const totals = createTotals(naming);
  const read = async (atMs: number, classes: Readonly<Record<string, number>>) => {
    text = dump(classes);
    const { samples, problems = [] } = await htb.collect({
      host,
      options: htb.options.parse({}),
      atMs,
      readAtMs: atMs,
      elapsedMs: () => 0,
    });
    expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([['E_DENIED', { about: 'ovs' }]]);
    const named = samples.map((one) => ({ path: naming.path(one.metric, one.labels), sample: one }));
    const points = totals.apply({ named, problems, ratios: [], readAtMs: atMs });
    return Object.fromEntries(points.map(({ path, value }) => [path, value]));
  };
  await read(0, { fffe: 500, 1: 100, 2: 400 });
  const next = await read(10_000, { fffe: 540, 1: 110, 3: 30 });
  expect(next).toMatchObject({
    'b.eth1.default_1_1.sent_bytes': 10,
    'b.eth1.1_3.sent_bytes': 30,
    'b.eth1.1_2.backlog_bytes': 0,
    'b.eth1.1_2.ceil_bits_per_second': 0,
  });
  expect(await read(20_000, { fffe: 540, 1: 110, 3: 30 })).not.toHaveProperty(['b.eth1.1_2.backlog_bytes']);
  kept.close();
});
