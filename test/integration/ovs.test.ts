/** The ovs collector on the testbed, run by run: every number beside what Open vSwitch's own programs and /proc say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OvsRun, type OvsRuns, ovsRuns, type RunOptions } from '../support/ovs-runs.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason, VIFS } from '../support/testbed.ts';

const reason = testbedReason();
const INTERFACES = ['vif2.1', 'vif3.1', 'up', 'xapi0', 'eth1', 'down', 'xenbr1'];
/** memory/show names what there is any of: connections of ovs-ofctl, flows of the datapath. A ratio needs packets. */
const FLEETING = /\.memory_objects$|\.miss_ratio$/;
const bridgeOf = (name: string): string => (['eth1', 'down', 'xenbr1'].includes(name) ? 'xenbr1' : 'xapi0');
const clean = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_');

describe.skipIf(reason !== undefined)(`ovs${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  const opened: OvsRuns[] = [];
  beforeAll(async () => {
    testbed = await startTestbed();
    await flood('vm1', 1000);
  });
  afterEach(async () => {
    for (const runs of opened.splice(0)) await runs.close();
  });
  afterAll(() => testbed?.close());

  const runsOf = (options: Record<string, unknown> = {}, more: RunOptions = {}): OvsRuns => {
    const runs = ovsRuns(testbed, { options, ...more });
    opened.push(runs);
    return runs;
  };
  /** Packets to the outside, and as many back. */
  const flood = async (from: 'vm1' | 'vm2', packets: number, bytes = 1000): Promise<string> =>
    testbed.inside(from, ['ping', '-q', '-f', '-c', String(packets), '-s', String(bytes), '10.0.0.1']);
  /** A run, and what Open vSwitch itself says, in a moment in which that did not change. */
  const beside = async <Truth>(runs: OvsRuns, look: () => Promise<Truth>): Promise<{ run: OvsRun; truth: Truth }> =>
    eventually(async () => {
      const truth = await look();
      const run = await runs.read();
      return JSON.stringify(truth) === JSON.stringify(await look()) ? { run, truth } : undefined;
    }, 'a moment of silence');
  const mgmt = (bridge: string): string => `unix:${testbed.rundir}/${bridge}.mgmt`;
  /** `key=value` or `key:value` pairs, as Open vSwitch's programs print them. */
  const pairs = (text: string): Record<string, number> =>
    Object.fromEntries(
      [...text.matchAll(/([A-Za-z_]+)[=:]"?(\d+)"?(?![\d.])/g)].map(([, key, value]) => [key, Number(value)]),
    );
  const aggregate = async (bridge: string, match = ''): Promise<Record<string, number>> =>
    pairs(await testbed.ofctl('dump-aggregate', mgmt(bridge), match));
  const column = async (name: string, what: string): Promise<string> =>
    (await testbed.vsctl('get', 'Interface', name, what)).trim();

  it('tells of each interface what the database says, and that is what the kernel counts', async () => {
    const runs = runsOf();
    // vswitchd writes statistics every 5 s.
    const kernel = async (): Promise<Record<string, number>> => {
      const [link] = JSON.parse(await testbed.inside('hv', ['ip', '-s', '-j', 'link', 'show', 'eth1']));
      const { rx, tx } = link.stats64;
      return { rx_bytes: rx.bytes, rx_packets: rx.packets, tx_bytes: tx.bytes, tx_packets: tx.packets };
    };
    const { run, truth } = await eventually(async () => {
      const seen = await beside(runs, kernel);
      return seen.run.at('xenbr1.eth1.tx_bytes') === seen.truth.tx_bytes ? seen : undefined;
    }, 'the statistics');
    expect(truth.tx_bytes).toBeGreaterThan(1_000_000);
    for (const [key, value] of Object.entries(truth)) expect(run.at(`xenbr1.eth1.${key}`), key).toBe(value);

    const rows = (): Promise<string[]> => Promise.all(INTERFACES.map((name) => column(name, 'statistics')));
    const seen = await beside(runs, rows);
    expect(seen.run.told).toEqual([]);
    let counters = 0;
    for (const [index, name] of INTERFACES.entries()) {
      const base = `${bridgeOf(name)}.${clean(name)}`;
      for (const [key, value] of Object.entries(pairs(seen.truth[index] ?? ''))) {
        expect(seen.run.at(`${base}.${key}`), `${base}.${key}`).toBe(value);
        counters += 1;
      }
      expect(seen.run.at(`${base}.link_up`)).toBe((await column(name, 'link_state')) === 'up' ? 1 : 0);
      expect(seen.run.at(`${base}.admin_up`)).toBe((await column(name, 'admin_state')) === 'up' ? 1 : 0);
      expect(seen.run.at(`${base}.link_resets`)).toBe(Number(await column(name, 'link_resets')));
      for (const [metric, what] of [
        ['mtu_bytes', 'mtu'],
        ['link_bits_per_second', 'link_speed'],
      ] as const) {
        const value = await column(name, what);
        expect(seen.run.at(`${base}.${metric}`), `${base}.${metric}`).toBe(value === '[]' ? undefined : Number(value));
      }
      expect(seen.run.at(`${base}.interface_error`)).toBe(0);
    }
    expect(counters).toBe(5 * 14 + 2 * 4);
  });

  it('tells of flows, tables and ports what ovs-ofctl prints, and nothing where that is "?"', async () => {
    const runs = runsOf({ tables: true, ports: true });
    await flood('vm1', 200);
    for (const bridge of ['xapi0', 'xenbr1']) {
      const { run, truth } = await beside(runs, async () => ({
        all: await aggregate(bridge),
        first: await aggregate(bridge, 'table=0'),
        table: pairs((await testbed.ofctl('dump-tables', mgmt(bridge))).split('\n').slice(1, 4).join(' ')),
        ports: await testbed.ofctl('--no-names', 'dump-ports', mgmt(bridge)),
      }));
      expect(run.told).toEqual([]);
      expect(run.at(`${bridge}.flows`)).toBe(truth.all.flow_count);
      expect(run.at(`${bridge}.packets`)).toBe(truth.first.packet_count);
      expect(run.at(`${bridge}.bytes`)).toBe(truth.first.byte_count);
      expect(run.at(`${bridge}.packets`)).toBeGreaterThan(1000);
      expect(run.at(`${bridge}.0.table_flows`)).toBe(truth.table.active);
      expect(run.at(`${bridge}.0.table_lookups`)).toBe(truth.table.lookup);
      expect(run.at(`${bridge}.0.table_matched`)).toBe(truth.table.matched);
      for (const name of INTERFACES.filter((one) => bridgeOf(one) === bridge && one !== bridge)) {
        const ofport = await column(name, 'ofport');
        const text = new RegExp(`port +${ofport}: rx (.*)\\n +tx (.*)\\n`).exec(truth.ports) ?? [];
        const base = `${bridge}.${clean(name)}.openflow`;
        expect(run.at(`${base}_rx_packets`), base).toBe(pairs(text[1] ?? '').pkts);
        expect(run.at(`${base}_tx_bytes`), base).toBe(pairs(text[2] ?? '').bytes);
        const isPatch = name === 'up' || name === 'down';
        expect(text[1]?.includes('drop=?')).toBe(isPatch);
        expect(run.at(`${base}_rx_dropped`)).toBe(isPatch ? undefined : 0);
        expect(run.at(`${base}_tx_collisions`)).toBe(isPatch ? undefined : 0);
      }
    }
  });

  it('counts a packet once that goes through several tables', async () => {
    const runs = runsOf({ bridges: ['xapi0'], tables: true });
    await testbed.ofctl('replace-flows', mgmt('xapi0'), '/dev/null');
    const flows = ['table=0,actions=resubmit(,1)', 'table=1,actions=resubmit(,2)', 'table=2,actions=normal'];
    for (const flow of flows) await testbed.ofctl('add-flow', mgmt('xapi0'), flow);
    try {
      await runs.read();
      const before = await aggregate('xapi0', 'table=0');
      await flood('vm1', 500);
      const look = async () => ({ all: await aggregate('xapi0'), first: await aggregate('xapi0', 'table=0') });
      const since = (now: Record<string, number>): number => (now.packet_count ?? 0) - (before.packet_count ?? 0);
      // The flows of the datapath are added to those of the bridge twice a second.
      await eventually(async () => (since((await look()).first) >= 1000 ? true : undefined), 'the packets');
      const { run, truth } = await beside(runs, look);
      const packets = since(truth.first);
      // Both ways.
      expect(packets).toBeLessThan(1100);
      expect(truth.all.packet_count).toBeGreaterThanOrEqual(3 * packets);
      expect(run.at('xapi0.flows')).toBe(3);
      expect(run.at('xapi0.packets')).toBe(truth.first.packet_count);
      expect(runs.history('xapi0.packets').reduce<number>((sum, value) => sum + (value ?? 0), 0)).toBe(packets);
      expect([0, 1, 2, 3].map((table) => run.at(`xapi0.${table}.table_flows`))).toEqual([1, 1, 1, undefined]);
    } finally {
      await testbed.addFlows();
    }
  });

  it('tells what vswitchd and the daemons say of themselves', async () => {
    const runs = runsOf({ coverage: ['upcalls', 'mainloop'] });
    // What the init scripts write.
    await testbed.vsctl('set', 'Open_vSwitch', '.', 'db_version=8.3.1');
    const ask = async (daemon: string, command: string): Promise<string> => testbed.appctl('-t', daemon, command);
    const { run, truth } = await beside(runs, async () => {
      const [dpctl, upcall, memory, database] = await Promise.all([
        ask('ovs-vswitchd', 'dpctl/show'),
        ask('ovs-vswitchd', 'upcall/show'),
        ask('ovs-vswitchd', 'memory/show'),
        ask('ovsdb-server', 'memory/show'),
      ]);
      const { hit, missed, lost, flows } = pairs(dpctl.replace('flows: ', 'flows:'));
      const { limit } = pairs(upcall.replace('(limit ', 'limit:'));
      return { hit, missed, lost, flows, limit, rules: pairs(memory).rules, monitors: pairs(database).monitors };
    });
    expect(run.told).toEqual([]);
    const dp = 'netdev_ovs-netdev';
    for (const [metric, value] of [
      ['hit', truth.hit],
      ['missed', truth.missed],
      ['lost', truth.lost],
      ['datapath_flows', truth.flows],
      ['upcall_flows_limit', truth.limit],
    ] as const)
      expect(run.at(`${dp}.${metric}`), metric).toBe(value);
    expect(truth.hit).toBeGreaterThan(1000);
    for (const metric of ['upcall_flows', 'upcall_flows_average', 'upcall_flows_max', 'upcall_dump_seconds'])
      expect(run.at(`${dp}.${metric}`), metric).toBeGreaterThanOrEqual(0);
    expect(run.at('ovs-vswitchd.rules.memory_objects')).toBe(truth.rules);
    expect(run.at('ovsdb-server.monitors.memory_objects')).toBe(truth.monitors);

    // What never happened is 0; what happened is what vswitchd prints, before and after.
    const total = async (event: string): Promise<number> =>
      Number(new RegExp(`^${event} .*total: (\\d+)$`, 'm').exec(await ask('ovs-vswitchd', 'coverage/show'))?.[1] ?? 0);
    const from = { extract: await total('flow_extract'), wakeups: await total('util_xalloc') };
    const counted = await runs.read();
    const to = { extract: await total('flow_extract'), wakeups: await total('util_xalloc') };
    expect(from.wakeups).toBeGreaterThan(0);
    expect(counted.at('flow_extract.coverage_events')).toBeGreaterThanOrEqual(from.extract);
    expect(counted.at('flow_extract.coverage_events')).toBeLessThanOrEqual(to.extract);
    expect(counted.at('util_xalloc.coverage_events')).toBeGreaterThanOrEqual(from.wakeups);
    expect(counted.at('util_xalloc.coverage_events')).toBeLessThanOrEqual(to.wakeups);
    expect(counted.at('dpif_flow_put_error.coverage_events')).toBe(0);

    const [, version = ''] = /\(Open vSwitch\) (\S+)/.exec(await ask('ovs-vswitchd', 'version')) ?? [];
    expect(run.at('8_3_1.schema_info')).toBe(1);
    expect(run.at('ovsdb_reply_seconds')).toBeGreaterThan(0);
    expect(run.at('ovsdb_reply_seconds')).toBeLessThan(1);
    expect(run.at('statistics_interval_seconds')).toBe(5);
    expect(run.at('statistics_oversampled')).toBe(0);
    for (const daemon of ['ovs-vswitchd', 'ovsdb-server']) {
      const pid = readFileSync(join(testbed.rundir, `${daemon}.pid`), 'utf8').trim();
      const threads = Number(/^Threads:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      const used = (): number => {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
        return (Number(fields[11]) + Number(fields[12])) / 100;
      };
      const [etimes = '', rss = ''] = (await testbed.inside('hv', ['ps', '-o', 'etimes=,rss=', '-p', pid]))
        .trim()
        .split(/\s+/);
      const least = used();
      const now = await runs.read();
      expect(now.at(`${daemon}.running`)).toBe(1);
      expect(now.at(`${daemon}.restarts`)).toBe(0);
      expect(now.at(`${daemon}.${clean(version)}.version_info`)).toBe(1);
      expect(now.at(`${daemon}.threads`)).toBe(threads);
      expect(now.at(`${daemon}.cpu_seconds`)).toBeGreaterThanOrEqual(least);
      expect(now.at(`${daemon}.cpu_seconds`)).toBeLessThanOrEqual(used());
      expect(Math.abs((now.at(`${daemon}.uptime_seconds`) ?? Number.NaN) - Number(etimes))).toBeLessThan(3);
      const resident = now.at(`${daemon}.resident_bytes`) ?? Number.NaN;
      expect(resident / (Number(rss) * 1024)).toBeGreaterThan(0.8);
      expect(resident / (Number(rss) * 1024)).toBeLessThan(1.25);
    }
  });

  it('follows a link that goes down and comes back, the fail mode and the rhythm of statistics', async () => {
    const runs = runsOf();
    const first = await runs.read();
    const resets = first.at('xenbr1.eth1.link_resets') ?? Number.NaN;
    expect(first.at('xenbr1.eth1.link_up')).toBe(1);
    expect(first.at('xapi0.fail_secure')).toBe(0);
    await Promise.all([
      testbed.inside('ext', ['ip', 'link', 'set', 'peer', 'down']),
      testbed.vsctl(
        'set-fail-mode',
        'xapi0',
        'secure',
        '--',
        'set',
        'Open_vSwitch',
        '.',
        'other_config:stats-update-interval=20000',
      ),
    ]);
    try {
      const down = await runs.until(({ at }) => at('xenbr1.eth1.link_up') === 0, 'the end of the link');
      // Statistics of every 20 s are behind a job of every 10 s.
      expect(down.told).toEqual([expect.stringMatching(/^E_CONFIG the job runs every 10 s, .* every 20 s /)]);
      expect(down.at('statistics_oversampled')).toBe(1);
      expect(down.at('xenbr1.eth1.admin_up')).toBe(1);
      expect(down.at('xapi0.vif2_1.link_up')).toBe(1);
      expect(down.at('xapi0.fail_secure')).toBe(1);
      expect(down.at('xenbr1.fail_secure')).toBe(0);
      expect(down.at('statistics_interval_seconds')).toBe(20);
    } finally {
      await Promise.all([
        testbed.inside('ext', ['ip', 'link', 'set', 'peer', 'up']),
        testbed.vsctl(
          'del-fail-mode',
          'xapi0',
          '--',
          'remove',
          'Open_vSwitch',
          '.',
          'other_config',
          'stats-update-interval',
        ),
      ]);
    }
    const up = await runs.until(
      ({ at }) => at('xenbr1.eth1.link_up') === 1 && at('xapi0.fail_secure') === 0,
      'the link',
    );
    expect(up.at('xenbr1.eth1.link_resets')).toBe(resets + 2);
    // A bridge that changes its fail mode forgets its flows.
    await testbed.addFlows();
    const sent = runs.history('xenbr1.eth1.link_resets').reduce<number>((sum, value) => sum + (value ?? 0), 0);
    expect(sent).toBe(2);
  });

  it('asks the switch for groups of flows, and tells of a wrong match as of that group only', async () => {
    const runs = runsOf({
      flows: [
        { name: 'vm1', match: `table=0,ip,nw_src=${VIFS['vif2.1'].address}`, bridges: ['xapi0'] },
        { name: 'all', match: '' },
        { name: 'wrong', match: 'table=0,no_such_field=1' },
        { name: 'option', match: '--help' },
        { name: 'cookie', match: 'cookie=0x7/-1', bridges: ['xenbr1'] },
      ],
    });
    await testbed.ofctl('add-flow', mgmt('xenbr1'), 'cookie=0x7,priority=5,arp,actions=normal');
    try {
      const { run, truth } = await beside(runs, async () => ({
        vm1: await aggregate('xapi0', `table=0,ip,nw_src=${VIFS['vif2.1'].address}`),
        xapi0: await aggregate('xapi0'),
        xenbr1: await aggregate('xenbr1'),
        cookie: await aggregate('xenbr1', 'cookie=0x7/-1'),
      }));
      for (const [series, sums] of Object.entries({
        'xapi0.vm1': truth.vm1,
        'xapi0.all': truth.xapi0,
        'xenbr1.all': truth.xenbr1,
        'xenbr1.cookie': truth.cookie,
      })) {
        expect(run.at(`${series}.matched_flows`), series).toBe(sums?.flow_count);
        expect(run.at(`${series}.matched_packets`), series).toBe(sums?.packet_count);
        expect(run.at(`${series}.matched_bytes`), series).toBe(sums?.byte_count);
      }
      expect(truth.vm1.flow_count).toBe(1);
      expect(truth.cookie.flow_count).toBe(1);
      expect([...run.told].sort()).toEqual([
        expect.stringMatching(
          /^E_EXIT group "option" of flows: ovs-ofctl dump-aggregate at bridge "x[a-z0-9]+": "field --help missing value"$/,
        ),
        expect.stringMatching(/^E_EXIT group "wrong" of flows: .*unknown keyword no_such_field/),
      ]);
      expect([...run.values.keys()].filter((name) => /\.(?:wrong|option)\./.test(name))).toEqual([]);
      expect(run.at('xapi0.flows')).toBe(5);
      for (const { evidence } of run.problems) expect(evidence.labels?.match).toMatch(/^(?:wrong|option)$/);
    } finally {
      await testbed.ofctl('del-flows', mgmt('xenbr1'), 'cookie=0x7/-1');
    }
  });

  it('keeps its pace: the sums of a bridge are left out above the limit, and come back without a spike', async () => {
    const runs = runsOf({ bridges: ['xapi0'], aggregateLimit: 100 });
    await flood('vm1', 200);
    await runs.until(({ at }) => (at('xapi0.packets') ?? 0) >= 400, 'the packets');
    const more = Array.from({ length: 100 }, (_, n) => `cookie=0x9,udp,nw_dst=192.0.2.${n},actions=drop`).join('\n');
    await testbed.inside('hv', ['ovs-ofctl', 'add-flows', mgmt('xapi0'), '-'], { input: `${more}\n` });
    const many = await runs.read();
    expect(many.told).toEqual([]);
    expect(many.at('xapi0.flows')).toBe(105);
    expect(many.at('xapi0.packets')).toBeUndefined();
    await testbed.ofctl('del-flows', mgmt('xapi0'), 'cookie=0x9/-1');
    expect((await runs.read()).values.get('xapi0.packets')).toBeUndefined();
    expect((await runs.read()).values.get('xapi0.packets')).toBeLessThan(100);
  });

  it('hostile names: each is its own interface, and none makes another series', async () => {
    // The kernel refuses blanks, slashes and colons, and more than 15 bytes.
    const devices = ['a|b"c\'d;e', 'é√-µ.x', '$(reboot)', '-x=1,y'];
    // Patch ports are only Open vSwitch's.
    const patches = [
      'two words',
      'x:1|c',
      'line\nbreak:1|g',
      '"quoted"',
      `${'long'.repeat(16)}`,
      '--',
      '..',
      'ü'.repeat(30),
    ];
    const runs = runsOf({ ports: true, tables: true });
    await runs.read();
    await runs.read();
    const before = await runs.read();
    await Promise.all(devices.map((name) => testbed.inside('hv', ['ip', 'link', 'add', 'name', name, 'type', 'veth'])));
    const made = [...devices, ...patches].flatMap((name, index) => [
      ...['--', `--id=@i${index}`, 'create', 'Interface', `name=${JSON.stringify(name)}`],
      ...(index < devices.length ? [] : ['type=patch', `options:peer=nobody${index}`]),
      ...['--', `--id=@p${index}`, 'create', 'Port', `name=${JSON.stringify(name)}`, `interfaces=@i${index}`],
      ...['--', 'add', 'Bridge', 'xapi0', 'ports', `@p${index}`],
    ]);
    await testbed.vsctl(...made.slice(1));
    try {
      await runs.read();
      const { values, told, problems } = await runs.until(
        ({ at }) => devices.every((name) => at(`xapi0.${clean(name)}.rx_bytes`) !== undefined),
        'the devices',
      );
      for (const name of [...devices, ...patches])
        expect(values.has(`xapi0.${clean(name)}.interface_error`), name).toBe(true);
      for (const name of values.keys()) expect(name).toMatch(/^[A-Za-z0-9_.-]+$/);
      // The others are told as before.
      const own = [...before.values.keys()].filter((name) => !FLEETING.test(name));
      for (const name of own) expect([...values.keys()], name).toContain(name);
      expect(told).toEqual([]);
      expect(problems).toEqual([]);
    } finally {
      const ports = (await testbed.vsctl('--columns=_uuid,name', '--format=json', 'list', 'Port')).trim();
      const rows = (JSON.parse(ports).data as [[string, string], string][]).filter(([, name]) =>
        [...devices, ...patches].includes(name),
      );
      await testbed.vsctl(...rows.flatMap(([[, uuid]]) => ['--', 'remove', 'Bridge', 'xapi0', 'ports', uuid]).slice(1));
      for (const name of devices) await testbed.inside('hv', ['ip', 'link', 'delete', 'dev', name]);
    }
    const after = await runs.read();
    const added = [...after.values].filter(([name]) => !before.values.has(name) && !FLEETING.test(name));
    expect(added.filter(([, value]) => value !== 0)).toEqual([]);
    await runs.read();
    const namesOf = ({ values }: OvsRun): string[] => [...values.keys()].filter((name) => !FLEETING.test(name)).sort();
    expect(namesOf(await runs.read())).toEqual(namesOf(before));
  });
});
