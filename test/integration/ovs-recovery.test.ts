/** Open vSwitch's daemons stopped, killed, hung, replaced, and bridges deleted: what the ovs collector still tells. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withStopped } from '../support/htb-scenes.ts';
import { type OvsRun, type OvsRuns, ovsRuns, type RunOptions } from '../support/ovs-runs.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';

const reason = testbedReason();
/** What the database says of interfaces, and what the bridges, vswitchd and the database say of themselves. */
const INTERFACES = /\.(?:[rt]x_[a-z_]+|link_[a-z_]+|admin_up|mtu_bytes|interface_error)$/;
const BRIDGES = /^(?:xapi0|xenbr1)\.(?:flows|packets|bytes)$/;
const SWITCH = /^(?:netdev_ovs-netdev\.|[a-z_]+\.coverage_events)/;
const DATABASE = /^(?:ovsdb_reply_seconds|statistics_interval_seconds|x[a-z0-9]+\.fail_secure)$/;

const has = ({ values }: OvsRun, kind: RegExp): boolean => [...values.keys()].some((name) => kind.test(name));

describe.skipIf(reason !== undefined)(`ovs beside${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  let one: OvsRuns;
  const opened: OvsRuns[] = [];
  const runsOf = (more?: RunOptions): OvsRuns => {
    const runs = ovsRuns(testbed, more);
    opened.push(runs);
    return runs;
  };
  beforeEach(async () => {
    testbed = await startTestbed();
    // What devices have counted before anybody looks is nobody's increment.
    await flood(2000);
    one = runsOf({ options: { ports: true, tables: true } });
    const first = await one.read();
    expect(first.told).toEqual([]);
    for (const kind of [INTERFACES, BRIDGES, SWITCH, DATABASE]) expect(has(first, kind)).toBe(true);
  });
  afterEach(async () => {
    for (const runs of opened.splice(0)) await runs.close();
    await testbed?.close();
  });

  /** Packets to the outside, and as many back. */
  const flood = async (packets: number): Promise<string> =>
    testbed.inside('vm1', ['ping', '-q', '-f', '-c', String(packets), '-s', '1400', '10.0.0.1']);
  const sumOf = (series: string): number => one.history(series).reduce<number>((sum, count) => sum + (count ?? 0), 0);
  /** All is well again, and what is sent then is counted, once. */
  const expectRecovery = async (): Promise<void> => {
    const before = await one.until(
      ({ told, at }) =>
        told.length === 0 && at('xapi0.packets') !== undefined && at('xenbr1.eth1.tx_bytes') !== undefined,
      'the recovery',
    );
    const counted = sumOf('xapi0.packets');
    await flood(300);
    const more = ({ at }: OvsRun): number => (at('xapi0.packets') ?? 0) - (before.at('xapi0.packets') ?? 0);
    const after = await one.until((run) => more(run) >= 600, 'the packets');
    expect(after.told).toEqual([]);
    for (const kind of [INTERFACES, BRIDGES, SWITCH, DATABASE]) expect(has(after, kind)).toBe(true);
    expect(sumOf('xapi0.packets') - counted).toBe(more(after));
    for (const daemon of ['ovs-vswitchd', 'ovsdb-server']) expect(after.values.get(`${daemon}.running`)).toBe(1);
  };

  it('an ovs-vswitchd that is stopped, and one that is killed', async () => {
    for (const [how, code] of [
      ['stopVswitchd', 'E_NOT_FOUND'],
      ['killVswitchd', 'E_CONNECT'],
    ] as const) {
      await testbed[how]();
      for (const memory of [0, undefined]) {
        const without = await one.read();
        expect(without.failure).toBeUndefined();
        expect(without.told).toEqual([
          expect.stringMatching(new RegExp(`^${code} (?:ovs-vswitchd does not run|the connection to ovs-vswitchd)`)),
        ]);
        expect(without.values.get('ovs-vswitchd.running')).toBe(0);
        expect(without.values.get('ovsdb-server.running')).toBe(1);
        expect(without.values.get('ovsdb-server.resident_bytes')).toBeGreaterThan(1e6);
        for (const kind of [INTERFACES, BRIDGES, SWITCH]) expect(has(without, kind)).toBe(false);
        expect(has(without, DATABASE)).toBe(true);
        // 0 once, and then silence.
        expect(without.values.get('ovs-vswitchd.resident_bytes')).toBe(memory);
      }
      const restarts = sumOf('ovs-vswitchd.restarts');
      await testbed.startVswitchd();
      await testbed.addFlows();
      await expectRecovery();
      expect(sumOf('ovs-vswitchd.restarts')).toBe(restarts + 1);
    }
    expect(sumOf('ovs-vswitchd.restarts')).toBe(2);
    expect(sumOf('ovsdb-server.restarts')).toBe(0);
  });

  it('an ovs-vswitchd that was restarted between two runs', async () => {
    await testbed.killVswitchd();
    await testbed.startVswitchd();
    await testbed.addFlows();
    await one.until(({ values }) => values.has('ovs-vswitchd.restarts'), 'the restart');
    await expectRecovery();
    expect(sumOf('ovs-vswitchd.restarts')).toBe(1);
  });

  it('an ovsdb-server that is stopped, and one that is killed', async () => {
    for (const [how, code] of [
      ['stopOvsdb', 'E_NOT_FOUND'],
      ['killOvsdb', 'E_CONNECT'],
    ] as const) {
      await testbed[how]();
      const without = await one.read();
      expect(without.failure).toBeUndefined();
      expect(without.told).toEqual([expect.stringMatching(new RegExp(`^${code} .*db\\.sock`))]);
      expect(without.durationMs).toBeLessThan(1000);
      expect(without.values.get('ovsdb-server.running')).toBe(0);
      expect(without.values.get('ovs-vswitchd.running')).toBe(1);
      // Rows of before are no news, and without the database vswitchd answers no OpenFlow.
      expect(has(without, /\.(?:rx_bytes|link_up|fail_secure|flows)$/)).toBe(false);
      expect(has(without, SWITCH)).toBe(true);
      await testbed.startOvsdb();
      await expectRecovery();
    }
    expect(sumOf('ovsdb-server.restarts')).toBe(2);
    expect(sumOf('ovsdb_resyncs')).toBe(2);
    expect(sumOf('ovs-vswitchd.restarts')).toBe(0);
  });

  it('both gone: neither runs, and nothing else is told', async () => {
    await testbed.stopVswitchd();
    await testbed.stopOvsdb();
    const empty = await one.read();
    expect(empty.failure).toBeUndefined();
    expect(empty.problems.map(({ code }) => code)).toEqual(['E_NOT_FOUND', 'E_NOT_FOUND']);
    const silent = await one.read();
    for (const daemon of ['ovs-vswitchd', 'ovsdb-server']) expect(silent.values.get(`${daemon}.running`)).toBe(0);
    expect([...silent.values.keys()].filter((name) => !/\.(?:running|restarts)$/.test(name))).toEqual([]);
    await testbed.startOvsdb();
    await testbed.startVswitchd();
    await testbed.addFlows();
    await expectRecovery();
    for (const daemon of ['ovs-vswitchd', 'ovsdb-server']) expect(sumOf(`${daemon}.restarts`)).toBe(1);
    // Where Open vSwitch never was, the run fails.
    const nowhere = await runsOf({ options: { rundir: `${testbed.rundir}/nowhere` } }).read();
    expect(nowhere.failure).toMatchObject({ code: 'E_NOT_FOUND' });
    expect(nowhere.failure?.message).toMatch(/^no Open vSwitch in ".*nowhere": /);
  });

  it('a database that is replaced by an empty one', async () => {
    await testbed.replaceDatabase();
    const empty = await one.until(({ values }) => values.get('xenbr1.eth1.link_up') === 0, 'the end of the rows');
    expect(empty.failure).toBeUndefined();
    await one.until(({ told }) => told.length === 0, 'the end of the bridges');
    expect(has(await one.read(), /^(?:xapi0|xenbr1)\./)).toBe(false);
    await testbed.configure();
    await expectRecovery();
  });

  it('a bridge that is deleted within a run, and made again around the same device', async () => {
    let deleted = 0;
    const before = async (argv: readonly string[]): Promise<void> => {
      if (!argv.some((word) => word.endsWith('/xenbr1.mgmt')) || deleted++ > 0) return;
      await testbed.vsctl('del-br', 'xenbr1');
    };
    const two = runsOf({ before });
    const within = await two.read();
    expect(deleted).toBe(1);
    expect(within.failure).toBeUndefined();
    expect(within.told).toEqual([]);
    expect(within.at('xapi0.flows')).toBe(5);
    const after = await one.read();
    expect(after.told).toEqual([]);
    expect(after.values.get('xenbr1.flows') ?? 0).toBe(0);
    expect(after.values.get('xenbr1.eth1.link_up')).toBe(0);
    expect(has(await one.read(), /^xenbr1\./)).toBe(false);
    await testbed.vsctl(
      ...[
        'add-br',
        'xenbr1',
        '--',
        'set',
        'Bridge',
        'xenbr1',
        'datapath_type=netdev',
        '--',
        'add-port',
        'xenbr1',
        'eth1',
      ],
      ...['--', 'add-port', 'xenbr1', 'down', '--', 'set', 'Interface', 'down', 'type=patch', 'options:peer=up'],
    );
    await expectRecovery();
    // And at another one: the device goes on counting, and nothing that it has counted comes again.
    await testbed.vsctl('del-port', 'xenbr1', 'eth1', '--', 'add-port', 'xapi0', 'eth1');
    const moved = await one.until(({ at }) => at('xapi0.eth1.tx_bytes') !== undefined, 'the device at its new bridge');
    expect(moved.at('xapi0.eth1.tx_bytes')).toBeGreaterThan(2_000_000);
    expect(sumOf('xapi0.eth1.tx_bytes')).toBeLessThan(100_000);
    expect(sumOf('xapi0.eth1.openflow_tx_bytes')).toBeLessThan(100_000);
  });

  it('a VIF that is unplugged and plugged again, and one whose device goes away under its port', async () => {
    await testbed.unplugVif('vif2.1');
    const without = await one.read();
    expect(without.told).toEqual([]);
    expect(without.values.get('xapi0.vif2_1.link_up')).toBe(0);
    expect(has(await one.read(), /vif2_1/)).toBe(false);
    await testbed.plugVif('vif2.1');
    await one.until(({ at }) => at('xapi0.vif2_1.rx_bytes') !== undefined, 'the VIF');
    await expectRecovery();

    await testbed.inside('hv', ['ip', 'link', 'delete', 'vif3.1']);
    await testbed.vsctl('--no-wait', 'add-port', 'xapi0', 'nosuch0');
    const broken = await one.until(
      ({ at }) => at('xapi0.nosuch0.interface_error') === 1 && at('xapi0.vif3_1.link_up') === 0,
      'the end of the device',
    );
    expect(broken.told).toEqual([]);
    expect(broken.at('xapi0.nosuch0.rx_bytes')).toBeUndefined();
    expect(broken.at('xapi0.vif2_1.interface_error')).toBe(0);
    await testbed.vsctl('del-port', 'xapi0', 'nosuch0');
    await testbed.vsctl('del-port', 'xapi0', 'vif3.1');
    await testbed.plugVif('vif3.1');
    await one.until(({ at }) => at('xapi0.vif3_1.rx_bytes') !== undefined, 'the other VIF');
    await expectRecovery();
  });

  it('daemons that hang', async () => {
    await withStopped(testbed, 'ovs-vswitchd', async () => {
      const hung = await one.read();
      expect(hung.failure).toBeUndefined();
      expect(hung.told).toEqual([
        expect.stringMatching(/^E_TIMEOUT ovs-vswitchd \(pid \d+\) did not answer .* is it stopped/),
      ]);
      expect(hung.durationMs).toBeLessThan(5000);
      expect(hung.values.get('ovs-vswitchd.running')).toBe(1);
      for (const kind of [INTERFACES, BRIDGES, SWITCH]) expect(has(hung, kind)).toBe(false);
    });
    await expectRecovery();
    await withStopped(testbed, 'ovsdb-server', async () => {
      const hung = await one.read();
      expect(hung.failure).toBeUndefined();
      expect(new Set(hung.problems.map(({ code }) => code))).toEqual(new Set(['E_TIMEOUT']));
      expect(hung.values.get('ovsdb-server.running')).toBe(1);
      expect(has(hung, SWITCH)).toBe(true);
    });
    await expectRecovery();
    expect(sumOf('ovs-vswitchd.restarts') + sumOf('ovsdb-server.restarts')).toBe(0);
  });
});
