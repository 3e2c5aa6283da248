/** The client of ovs-ofctl against a real vswitchd (its dummy datapath needs no right), in a directory of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localTarget } from '../src/hosts/local.ts';
import { queueUses } from '../src/ovs/flows.ts';
import { openflow } from '../src/ovs/openflow.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const folder = mkdtempSync(join(tmpdir(), 'edgestatd-openflow-'));
const database = `unix:${folder}/db.sock`;
const env = { ...process.env, OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder, OVS_SYSCONFDIR: folder };
const daemons: ChildProcess[] = [];
const target = localTarget('here');
const ended = new AbortController();
const client = openflow(target.open(ended.signal), folder, { timeoutSeconds: 1 });

function must(program: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', env, timeout: 15_000 });
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: ${stderr}`);
}
const vsctl = (...args: string[]): void => must('ovs-vsctl', `--db=${database}`, '--timeout=10', '--', ...args);
const daemon = (program: string, ...args: string[]): ChildProcess => {
  const child = spawn(program, args, { env, stdio: 'ignore' });
  daemons.push(child);
  return child;
};
const killAll = (): void => {
  for (const child of daemons) child.kill('SIGKILL');
};
const bridge = (name: string, protocols: readonly string[] = []) => ({ name, protocols });

// Where Open vSwitch is installed; CI has it, and there it is no excuse.
describe.skipIf(!existsSync(SCHEMA) && process.env.CI === undefined)('a real switch', () => {
  let vswitchd: ChildProcess;

  beforeAll(async () => {
    process.once('exit', killAll);
    must('ovsdb-tool', 'create', join(folder, 'conf.db'), SCHEMA);
    daemon('ovsdb-server', join(folder, 'conf.db'), `--remote=p${database}`, '--pidfile');
    // ovs-vsctl waits for the socket.
    must('ovs-vsctl', `--db=${database}`, '--timeout=10', '--retry', '--no-wait', 'init');
    vswitchd = daemon('ovs-vswitchd', database, '--enable-dummy', '--disable-system', '--pidfile');
    for (const name of ['br0', '-O x y', 'new'])
      vsctl('add-br', name, '--', 'set', 'bridge', name, 'datapath_type=dummy');
    vsctl('set', 'bridge', 'new', 'protocols=OpenFlow15');
    const flows = [
      'cookie=0xa1,priority=100,ip,nw_src=10.0.0.37,actions=set_queue:13947,normal',
      'cookie=0xa2,priority=90,ip,nw_src=10.0.0.38,actions=enqueue:1:13948',
      'priority=80,tcp,tp_dst=80,actions=learn(table=2,priority=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),normal',
      'table=3,actions=drop',
    ];
    for (const flow of flows) must('ovs-ofctl', 'add-flow', `unix:${folder}/br0.mgmt`, flow);
  }, 30_000);

  afterAll(async () => {
    ended.abort(new Error('the test is over'));
    await target.close();
    killAll();
    process.off('exit', killAll);
    rmSync(folder, { recursive: true, force: true });
  });

  test('sums, tables and ports', async () => {
    expect(await client.aggregate(bridge('br0'))).toEqual({ packets: 0, bytes: 0, flows: 5 });
    expect(await client.aggregate(bridge('br0'), 'table=3')).toMatchObject({ flows: 1 });
    expect(await client.aggregate(bridge('br0'), 'cookie=0xa1/-1')).toMatchObject({ flows: 1 });
    const tables = await client.tables(bridge('br0'));
    expect(tables.filter(({ active }) => active !== 0).map(({ table, active }) => `${table}:${active}`)).toEqual([
      ...['0:4', '3:1'],
    ]);
    expect(tables.length).toBeGreaterThan(200);
    expect((await client.ports(bridge('br0'))).map(({ port }) => port)).toEqual(['LOCAL']);
    // A dummy device does not count: what it prints as `?` is no 0.
    const unknown = { bytes: undefined, packets: undefined, errors: undefined };
    expect(await client.queues(bridge('br0'))).toEqual([{ port: 'LOCAL', queue: 0, ...unknown }]);
  });

  test('flows and the queues that they use', async () => {
    const { flows, truncated } = await client.flows(bridge('br0'));
    expect([flows.length, truncated]).toEqual([5, false]);
    const uses = queueUses(flows).map(({ queue, port, ipSources }) => ({ queue, port, ipSources }));
    expect(uses).toEqual([
      { queue: 13947, port: undefined, ipSources: ['10.0.0.37'] },
      { queue: 13948, port: '1', ipSources: ['10.0.0.38'] },
    ]);
  });

  test('a bridge that is called like an option', async () => {
    expect(await client.aggregate(bridge('-O x y'))).toMatchObject({ flows: 1 });
  });

  test('a bridge that speaks one version only, told and untold', async () => {
    expect(await client.aggregate(bridge('new', ['OpenFlow15']))).toMatchObject({ flows: 1 });
    const other = localTarget('other');
    const untold = openflow(other.open(ended.signal), folder, { timeoutSeconds: 1 });
    expect(await untold.aggregate(bridge('new'))).toMatchObject({ flows: 1 });
    await other.close();
  });

  test('a match that ovs-ofctl does not understand is told in its words, even one like an option', async () => {
    for (const match of ['nosuch=1', '--help'])
      await expect(client.aggregate(bridge('br0'), match)).rejects.toMatchObject({
        ...{ code: 'E_EXIT', message: expect.stringContaining(match === 'nosuch=1' ? 'nosuch' : '--help') },
      });
  });

  test('a bridge that is gone', async () => {
    vsctl('del-br', '-O x y');
    await expect(client.tables(bridge('-O x y'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });

  test('a switch that hangs, and one that has ended', async () => {
    vswitchd.kill('SIGSTOP');
    try {
      await expect(client.aggregate(bridge('br0'))).rejects.toMatchObject({ code: 'E_TIMEOUT' });
    } finally {
      vswitchd.kill('SIGCONT');
    }
    const gone = new Promise((resolve) => vswitchd.once('exit', resolve));
    vswitchd.kill('SIGKILL');
    await gone;
    await expect(client.aggregate(bridge('br0'))).rejects.toMatchObject({ code: 'E_CONNECT' });
  });
});
