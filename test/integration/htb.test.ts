/** The htb collector on the testbed, run by run: every number against what tc says, and every name against OVSDB. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { htb } from '../../collectors/htb/index.ts';
import { tcp } from '../../collectors/tcp/index.ts';
import { kernelClasses } from '../support/htb-kernel.ts';
import { type Pipeline, pipelineOf, type Run } from '../support/htb-pipeline.ts';
import { addFilters, burst, plainDevice, withStopped } from '../support/htb-scenes.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason, VIFS } from '../support/testbed.ts';
import { systemEnv } from '../support/testbed-keeper.ts';

const reason = testbedReason();
const hfscReason = reason === undefined ? withoutHfsc() : 'no testbed';

describe.skipIf(reason !== undefined)(`htb${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed();
  });
  afterAll(() => testbed?.close());

  const pipeline = (options: Record<string, unknown> = {}, more = {}): Pipeline =>
    pipelineOf(testbed, htb, { options: { rundir: testbed.rundir, flowsEvery: '1ms', ...options }, ...more });
  /** Reads until a condition holds: Open vSwitch follows its database a moment later. */
  const readUntil = (one: Pipeline, holds: (run: Run) => boolean, what: string): Promise<Run> =>
    eventually(async () => {
      const run = await one.read();
      return holds(run) ? run : undefined;
    }, what);
  /** Waits until so many bytes more have been sent by a class. */
  const sent = async (classId: string, device = 'eth1'): Promise<number> =>
    Number(
      new RegExp(`class htb ${classId} [^]*?Sent (\\d+) bytes`).exec(
        await testbed.tc('-s', 'class', 'show', 'dev', device),
      )?.[1],
    );
  const moreThan = async (bytes: number, classId: string): Promise<void> => {
    const from = await sent(classId);
    await eventually(async () => ((await sent(classId)) > from + bytes ? true : undefined), `${bytes} bytes`);
  };

  it('tells that a VIF is pushed through its ceiling, and what that costs its VM', async () => {
    const one = pipeline();
    const { vm2 } = testbed.namespaces;
    const own = pipelineOf(testbed, tcp, { options: { namespaces: [vm2] } });
    const before = await one.read();
    expect(before.names('eth1')).toEqual({
      '1:1': 'default_1:1',
      '1:fffe': 'inner_1:fffe',
      '1:367c': 'vif2.1',
      '1:367d': 'vif3.1',
    });
    await own.read();
    const traffic = await testbed.startTraffic('vm2');
    try {
      // What waits in the queue at first is not sent evenly.
      await moreThan(500_000, VIFS['vif3.1'].classId);
      await one.read();
      await moreThan(2_500_000, VIFS['vif3.1'].classId);
      let { values, codes } = await one.read();
      // On a busy machine the sender, or the switch, may have had no turn for a part of that time.
      for (let more = 5; more > 0 && !((values.get('eth1.vif3_1.utilisation_ratio') ?? 0) > 0.9); more--) {
        await moreThan(2_500_000, VIFS['vif3.1'].classId);
        ({ values, codes } = await one.read());
      }
      expect(codes).toEqual([]);
      expect(values.get('eth1.vif3_1.utilisation_ratio')).toBeGreaterThan(0.9);
      expect(values.get('eth1.vif3_1.utilisation_ratio')).toBeLessThan(1.1);
      expect(values.get('eth1.vif3_1.guarantee_ratio')).toBeGreaterThan(9);
      expect(values.get('eth1.vif3_1.borrowed_ratio')).toBeGreaterThan(0.8);
      for (const metric of ['overlimits', 'borrowed', 'lended', 'sent_packets'])
        expect(values.get(`eth1.vif3_1.${metric}`), metric).toBeGreaterThan(0);
      expect(values.get('eth1.vif2_1.sent_bytes')).toBe(0);
      expect(values.get('eth1.inner_1_fffe.sent_bytes')).toBeGreaterThan(2_500_000);
      // What does not come through in time is sent again.
      const retransmits = await eventually(async () => {
        const run = await own.read();
        return own.history(`${vm2}.retrans_segs`).some((count) => (count ?? 0) > 0) ? run : undefined;
      }, 'retransmits');
      expect(retransmits.codes).toEqual([]);
    } finally {
      await traffic.stop();
    }
  });

  it('counts exactly what tc counts while nothing is sent', async () => {
    const one = pipeline();
    const { from, to } = await eventually(async () => {
      const from = await kernelClasses(testbed);
      const run = await one.read();
      const to = await kernelClasses(testbed);
      return JSON.stringify([...from]) === JSON.stringify([...to]) ? { from, to, run } : undefined;
    }, 'a moment of silence');
    const last = await one.read();
    expect(to.size).toBe(4);
    expect([...from.keys()].every((key) => key.startsWith('eth1 '))).toBe(true);
    for (const [handle, name] of Object.entries(last.names('eth1'))) {
      const counts = to.get(`eth1 ${handle}`) ?? {};
      const series = `eth1.${name.replace(/[.:]/g, '_')}`;
      expect(Object.keys(counts)).toHaveLength(8);
      for (const [metric, count] of Object.entries(counts))
        expect(last.total(`${series}.${metric}`), series).toBe(count);
      expect(last.values.get(`${series}.backlog_packets`)).toBe(0);
    }
  });

  it('follows a queue whose max-rate is changed, and tells when Open vSwitch does not', async () => {
    const one = pipeline({ flowsEvery: '5m' });
    const queue = async (): Promise<string> =>
      (await testbed.vsctl('get', 'QoS', (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).trim(), 'queues'))
        .split(/[{},= ]+/)
        .at(-2) ?? '';
    const row = await queue();
    const setRate = (rate: number, ...how: string[]): Promise<string> =>
      testbed.vsctl(...how, 'set', 'Queue', row, `other-config:max-rate=${rate}`);
    const ceil = 'eth1.vif3_1.ceil_bits_per_second';
    const at = (rate: number) => (run: Run) => run.values.get(ceil) === rate;
    const { classId } = VIFS['vif3.1'];
    expect(drift(await one.read(), classId)).toEqual({ none: 0 });
    await setRate(25_000_000);
    const followed = await readUntil(one, at(25_000_000), 'the new ceiling');
    expect(drift(followed, classId)).toMatchObject({ none: 0 });
    expect(followed.values.get('eth1.drifted_queues')).toBe(0);

    await withStopped(testbed, 'ovs-vswitchd', async () => {
      await setRate(12_000_000, '--no-wait');
      const stuck = await one.read();
      expect(stuck.values.get(ceil)).toBe(25_000_000);
      expect(drift(stuck, classId)).toEqual({ none: 0, ceil_differs: 1 });
      expect(stuck.values.get('eth1.drifted_queues')).toBe(1);
      expect(stuck.codes).toEqual([]);
    });
    await readUntil(one, at(12_000_000), 'the ceiling of a switch that goes on');
    expect(drift(await one.read(), classId)).toEqual({ none: 0 });
    // What was told of it ended with one 0.
    expect(
      one
        .history('eth1.vif3_1.ceil_differs.drift')
        .filter((value) => value !== undefined)
        .at(-1),
    ).toBe(0);
    await setRate(VIFS['vif3.1'].maxBitsPerSecond);
    await readUntil(one, at(VIFS['vif3.1'].maxBitsPerSecond), 'the ceiling of before');
  });

  it('ends the series of a queue that is deleted, and begins those of a new one at zero', async () => {
    const one = pipeline({ flowsEvery: '5m' });
    await one.read();
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
    const busy = await one.read();
    expect(busy.values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
    const qos = (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).trim();
    const rows = await testbed.vsctl('get', 'QoS', qos, 'queues');
    const row = /13947=([0-9a-f-]+)/.exec(rows)?.[1] ?? '';

    // A filter holds the class, so Open vSwitch cannot delete it: a class without a queue.
    await testbed.vsctl('remove', 'QoS', qos, 'queues', '13947');
    const held = await readUntil(one, (run) => drift(run, '1:367c').missing_queue === 1, 'the class without a queue');
    expect(held.values.get('eth1.drifted_queues')).toBe(1);
    await testbed.vsctl('set', 'QoS', qos, `queues:13947=${row}`);
    await readUntil(one, (run) => drift(run, '1:367c').none === 0, 'its queue');
    expect(drift(await one.read(), '1:367c')).toEqual({ none: 0 });
    await testbed.tc('filter', 'del', 'dev', 'eth1', 'parent', '1:');
    await testbed.vsctl('remove', 'QoS', qos, 'queues', '13947');
    const gone = await readUntil(one, ({ values }) => values.get('eth1.classes') === 3, 'the end of the class');
    expect(gone.codes).toEqual([]);
    await one.read();
    for (const metric of ['ceil_bits_per_second', 'rate_bits_per_second', 'tokens_seconds'])
      expect(one.history(`eth1.vif2_1.${metric}`).slice(-2), metric).toEqual([0, undefined]);
    for (const metric of ['sent_bytes', 'borrowed'])
      expect(one.history(`eth1.vif2_1.${metric}`).at(-1)).toBeUndefined();

    await testbed.vsctl('set', 'QoS', qos, `queues:13947=${row}`);
    await readUntil(one, ({ names }) => names('eth1')['1:367c'] === 'vif2.1', 'a new class');
    await addFilters(testbed);
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
    expect((await one.read()).values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
  });

  it('goes on under another name while a VIF is away, and under its own when it is back', async () => {
    const one = pipeline();
    await one.read();
    const traffic = await testbed.startTraffic('vm2', { bitsPerSecond: 2_000_000 });
    try {
      await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
      expect((await one.read()).values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
      const ofport = await testbed.vsctl('get', 'Interface', 'vif2.1', 'ofport');
      await testbed.unplugVif('vif2.1');
      const away = await readUntil(one, ({ names }) => names('eth1')['1:367c'] !== 'vif2.1', 'the fallback');
      expect(away.names('eth1')['1:367c']).toBe('10.0.0.37');
      expect(away.codes).toEqual([]);
      await one.read();
      expect(one.history('eth1.vif2_1.ceil_bits_per_second').slice(-2)).toEqual([0, undefined]);
      await testbed.plugVif('vif2.1');
      expect(await testbed.vsctl('get', 'Interface', 'vif2.1', 'ofport')).not.toBe(ofport);
      await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
      const back = await one.read();
      expect(back.names('eth1')['1:367c']).toBe('vif2.1');
      expect(back.values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
      await one.read();
      expect(one.history('eth1.10_0_0_37.ceil_bits_per_second').slice(-2)).toEqual([0, undefined]);
    } finally {
      await traffic.stop();
    }
  });

  it('sends no spike when Open vSwitch makes the whole tree anew', async () => {
    const one = pipeline();
    const qos = (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).trim();
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
    await one.read();
    // Between two runs: the same classes, with less on them.
    await testbed.vsctl('clear', 'Port', 'eth1', 'qos');
    await testbed.vsctl('set', 'Port', 'eth1', `qos=${qos}`);
    await eventually(async () => ((await sent('1:367c')) < 1_000_000 ? true : undefined), 'the new tree');
    await addFilters(testbed);
    const anew = await one.read();
    expect(anew.values.get('eth1.vif2_1.ceil_bits_per_second')).toBe(614_400_000);
    expect(anew.values.get('eth1.vif2_1.sent_bytes')).toBeUndefined();
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
    expect((await one.read()).values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
    // And with a run while there is none.
    await testbed.vsctl('clear', 'Port', 'eth1', 'qos');
    const without = await readUntil(one, ({ names }) => names('eth1')['1:fffe'] === undefined, 'the end of the tree');
    expect(without.codes).toEqual([]);
    await one.read();
    expect([...(await one.read()).values]).toEqual([]);
    await testbed.vsctl('set', 'Port', 'eth1', `qos=${qos}`);
    await readUntil(one, ({ names }) => names('eth1')['1:367c'] === 'vif2.1', 'the tree again');
    await addFilters(testbed);
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
    expect((await one.read()).values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
  });

  it('serves plain HTB on a device that Open vSwitch knows nothing of, as it comes and goes', async () => {
    const options = { devices: ['plain*'], rundir: '/nonexistent' };
    const one = pipeline(options);
    expect([...(await one.read()).values]).toEqual([]);
    await plainDevice(testbed, 'plain0');
    const there = await one.read();
    expect(there.codes).toEqual([]);
    expect(there.names('plain0')).toEqual({ '1:1': 'inner_1:1', '1:10': '1:10', '1:20': 'default_1:20' });
    expect(there.values.get('plain0.default_class')).toBe(0x20);
    expect(there.values.get('plain0.classes')).toBe(3);
    expect([...there.values.keys()].filter((series) => series.includes('drift') || series.includes('unused'))).toEqual(
      [],
    );
    // A queue of four packets, and a hundred at once: most are dropped.
    await burst(testbed);
    const busy = await one.read();
    expect(busy.values.get('plain0.default_1_20.dropped_packets')).toBeGreaterThan(10);
    expect(busy.values.get('plain0.default_1_20.drop_ratio')).toBeGreaterThan(0.1);
    expect(busy.values.get('plain0.default_1_20.drop_ratio')).toBeLessThan(1);
    expect(busy.values.get('plain0.1_10.sent_bytes')).toBe(0);
    expect(busy.values.get('plain0.qdisc_dropped_packets')).toBe(
      busy.values.get('plain0.default_1_20.dropped_packets'),
    );

    await testbed.inside('hv', ['ip', 'link', 'delete', 'plain0']);
    expect((await one.read()).codes).toEqual([]);
    expect([...(await one.read()).values]).toEqual([]);
    expect(one.history('plain0.classes')).toEqual([undefined, 3, 3, 0, undefined]);
  });

  it('leaves a device out that goes away within a run', async () => {
    let deleted = false;
    const before = async (argv: readonly string[]): Promise<void> => {
      if (deleted || !argv.includes('plain1') || !argv.includes('class')) return;
      deleted = true;
      await testbed.inside('hv', ['ip', 'link', 'delete', 'plain1']);
    };
    await plainDevice(testbed, 'plain1');
    const one = pipeline({}, { before });
    const run = await one.read();
    expect(deleted).toBe(true);
    expect(run.failure).toBeUndefined();
    expect(run.codes).toEqual([]);
    expect([...run.values.keys()].filter((series) => series.startsWith('plain1'))).toEqual([]);
    expect(run.values.get('eth1.classes')).toBe(4);
  });

  it.each([
    ['port and type', (tap: string) => [`external_ids:port=${tap}`, 'external_ids:type=bandwidth_limit']],
    ['id and queue_type', (tap: string) => [`external_ids:id=${tap}`, 'external_ids:queue_type=0']],
  ])('names the limit on a tap device after it, as Neutron writes it: %s', async (_, ids) => {
    const tap = 'tap3c9f8f53-6d';
    await testbed.inside('hv', ['ip', 'tuntap', 'add', tap, 'mode', 'tap']);
    try {
      await testbed.vsctl(
        ...['add-port', 'xapi0', tap, '--', 'set', 'Port', tap, 'qos=@qos', '--', '--id=@qos', 'create', 'QoS'],
        ...['type=linux-htb', 'other_config:max-rate=3000000', `external_ids:id=${tap}`, 'queues:0=@queue'],
        ...['--', '--id=@queue', 'create', 'Queue', 'other_config:max-rate=3000000', ...ids(tap)],
      );
      const one = pipeline({ devices: ['tap*'] });
      const run = await readUntil(one, ({ names }) => names(tap)['1:1'] !== undefined, 'the tree of the tap device');
      expect(run.names(tap)).toEqual({ '1:1': tap, '1:fffe': 'inner_1:fffe' });
      expect(run.values.get(`${tap}.${tap}.ceil_bits_per_second`)).toBe(3_000_000);
      expect(run.values.get(`${tap}.drifted_queues`)).toBe(0);
      expect(run.values.get(`${tap}.unused_classes`)).toBe(0);
    } finally {
      await testbed.vsctl('--if-exists', 'del-port', 'xapi0', tap);
      await testbed.inside('hv', ['ip', 'link', 'delete', tap]);
    }
  });

  it.skipIf(hfscReason !== undefined)(
    `has the same ids where Open vSwitch makes HFSC classes${hfscReason === undefined ? '' : ` (${hfscReason})`}`,
    async () => {
      await testbed.vsctl(
        ...['set', 'Port', 'vif2.1', 'qos=@qos', '--', '--id=@qos', 'create', 'QoS', 'type=linux-hfsc'],
        ...['other_config:max-rate=80000000', 'queues:0=@a', 'queues:13947=@b', '--', '--id=@a', 'create', 'Queue'],
        ...['other_config:max-rate=40000000', '--', '--id=@b', 'create', 'Queue', 'other_config:max-rate=24000000'],
      );
      try {
        const one = pipeline({ devices: ['vif2.1'] });
        const made = await readUntil(one, ({ names }) => names('vif2.1')['1:367c'] !== undefined, 'the HFSC classes');
        const ids = Object.keys(made.names('vif2.1')).sort();
        expect(ids).toEqual(['1:1', '1:367c', '1:fffe']);
        const ceil = (id: string): number | undefined =>
          made.points.find(({ metric, labels }) => labels.class === id && metric.name === 'ceil_bits_per_second')
            ?.value;
        expect(ids.map(ceil)).toEqual([40_000_000, 24_000_000, 80_000_000]);
        await testbed.inside('vm1', ['ping', '-q', '-f', '-c', '100', '-s', '1000', '10.0.0.1']);
        const [sent] = (await one.read()).points.filter(
          ({ metric, labels }) => labels.class === '1:1' && metric.name === 'sent_bytes',
        );
        expect(sent?.value).toBeGreaterThan(100_000);
      } finally {
        await testbed.vsctl('clear', 'Port', 'vif2.1', 'qos');
      }
    },
  );

  it('still knows a VIF as a sender when what it receives is limited too', async () => {
    const one = pipeline();
    await testbed.vsctl(
      ...['set', 'Port', 'vif2.1', 'qos=@qos', '--', '--id=@qos', 'create', 'QoS', 'type=linux-htb'],
      ...['other_config:max-rate=50000000', 'queues:0=@queue', '--', '--id=@queue', 'create', 'Queue'],
      ...['other_config:max-rate=50000000', 'external_ids:port=vif2.1', 'external_ids:type=bandwidth_limit'],
    );
    try {
      await readUntil(one, ({ names }) => names('vif2.1')['1:1'] !== undefined, 'the tree of the VIF');
      await testbed.inside('vm1', ['ping', '-q', '-f', '-c', '100', '-s', '1000', '10.0.0.1']);
      const run = await one.read();
      expect(run.names('vif2.1')['1:1']).toBe('vif2.1');
      expect(run.values.get('vif2_1.vif2_1.sent_bytes')).toBeGreaterThan(100_000);
      expect(run.names('eth1')['1:367c']).toBe('vif2.1');
      expect(run.values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(100_000);
    } finally {
      await testbed.vsctl('clear', 'Port', 'vif2.1', 'qos');
    }
  });
});

/** What is told of a class's drift: reason → 0 or 1. */
function drift({ points }: Run, classId: string): Record<string, number | undefined> {
  const told = points.filter(({ metric, labels }) => metric.name === 'drift' && labels.class === classId);
  return Object.fromEntries(told.map(({ labels, value }) => [labels.reason, value]));
}

/** Why there can be no HFSC here: the kernel lacks sch_hfsc. */
function withoutHfsc(): string | undefined {
  const words = ['--net', 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'handle', '1:', 'hfsc', 'default', '1'];
  const { status, stderr } = spawnSync('unshare', words, { encoding: 'utf8', env: systemEnv() });
  if (status === 0) return undefined;
  if (/qdisc kind is unknown/.test(stderr)) return 'this kernel has no sch_hfsc';
  throw new Error(`tc qdisc add … hfsc: ${stderr}`);
}
