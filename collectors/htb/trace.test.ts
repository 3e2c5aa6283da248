import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Hop, Host, Trace } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { type RecordedTarget, readSession, recordedTarget } from '../../test/support/recorded-target.ts';
import { htb } from './index.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
const never = new AbortController().signal;
const RUNDIR = '/var/run/openvswitch';

const targets = new Set<RecordedTarget>();
const folders = new Set<string>();
afterEach(async () => {
  for (const target of targets) await target.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  targets.clear();
  folders.clear();
});

interface Scene {
  /** What OVSDB has, or why it does not answer. */
  readonly database?: string | Failure;
  /** By bridge. */
  readonly flows?: Readonly<Record<string, string | Failure>>;
  /** Of eth1: before and after the second. */
  readonly classes?: readonly [first: string, second: string | Failure];
  /** Of other devices. */
  readonly others?: Readonly<Record<string, string>>;
  readonly qdiscs?: string | Failure;
  readonly uptimes?: readonly (string | undefined)[];
  readonly sleep?: Failure;
  /** What the datapath has of an address. */
  readonly datapath?: string;
  /** Gets each question that is asked of the machine, as it comes. */
  readonly asked?: string[];
}

const normal = {
  database: read('tc6.1-ovs/database.json'),
  flows: { xapi0: read('tc6.1-ovs/flows-xapi0'), xenbr1: read('tc6.1-ovs/flows-xenbr1') },
  classes: [read('tc6.1-ovs/class-eth1-before'), read('tc6.1-ovs/class-eth1')],
  qdiscs: read('tc6.1-ovs/qdisc'),
  uptimes: ['100.00 7.1', '110.00 7.1'],
} as const satisfies Scene;

/** The machine of the recording tc6.1-ovs, with some things otherwise. */
function machine(scene: Scene): Host {
  const {
    database,
    flows,
    classes,
    qdiscs,
    uptimes,
    asked = [],
    others = {},
    datapath,
  }: Scene = { ...normal, ...scene };
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-trace-'));
  folders.add(folder);
  const [told, broken] = database instanceof Failure ? ['', database] : [database, undefined];
  writeFileSync(join(folder, 'schema.json'), read('ovs3.1-schema.json'));
  writeFileSync(join(folder, 'database.json'), told);
  const up = [
    { method: 'get_schema', file: 'schema.json' },
    { method: 'monitor', file: 'database.json' },
  ];
  const db = broken === undefined ? up : { failure: { code: broken.code, message: broken.message } };
  writeFileSync(join(folder, 'datapath.txt'), datapath ?? '');
  const control = { [`${RUNDIR}/ovs-vswitchd.7.ctl`]: [{ method: 'dpctl/dump-flows', file: 'datapath.txt' }] };
  const sockets = { [`${RUNDIR}/db.sock`]: db, ...(datapath === undefined ? {} : control) };
  writeFileSync(join(folder, 'session.yaml'), stringify({ options: {}, sockets }));
  const target = recordedTarget('hv01', readSession(folder));
  targets.add(target);
  let [dumps, ups] = [0, 0];
  return {
    ...target.open(never),
    async run(argv) {
      const words = argv.join(' ');
      asked.push(words);
      if (words === 'tc -s -d qdisc show') return given(qdiscs);
      if (words === 'tc -j -s -d class show dev eth1') return given(classes?.[Math.min(1, dumps++)]);
      const [, other] = /^tc -j -s -d class show dev (.+)$/.exec(words) ?? [];
      if (other !== undefined) return given(others[other]);
      if (words === 'sleep 1') {
        if (scene.sleep !== undefined) throw scene.sleep;
        return '';
      }
      const [, bridge = ''] =
        /^ovs-ofctl --timeout=5 -- dump-flows unix:\/var\/run\/openvswitch\/(.+)\.mgmt$/.exec(words) ?? [];
      return given(flows?.[bridge] ?? new Failure('E_NOT_FOUND', `${words}: nobody expected this`));
    },
    async readFile(path) {
      asked.push(path);
      if (path === `${RUNDIR}/ovs-vswitchd.pid` && datapath !== undefined) return '7\n';
      const text = path === '/proc/uptime' ? uptimes?.[ups++] : undefined;
      if (text === undefined) throw new Failure('E_NOT_FOUND', `${path} is not there`);
      return text;
    },
  };
}

function given(answer: string | Failure | undefined): string {
  if (answer instanceof Failure) throw answer;
  return answer ?? '';
}

async function trace(what: string, scene: Scene = {}, options: object = {}): Promise<Trace | undefined> {
  const parsed = htb.options.parse({ source: 'tc', ...options });
  return htb.trace?.({ host: machine(scene), options: parsed, atMs: 0, readAtMs: 0, elapsedMs: () => 0 }, what);
}

const kinds = (chain: readonly Hop[] = []): string[] => chain.map(({ kind, identity = '?' }) => `${kind} ${identity}`);
const broken = (chain: readonly Hop[] = []): string[] =>
  chain.flatMap(({ kind, broken: why }) => (why === undefined ? [] : [`${kind}: ${why}`]));
const factsOf = (chain: readonly Hop[] = [], kind: string): Hop['facts'] | undefined =>
  chain.find((hop) => hop.kind === kind)?.facts;
const without = (text: string, pattern: RegExp): string =>
  text
    .split('\n')
    .filter((line) => !pattern.test(line))
    .join('\n');

const QUEUE_UUID = /^ {2}"([0-9a-f-]+)": .*"max-rate","614400000"/m.exec(String(normal.database))?.[1];
const QOS_UUID = /^ {2}"([0-9a-f-]+)": .*"type":"linux-htb"/m.exec(String(normal.database))?.[1];

const VM1 = [
  ...[
    'interface vif2.1',
    'bridge xapi0 → xenbr1',
    'flow xapi0 table 0, priority 100',
    'queue 13947',
    `qos ${QOS_UUID}`,
  ],
  ...['device eth1', 'class eth1 1:367c'],
];

describe('the whole chain', () => {
  it.each([
    ['ip 10.0.0.37', '10.0.0.37'],
    ['mac fa:16:3e:00:00:37', 'FA:16:3E:00:00:37'],
    ['vif vif2.1', 'vif2.1'],
    ['vif vif2.1', '3c9f8f53-6d55-4f0e-8d6b-0f3d2b9c1a37'],
    ['vm 8f0c6f0e-2d0b-4d6c-9a51-6f2f1f6b3a37', '8F0C6F0E-2D0B-4D6C-9A51-6F2F1F6B3A37'],
    ['queue 13947', '13947'],
    ['class 1:367c', '1:367c'],
    ['class 1:367c', 'eth1/1:367C'],
  ])('%s, asked for as %s', async (subject, what) => {
    const found = await trace(what);
    expect(found?.subject).toBe(subject);
    expect(found?.chains.map(kinds)).toEqual([VM1]);
    expect(found?.chains.flatMap(broken)).toEqual([]);
    expect(found?.problems).toEqual([]);
  });

  it('by Neutron’s port, where XenServer has no VIF of that id', async () => {
    const database = String(normal.database).replaceAll('["xs-vif-uuid","3c9f8f53-6d55-4f0e-8d6b-0f3d2b9c1a37"],', '');
    const found = await trace('3C9F8F53-6d55-4f0e-8d6b-0f3d2b9c1a37', { database });
    expect([found?.subject, found?.chains.map(kinds)]).toEqual(['port 3c9f8f53-6d55-4f0e-8d6b-0f3d2b9c1a37', [VM1]]);
  });

  it('says what is configured, what is in force, and what happens now', async () => {
    const [chain] = (await trace('10.0.0.38'))?.chains ?? [];
    expect(factsOf(chain, 'interface')).toMatchObject({
      ...{ bridge: 'xapi0', ofport: 3, ip: '10.0.0.38', mac: 'fa:16:3e:00:00:38', mtu: 1500 },
      ...{ vm: 'b7a1d2c4-5e6f-4a0b-8c1d-2e3f4a5b6c38', neutron_port: 'e1d2c3b4-a5f6-4718-92a3-b4c5d6e7f838' },
    });
    expect(factsOf(chain, 'bridge')).toMatchObject({ patch_ports: 'up → down' });
    expect(factsOf(chain, 'flow')).toMatchObject({ match: 'ip,nw_src=10.0.0.38', actions: 'set_queue:13948,NORMAL' });
    expect(factsOf(chain, 'queue')).toMatchObject({
      ...{ min_rate: '1000000 bit/s (1 Mbit/s)', max_rate: '10000000 bit/s (10 Mbit/s)' },
      ...{ neutron_port: 'e1d2c3b4-a5f6-4718-92a3-b4c5d6e7f838', neutron_type: 'minimum_bandwidth' },
    });
    expect(factsOf(chain, 'qos')).toMatchObject({
      type: 'linux-htb',
      max_rate: '10000000000 bit/s (10 Gbit/s)',
      queues: 2,
    });
    expect(factsOf(chain, 'class')).toEqual({
      ...{
        role: 'leaf',
        parent: '1:fffe',
        rate: 'about 1000000 bit/s (1 Mbit/s)',
        ceiling: 'about 10000000 bit/s (10 Mbit/s)',
      },
      ...{ sent_bytes: '16567601', sent_packets: '10971', dropped_packets: 0, overlimits: 10931 },
      ...{ lended: 1120, borrowed: 9851, backlog_packets: 17, drift: 'none', series: 'htb.eth1.vif3_1' },
      now: '9923362 bit/s (9.923 Mbit/s) over 10.00 s, 99.2 % of the ceiling, 0 dropped, 7371 borrowed',
    });
  });

  it('every hop has the command that shows it', async () => {
    const [chain] = (await trace('10.0.0.37'))?.chains ?? [];
    expect(chain?.map(({ command = [] }) => command.join(' '))).toEqual([
      'ovs-vsctl list Interface vif2.1',
      'ovs-vsctl show',
      'ovs-ofctl dump-flows xapi0 table=0,ip,nw_src=10.0.0.37',
      `ovs-vsctl list Queue ${QUEUE_UUID}`,
      `ovs-vsctl list QoS ${QOS_UUID}`,
      'ovs-vsctl list Port eth1',
      'tc -s -d class show dev eth1 classid 1:367c',
    ]);
  });

  it('of a device: its QoS, and its classes, the busiest first', async () => {
    const found = await trace('eth1');
    expect(found?.subject).toBe('device eth1');
    expect(found?.chains.map(kinds)).toEqual([
      [
        `qos ${QOS_UUID}`,
        'device eth1',
        ...['1:fffe', '1:367c', '1:367d', '1:1'].map((handle) => `class eth1 ${handle}`),
      ],
    ]);
    expect(found?.chains.flatMap(broken)).toEqual([]);
  });

  it('of the default and the inner class, which no flow need name', async () => {
    const [main, inner] = [await trace('1:1'), await trace('1:fffe')];
    expect(main?.chains.map(kinds)).toEqual([['queue 0', `qos ${QOS_UUID}`, 'device eth1', 'class eth1 1:1']]);
    expect(inner?.chains.map(kinds)).toEqual([['class eth1 1:fffe']]);
    expect([...(main?.chains ?? []), ...(inner?.chains ?? [])].flatMap(broken)).toEqual([]);
  });
});

describe('a machine with an IPv4 and an IPv6 address', () => {
  const LOCAL = 'fe80::f816:3eff:fe00:37';
  const hints = [
    'priority=90,arp,in_port=1,arp_spa=10.0.0.37 actions=NORMAL',
    `priority=90,icmp6,in_port=1,icmp_type=136,nd_target=${LOCAL} actions=NORMAL`,
  ];
  const xapi0 = (...texts: string[]): Scene => {
    const all = [...texts, ...hints].map((text) => ` cookie=0x0, table=0, ${text}\n`).join('');
    return { flows: { ...normal.flows, xapi0: all } };
  };
  const byPort = 'priority=100,in_port=1 actions=set_queue:13947,NORMAL';

  it('is found by both, where the flow says by which port it sends', async () => {
    const [four, six] = [await trace('10.0.0.37', xapi0(byPort)), await trace(LOCAL, xapi0(byPort))];
    expect([four?.chains.map(kinds), six?.chains.map(kinds)]).toEqual([[VM1], [VM1]]);
    expect([four, six].map((one) => factsOf(one?.chains[0], 'interface')?.ip)).toEqual(['10.0.0.37', LOCAL]);
    const named = await trace('1:367c', xapi0(byPort), { name: 'ip' });
    expect(factsOf(named?.chains[0], 'class')?.series).toBe('htb.eth1.10_0_0_37');
  });

  it('is not said to go where the flow is about the other one', async () => {
    const scene = xapi0('priority=100,ip,nw_src=10.0.0.37 actions=set_queue:13947,NORMAL');
    expect((await trace('10.0.0.37', scene))?.chains.map(kinds)).toEqual([VM1]);
    expect((await trace(LOCAL, scene))?.chains.flatMap(broken)).toEqual([
      'flow: no flow puts its packets into a queue: on eth1 they go to queue 0, class 1:1',
    ]);
  });

  it('is known although no flow of it leads to a queue, without a question to the datapath', async () => {
    const asked: string[] = [];
    const found = await trace(LOCAL, { ...xapi0(), asked, datapath: '' });
    expect(found?.chains.map(kinds)).toEqual([['interface vif2.1', 'flow ?']]);
    expect(asked.filter((one) => one.includes('vswitchd'))).toEqual([]);
  });
});

describe('an address that only the datapath knows', () => {
  const datapath =
    'recirc_id(0),in_port(vif2.1),eth_type(0x0800),ipv4(src=10.0.0.99,dst=10.9.5.9,frag=no), packets:4, actions:1\n';

  it('goes the way of its interface', async () => {
    const flow = ' cookie=0x0, table=0, priority=100,in_port=1 actions=set_queue:13947,NORMAL\n';
    const found = await trace('10.0.0.99', { datapath, flows: { ...normal.flows, xapi0: flow } });
    expect(found?.chains.map(kinds)).toEqual([VM1]);
    expect(factsOf(found?.chains[0], 'interface')?.ip).toBe('10.0.0.99');
  });

  it('goes to queue 0 where no flow takes it elsewhere', async () => {
    const found = await trace('10.0.0.99', { datapath });
    expect(found?.chains.map(kinds)).toEqual([['interface vif2.1', 'flow ?']]);
  });

  it('is asked for of no switch that has just not answered', async () => {
    const asked: string[] = [];
    const late = new Failure('E_TIMEOUT', 'no answer');
    const found = await trace('10.0.0.99', { datapath, asked, flows: { xapi0: late, xenbr1: late } });
    expect(found?.chains).toEqual([]);
    expect(asked.filter((one) => one.includes('vswitchd'))).toEqual([]);
  });
});

describe('a VIF with a tree of its own', () => {
  const qdiscs = normal.qdiscs.replace(
    'noqueue 0: dev vif2.1 root refcnt 2',
    'htb 1: dev vif2.1 root refcnt 2 r2q 10 default 0x1 direct_packets_stat 0',
  );
  const others = { 'vif2.1': normal.classes[1] };

  it('is a sender, and a device', async () => {
    const found = await trace('vif2.1', { qdiscs, others });
    const own = ['1:fffe', '1:1', '1:367c', '1:367d'].map((handle) => `class vif2.1 ${handle}`);
    expect(found?.chains[0]).toBeDefined();
    expect(found?.chains.map((chain) => kinds(chain).toSorted())).toEqual([VM1.toSorted(), own.toSorted()]);
    expect(found?.chains.flatMap(broken)).toEqual([]);
  });

  it('is told that its packets go to queue 0, where it is so', async () => {
    const xapi0 = without(normal.flows.xapi0, /set_queue:13947/);
    const found = await trace('vif2.1', { qdiscs, others, flows: { ...normal.flows, xapi0 } });
    expect(found?.chains.flatMap(broken)).toEqual([
      'flow: no flow puts its packets into a queue: on eth1 they go to queue 0, class 1:1',
    ]);
    expect(found?.chains).toHaveLength(2);
  });
});

describe('a chain that ends early', () => {
  it('the kernel has lost the class', async () => {
    const classes = [
      read('tc6.1-ovs/class-eth1-before'),
      without(read('tc6.1-ovs/class-eth1'), /^class htb 1:367d/),
    ] as const;
    const [chain] = (await trace('10.0.0.38', { classes: [classes[1], classes[1]] }))?.chains ?? [];
    expect(kinds(chain).at(-1)).toBe('class ?');
    expect(broken(chain)).toEqual(['class: the kernel has no class 1:367d on eth1']);
  });

  it('the whole tree is gone', async () => {
    const qdiscs = read('tc6.1-ovs-tree-gone/qdisc');
    const [chain] = (await trace('10.0.0.38', { qdiscs }))?.chains ?? [];
    expect(broken(chain)).toEqual(['class: eth1 has no HTB tree']);
    const device = await trace('eth1', { qdiscs });
    expect(device?.chains.map(kinds)).toEqual([[`qos ${QOS_UUID}`, 'device eth1', 'class ?']]);
    expect(device?.chains.flatMap(broken)).toEqual(['class: eth1 has no HTB tree']);
  });

  it('a flow names a queue that nobody made', async () => {
    const xapi0 = String(normal.flows.xapi0).replace('set_queue:13947', 'set_queue:14000');
    for (const what of ['10.0.0.37', '14000', '1:36b1']) {
      const found = await trace(what, { flows: { ...normal.flows, xapi0 } });
      expect(found?.chains.flatMap(broken)).toEqual([
        'queue: the QoS of eth1 has no queue 14000: its packets go to queue 0',
        'class: the kernel has no class 1:36b1 on eth1',
      ]);
    }
  });

  it('no flow puts its packets into a queue', async () => {
    const xapi0 = without(String(normal.flows.xapi0), /set_queue:13947/);
    const found = await trace('vif2.1', { flows: { ...normal.flows, xapi0 } });
    expect(found?.chains.map(kinds)).toEqual([['interface vif2.1', 'flow ?']]);
    expect(found?.chains.flatMap(broken)).toEqual([
      'flow: no flow puts its packets into a queue: on eth1 they go to queue 0, class 1:1',
    ]);
    const queue = await trace('13947', { flows: { ...normal.flows, xapi0 } });
    expect(queue?.chains.flatMap(broken)).toEqual([
      'flow: no flow puts packets into queue 13947: nothing uses it, or only a flow on another switch',
    ]);
  });

  it('a flow does not say by which interface its packets come', async () => {
    const xapi0 = without(String(normal.flows.xapi0), /arp_spa/).replace('10.0.0.37', '10.9.9.9');
    const [chain] = (await trace('13947', { flows: { ...normal.flows, xapi0 } }))?.chains ?? [];
    expect(broken(chain)).toEqual(['interface: no flow and no row says by which interface 10.9.9.9 sends']);
    expect(kinds(chain).slice(0, 2)).toEqual(['interface ?', 'flow xapi0 table 0, priority 100']);
  });

  it('no patch port joins the bridges', async () => {
    const database = String(normal.database)
      .replaceAll('["peer","down"]', '["peer","gone"]')
      .replaceAll('["peer","up"]', '["peer","gone"]');
    const neutron = await trace('vif3.1', { database });
    expect(neutron?.chains.flatMap(broken)).toEqual(['bridge: no patch port joins xapi0 and xenbr1']);
    const other = await trace('vif2.1', { database });
    const xapi0 = String(normal.flows.xapi0).replace('set_queue:13947', 'set_queue:14000');
    const apart = await trace('14000', { database, flows: { ...normal.flows, xapi0 } });
    expect(apart?.chains, 'a queue of eth1 is none of a bridge that does not reach it').toEqual([]);
    expect(other?.chains.flatMap(broken)).toEqual(['qos: no port that its bridge reaches has a QoS: it is not shaped']);
  });

  it('Open vSwitch could not open the interface', async () => {
    const database = String(normal.database).replace(/("name":"vif2\.1"[^\n]*?"ofport":)[0-9]+/, '$1-1');
    const [chain] = (await trace('fa:16:3e:00:00:37', { database }))?.chains ?? [];
    expect(broken(chain)[0]).toBe('interface: it has no OpenFlow port: Open vSwitch could not open the device');
  });

  it('the QoS makes no classes', async () => {
    const database = String(normal.database).replace('"type":"linux-htb"', '"type":"linux-codel"');
    const [chain] = (await trace('13948', { database }))?.chains ?? [];
    expect(broken(chain)[0]).toBe('qos: a QoS of type linux-codel makes no HTB classes');
  });

  it('nothing has a QoS', async () => {
    const database = String(normal.database).replaceAll(/"qos":\["uuid","[0-9a-f-]+"\]/g, '"qos":["set",[]]');
    const [chain] = (await trace('vif3.1', { database }))?.chains ?? [];
    expect(kinds(chain)).toEqual(['interface vif3.1', 'qos ?']);
    expect(broken(chain)).toEqual(['qos: no port that its bridge reaches has a QoS: it is not shaped']);
  });
});

describe('what a job leaves out', () => {
  it.each([{ exclude: ['eth1'] }, { devices: ['eth2'] }])(
    'is explained all the same, but sent nowhere: %j',
    async (options) => {
      const found = await trace('10.0.0.37', {}, options);
      expect(found?.chains.map(kinds)).toEqual([VM1]);
      expect(factsOf(found?.chains[0], 'class')).toMatchObject({ sent_packets: expect.anything(), series: undefined });
      expect((await trace('eth1', {}, options))?.chains.map((chain) => chain.length)).toEqual([6]);
    },
  );
});

describe('what cannot be asked is told, and the rest is explained', () => {
  const gone = new Failure('E_NOT_FOUND', 'there is no database');

  it('a device that was not read is not said to have no class', async () => {
    const [first] = normal.classes;
    const found = await trace('10.0.0.37', { classes: [first, new Failure('E_EXIT', 'tc broke')] });
    expect(found?.chains.flatMap(broken)).toEqual(['class: eth1 was not read: device "eth1": tc broke']);
    expect(found?.chains.map(kinds)).toEqual([[...VM1.slice(0, -1), 'class ?']]);
    const none = await trace('10.0.0.37', { qdiscs: new Failure('E_NOT_FOUND', 'no tc') });
    expect(none?.chains.flatMap(broken)).toEqual(['class: eth1 was not read: no tc']);
    expect(none?.problems.map(({ message }) => message)).toEqual(['no tc']);
  });

  it('flows that were not read are not said to be missing', async () => {
    const late = new Failure('E_TIMEOUT', 'no answer within 5 s');
    const scene = { flows: { xapi0: late, xenbr1: late } };
    const vif = await trace('vif2.1', scene);
    expect(vif?.chains.map(kinds)).toEqual([['interface vif2.1', 'flow ?']]);
    expect(vif?.chains.flatMap(broken)).toEqual(['flow: not read: no answer within 5 s']);
    expect(vif?.problems.map(({ message }) => message)).toEqual([
      'the flows of "xapi0", "xenbr1" are not known: no answer within 5 s',
    ]);
    const queue = await trace('13947', scene);
    expect(queue?.chains.map(kinds)).toEqual([['flow ?', ...VM1.slice(3)]]);
    expect(queue?.chains.flatMap(broken)).toEqual(['flow: not read: no answer within 5 s']);
  });

  it('the time between two readings is that between their beginnings', async () => {
    const asked: string[] = [];
    await trace('eth1', { asked });
    const own = asked.filter((one) => /^(?:tc|sleep|\/proc\/uptime)/.test(one)).map((one) => one.split(' ')[0]);
    expect(own).toEqual(['/proc/uptime', 'tc', 'tc', 'sleep', '/proc/uptime', 'tc', 'tc']);
  });

  it('without the database a class is still one', async () => {
    const found = await trace('1:367d', { database: gone });
    expect(found?.chains.map(kinds)).toEqual([['class eth1 1:367d']]);
    expect(found?.problems.map(({ message }) => message)).toEqual(['there is no database']);
    expect(factsOf(found?.chains[0], 'class')).toMatchObject({ drift: undefined, series: 'htb.eth1.1_367d' });
    expect((await trace('10.0.0.38', { database: gone }))?.chains).toEqual([]);
  });

  it('without flows Neutron’s queues still have their user', async () => {
    const flows = { xapi0: new Failure('E_DENIED', 'not you'), xenbr1: normal.flows.xenbr1 ?? '' };
    const found = await trace('vif3.1', { flows });
    expect(found?.chains.map((chain) => kinds(chain).map((hop) => hop.split(' ')[0]))).toEqual([
      ['interface', 'bridge', 'queue', 'qos', 'device', 'class'],
    ]);
    expect(found?.problems.map(({ code }) => code)).toEqual(['E_DENIED']);
  });

  it('a machine that does not say how long it ran has measured one second', async () => {
    const [chain] = (await trace('1:367d', { uptimes: [] }))?.chains ?? [];
    expect(factsOf(chain, 'class')?.now).toMatch(/^99233616 bit\/s .* over 1\.00 s/);
  });

  it('a class that was made anew meanwhile has no rate of now, nor has a machine that cannot wait', async () => {
    const [later, earlier] = normal.classes;
    const renewed = await trace('1:367d', { classes: [earlier, later] });
    expect(factsOf(renewed?.chains[0], 'class')?.now).toBeUndefined();
    const sleepless = await trace('1:367d', { sleep: new Failure('E_NOT_FOUND', 'no sleep') });
    expect(factsOf(sleepless?.chains[0], 'class')?.now).toBeUndefined();
    expect(sleepless?.problems.map(({ message }) => message)).toEqual(['no sleep']);
  });

  it('a drift is told with its reason', async () => {
    const drifted = normal.classes[1].replace('ceil 10Mbit', 'ceil 20Mbit');
    const [chain] = (await trace('1:367d', { classes: [drifted, drifted] }))?.chains ?? [];
    expect(factsOf(chain, 'class')?.drift).toBe('yes: ceil differs');
    const [raised] =
      (
        await trace('1:367d', {
          database: String(normal.database).replace('"min-rate","1000000"', '"min-rate","8"'),
          classes: [drifted, normal.classes[1].replace('rate 1Mbit', 'rate 12Kbit')],
        })
      )?.chains ?? [];
    expect(factsOf(raised, 'class')?.drift).toBe('none: raised to mtu');
  });
});

describe('what is asked for', () => {
  it.each([
    '',
    'ping',
    '1:',
    ':1',
    '10.0.0',
    '10.0.0.0/24',
    '999999',
    '-1',
    'eth1:',
    "vif2.1' or",
    '1:367c:1',
    '\n',
    '*',
  ])('is nothing of ours: %j', async (what) => {
    expect(await trace(what)).toBeUndefined();
  });

  it.each(['10.0.0.99', '13999', '1:9999', 'eth9/1:367c', '00000000-0000-0000-0000-000000000000'])(
    'is known to nobody here: %s',
    async (what) => {
      expect(await trace(what)).toMatchObject({ chains: [], problems: [] });
    },
  );
});
