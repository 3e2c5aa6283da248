/**
 * What the htb collector calls a class, by what real flows and rows say of who uses its queue; and that no new name is a
 * spike.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { htb } from '../../collectors/htb/index.ts';
import { seriesLines } from '../../src/sinks/series.ts';
import { type Pipeline, pipelineOf, type Run } from '../support/htb-pipeline.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason, VIFS } from '../support/testbed.ts';
import type { Traffic } from '../support/testbed-traffic.ts';

const reason = testbedReason();

/** The OpenFlow ports of the testbed, by interface. */
type Ports = Readonly<Record<string, number>>;
const { mac } = VIFS['vif2.1'];

describe.skipIf(reason !== undefined)(`names of htb classes${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  let one: Pipeline;
  let traffic: Traffic;
  let ports: Ports;
  beforeAll(async () => {
    testbed = await startTestbed();
    one = pipeline();
    traffic = await testbed.startTraffic('vm1', { bitsPerSecond: 30_000_000 });
    await one.read();
    ports = Object.fromEntries(
      await Promise.all(['vif2.1', 'vif3.1', 'eth1'].map(async (name) => [name, await ofportOf(name)] as const)),
    );
  });
  afterAll(async () => {
    await traffic?.stop();
    await testbed?.close();
  });

  const pipeline = (options: Record<string, unknown> = {}): Pipeline =>
    pipelineOf(testbed, htb, { options: { rundir: testbed.rundir, flowsEvery: '1ms', ...options } });
  const ofportOf = async (name: string): Promise<number> =>
    Number(await testbed.vsctl('wait-until', 'Interface', name, 'ofport>0', '--', 'get', 'Interface', name, 'ofport'));
  const setFlows = async (bridge: string, lines: readonly string[]): Promise<void> => {
    const words = [
      'ovs-ofctl',
      '--timeout=10',
      '-O',
      'OpenFlow13',
      'replace-flows',
      `unix:${testbed.rundir}/${bridge}.mgmt`,
      '-',
    ];
    await testbed.inside('hv', words, { input: `${['priority=0,actions=normal', ...lines].join('\n')}\n` });
  };
  /** Bytes that came to the class meanwhile: a renamed class goes on counting. */
  const readBusy = async (): Promise<Run> => {
    let sum = 0;
    return eventually(async () => {
      const run = await one.read();
      for (const { metric, labels, value } of run.points)
        if (metric.name === 'sent_bytes' && labels.class === '1:367c') sum += value ?? 0;
      return sum > 100_000 ? run : undefined;
    }, 'traffic');
  };

  const hint = (ports: Ports): string => `priority=90,arp,in_port=${ports['vif2.1']},arp_spa=10.0.0.37,actions=normal`;
  const cases: [
    title: string,
    flows: (ports: Ports) => readonly string[],
    name: string,
    tags: Record<string, unknown>,
  ][] = [
    [
      'an address, and the rule against ARP spoofing',
      (ports) => ['ip,nw_src=10.0.0.37,actions=set_queue:13947,normal', hint(ports)],
      'vif2.1',
      { ip: '10.0.0.37', port: VIFS['vif2.1'].port, mac, vm: VIFS['vif2.1'].vm, bridge: 'xenbr1', queue: '13947' },
    ],
    ['an address alone', () => ['ip,nw_src=10.0.0.37,actions=set_queue:13947,normal'], '10.0.0.37', { vif: undefined }],
    [
      'the port that it comes in by, as Neutron’s agent writes it',
      (ports) => [
        `table=0,priority=200,in_port=${ports['vif2.1']},reg4=0,actions=set_queue:13947,load:1->NXM_NX_REG4[0],resubmit(,0)`,
      ],
      'vif2.1',
      { ip: undefined, mac },
    ],
    ['the MAC', () => [`dl_src=${mac},actions=set_queue:13947,normal`], 'vif2.1', { mac }],
    [
      'an IPv6 address, and the rule against false advertisements',
      (ports) => [
        'ipv6,ipv6_src=2001:db8:0:0::37,actions=set_queue:13947,normal',
        `icmp6,in_port=${ports['vif2.1']},icmp_type=136,nd_target=2001:db8::37,actions=normal`,
      ],
      'vif2.1',
      { ip: '2001:db8::37' },
    ],
    [
      'an IPv6 address alone',
      () => ['ipv6,ipv6_src=2001:db8::37,actions=set_queue:13947,normal'],
      '2001:db8::37',
      { vif: undefined },
    ],
    [
      'a queue that is set in a later table',
      (ports) => [
        `priority=9,in_port=${ports['vif2.1']},actions=load:0x25->NXM_NX_REG5[],resubmit(,10)`,
        `priority=9,in_port=${ports['vif3.1']},actions=load:0x26->NXM_NX_REG5[],resubmit(,10)`,
        'table=10,reg5=0x25,actions=set_queue:13947,normal',
        'table=10,actions=normal',
      ],
      'vif2.1',
      { mac },
    ],
    [
      'two that share the queue',
      (ports) => [
        `in_port=${ports['vif2.1']},actions=set_queue:13947,normal`,
        `in_port=${ports['vif3.1']},actions=set_queue:13947,normal`,
      ],
      '1:367c',
      { vif: undefined, mac: undefined },
    ],
    ['no flow', () => [], '1:367c', { vif: undefined, ip: undefined, queue: '13947' }],
    [
      'a flow for a subnet',
      () => ['ip,nw_src=10.0.0.0/24,actions=set_queue:13947,normal'],
      '1:367c',
      { ip: undefined },
    ],
    [
      'a port by which others’ packets come',
      () => ['in_port=9999,actions=set_queue:13947,normal'],
      '1:367c',
      { vif: undefined },
    ],
  ];
  it.each(cases)('%s', async (title, flows, name, tags) => {
    await setFlows('xapi0', flows(ports));
    const run = await readBusy();
    expect(run.codes).toEqual([]);
    expect(run.names('eth1')['1:367c']).toBe(name);
    // Its row says whose the other one is, whatever the flows say.
    expect(run.names('eth1')['1:367d']).toBe('vif3.1');
    const labels = run.points.find(
      ({ metric, labels: { class: id } }) => id === '1:367c' && metric.name === 'sent_bytes',
    )?.labels;
    expect(labels).toMatchObject(tags);
    // Nobody in particular is somebody.
    expect(run.values.get('eth1.unused_classes')).toBe(title === 'no flow' ? 1 : 0);
  });

  it('an action on another bridge that names the uplink', async () => {
    await setFlows('xapi0', [hint(ports)]);
    const flow = (port: number | undefined): string => `ip,nw_src=10.0.0.37,actions=enqueue:${port}:13947`;
    try {
      await setFlows('xenbr1', [flow(ports.eth1)]);
      expect((await readBusy()).names('eth1')['1:367c']).toBe('vif2.1');
      // Of another port's queue with this number nothing is known.
      await setFlows('xenbr1', [flow(4711)]);
      expect((await one.read()).names('eth1')['1:367c']).toBe('1:367c');
    } finally {
      await setFlows('xenbr1', []);
    }
  });

  it.each([
    ['vif', 'vif2.1', 'vif3.1'],
    ['port', VIFS['vif2.1'].port, VIFS['vif3.1'].port],
    ['ip', '10.0.0.37', '10.0.0.38'],
    ['class', '1:367c', '1:367d'],
  ])('by the option name: %s', async (name, first, second) => {
    await testbed.addFlows();
    const other = pipeline({ name });
    expect((await other.read()).names('eth1')).toMatchObject({ '1:367c': first, '1:367d': second });
  });

  it('is read from the flows once, and again when the database has changed', async () => {
    await testbed.addFlows();
    const slow = pipeline({ flowsEvery: '5m' });
    const dumps = (): number => slow.programs.filter((argv) => argv.includes('dump-flows')).length;
    await slow.read();
    await slow.read();
    expect(dumps()).toBe(0);
    const never = pipeline({ flowsEvery: '0s' });
    expect((await never.read()).names('eth1')).toMatchObject({ '1:367c': '1:367c', '1:367d': 'vif3.1' });
    expect(never.programs.map(([program]) => program)).not.toContain('ovs-ofctl');
    const few = pipeline({ maxFlows: 3 });
    const run = await few.read();
    expect(run.codes).toEqual(['E_OUTPUT_SIZE']);
    expect(run.problems[0]?.message).toMatch(/bridge "xapi0": it has 5 flows, more than maxFlows \(3\)/);
    expect(few.programs.filter((argv) => argv.includes('dump-flows')).map((argv) => argv.at(-1))).toEqual([
      `unix:${testbed.rundir}/xenbr1.mgmt`,
    ]);
    expect(run.names('eth1')['1:367c']).toBe('1:367c');
  });

  it('two that differ only in what is replaced in a series, and one that tries to break out of it', async () => {
    const hostile = 'v|2"$(i);`\'é';
    const names = ['vif2_1', hostile];
    const qos = (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).trim();
    try {
      for (const [index, name] of names.entries()) {
        await testbed.inside('hv', ['ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `far${index}`]);
        await testbed.vsctl('add-port', 'xapi0', name);
        await testbed.vsctl(
          ...['set', 'QoS', qos, `queues:${13949 + index}=@queue`, '--', '--id=@queue', 'create', 'Queue'],
          'other-config:max-rate=1000000',
        );
      }
      const [twin, other] = await Promise.all(names.map(ofportOf));
      await setFlows('xapi0', [
        `in_port=${ports['vif2.1']},actions=set_queue:13947,normal`,
        `in_port=${twin},actions=set_queue:13949,normal`,
        `in_port=${other},actions=set_queue:13950,normal`,
      ]);
      const run = await readBusy();
      expect(run.codes).toEqual([]);
      expect(run.names('eth1')).toMatchObject({
        ...{ '1:367c': 'vif2.1_1:367c', '1:367e': 'vif2_1_1:367e', '1:367f': hostile },
      });
      const lines = seriesLines(run.points);
      for (const line of lines)
        expect(line).toMatch(/^edge(?:\.[A-Za-z0-9_-]+)+ -?[0-9.e+-]+ (?:gauge|counter|ratio) [a-z ]+$/);
      expect(lines).toContain('edge.hv.htb.eth1.v_2___i_____.sent_bytes 0 counter bytes');

      // As a device with a tree of its own, too.
      await testbed.tc('qdisc', 'add', 'dev', hostile, 'root', 'handle', '1:', 'htb', 'default', '7');
      await testbed.tc('class', 'add', 'dev', hostile, 'parent', '1:', 'classid', '1:7', 'htb', 'rate', '1mbit');
      const own = await one.read();
      expect(own.codes).toEqual([]);
      expect(own.names(hostile)).toEqual({ '1:7': 'default_1:7' });
      expect(own.values.get('v_2___i_____.default_1_7.ceil_bits_per_second')).toBe(1_000_000);
    } finally {
      for (const [index, name] of names.entries()) {
        await testbed.vsctl('--if-exists', 'del-port', 'xapi0', name);
        await testbed.vsctl('remove', 'QoS', qos, 'queues', String(13949 + index));
        await testbed.inside('hv', ['ip', 'link', 'delete', name]);
      }
    }
  });

  it('none of which was ever a spike', async () => {
    await traffic.stop();
    await testbed.addFlows();
    const all = await eventually(async () => {
      const run = await one.read();
      return run.names('eth1')['1:367c'] === 'vif2.1' ? run : undefined;
    }, 'the first name');
    // Each name's last gauge was ended by one 0.
    for (const name of ['10_0_0_37', '2001_db8__37', '1_367c', 'vif2_1_1_367c']) {
      const ceilings = one.history(`eth1.${name}.ceil_bits_per_second`).filter((value) => value !== undefined);
      expect(ceilings.at(-1), name).toBe(0);
      expect(
        ceilings.filter((value) => value !== 0).every((value) => value === 614_400_000),
        name,
      ).toBe(true);
    }
    expect(all.values.get('eth1.vif2_1.ceil_bits_per_second')).toBe(614_400_000);
  });
});
