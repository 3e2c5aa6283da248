/** Open vSwitch's daemons stopped, killed, hung, replaced: what the htb collector still tells, and how it recovers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { htb } from '../../collectors/htb/index.ts';
import { type Pipeline, pipelineOf, type Run } from '../support/htb-pipeline.ts';
import { addFilters, withStopped } from '../support/htb-scenes.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';

const reason = testbedReason();
const NAMES = { '1:1': 'default_1:1', '1:fffe': 'inner_1:fffe', '1:367c': 'vif2.1', '1:367d': 'vif3.1' };

describe.skipIf(reason !== undefined)(`htb beside${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  let one: Pipeline;
  beforeEach(async () => {
    testbed = await startTestbed();
    one = pipeline();
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
    const first = await one.read();
    expect(first.names('eth1')).toEqual(NAMES);
    expect(first.codes).toEqual([]);
    expect(first.total('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
  });
  afterEach(() => testbed?.close());

  const pipeline = (options: Record<string, unknown> = {}, more = {}): Pipeline =>
    pipelineOf(testbed, htb, { options: { rundir: testbed.rundir, flowsEvery: '1ms', ...options }, ...more });

  /** All numbers of the classes are there, under the names that they had, while something is wrong. */
  const expectStillThere = ({ failure, codes, names, values }: Run, code: string): void => {
    expect(failure).toBeUndefined();
    expect(codes).toEqual([code]);
    expect(names('eth1')).toEqual(NAMES);
    expect(values.get('eth1.vif2_1.ceil_bits_per_second')).toBe(614_400_000);
    expect(values.get('eth1.vif3_1.ceil_bits_per_second')).toBe(10_000_000);
  };
  /** All is well again, and what is sent is counted once, under the VIF's name. */
  const expectRecovery = async (): Promise<void> => {
    await eventually(async () => {
      const { codes, names } = await one.read();
      return codes.length === 0 && JSON.stringify(names('eth1')) === JSON.stringify(NAMES) ? true : undefined;
    }, 'the recovery');
    await addFilters(testbed);
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 20_000_000 });
    const last = await one.read();
    expect(last.codes).toEqual([]);
    expect(last.names('eth1')).toEqual(NAMES);
    expect(last.values.get('eth1.vif2_1.sent_bytes')).toBeGreaterThan(1_500_000);
    expect(last.values.get('eth1.drifted_queues')).toBe(0);
    expect(last.values.get('eth1.unused_classes')).toBe(0);
  };

  it('an ovs-vswitchd that is stopped', async () => {
    await testbed.stopVswitchd();
    const without = await one.read();
    expectStillThere(without, 'E_NOT_FOUND');
    const said = without.problems.map(({ message }) => message).sort();
    expect(said[0]).toMatch(/^who uses the queues behind bridge "xapi0": .*there is no such bridge now$/);
    expect(said).toHaveLength(2);
    expect(without.values.get('eth1.drifted_queues')).toBe(0);
    await testbed.startVswitchd();
    await testbed.addFlows();
    await expectRecovery();
  });

  it('an ovs-vswitchd that is killed', async () => {
    await testbed.killVswitchd();
    const without = await one.read();
    expectStillThere(without, 'E_CONNECT');
    expect(without.problems[0]?.message).toMatch(/nothing answers on its socket; is ovs-vswitchd running\?/);
    await testbed.startVswitchd();
    await testbed.addFlows();
    await expectRecovery();
  });

  it('an ovsdb-server that is stopped, and one that is killed', async () => {
    await testbed.stopOvsdb();
    const stopped = await one.read();
    expectStillThere(stopped, 'E_NOT_FOUND');
    expect(stopped.problems[0]?.message).toMatch(/db\.sock" does not exist; .*classes keep the names that they had$/);
    // Rows of before are not compared with the kernel of now.
    expect([...stopped.values.keys()].filter((series) => /drift/.test(series))).toEqual([]);
    await testbed.startOvsdb();
    await expectRecovery();
    await testbed.killOvsdb();
    expectStillThere(await one.read(), 'E_CONNECT');
    await testbed.startOvsdb();
    await expectRecovery();
  });

  it('a database that is replaced by an empty one', async () => {
    await testbed.replaceDatabase();
    const empty = await eventually(async () => {
      const run = await one.read();
      return run.values.get('eth1.vif2_1.ceil_bits_per_second') === undefined ? run : undefined;
    }, 'the end of the names');
    expect(empty.failure).toBeUndefined();
    expect(empty.codes).toEqual([]);
    await testbed.configure();
    await expectRecovery();
  });

  it('a bridge that is deleted within a run', async () => {
    let deleted = false;
    const before = async (argv: readonly string[]): Promise<void> => {
      if (deleted || !argv.includes('dump-aggregate') || !argv.at(-1)?.includes('/xapi0.')) return;
      deleted = true;
      await testbed.vsctl('del-br', 'xapi0');
    };
    const two = pipeline({}, { before });
    const within = await two.read();
    expect(deleted).toBe(true);
    expect(within.failure).toBeUndefined();
    expect(within.codes).toEqual(['E_NOT_FOUND']);
    expect(within.values.get('eth1.classes')).toBe(4);
    // Behind the other bridge nothing says any more who uses which queue.
    const after = await one.read();
    expect(after.codes).toEqual([]);
    expect(after.names('eth1')).toEqual({ ...NAMES, '1:367c': '1:367c', '1:367d': expect.stringMatching(/^e1d2/) });
    await one.read();
    expect(one.history('eth1.vif2_1.ceil_bits_per_second').slice(-2)).toEqual([0, undefined]);
  });

  it('daemons that hang', async () => {
    await withStopped(testbed, 'ovs-vswitchd', async () => {
      const hung = await one.read();
      expectStillThere(hung, 'E_TIMEOUT');
      expect(hung.durationMs).toBeLessThan(6000);
    });
    await expectRecovery();
    await withStopped(testbed, 'ovsdb-server', async () => {
      expectStillThere(await one.read(), 'E_TIMEOUT');
    });
    await expectRecovery();
  });
});
