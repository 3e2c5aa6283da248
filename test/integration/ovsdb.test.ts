/** Against the real ovsdb-server and ovs-vswitchd, in a directory of their own, without bridges and namespaces. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { localTarget } from '../../src/hosts/local.ts';
import type { Target } from '../../src/hosts/target.ts';
import { mapIn, textIn } from '../../src/ovs/database.ts';
import { jsonRpc } from '../../src/ovs/jsonrpc.ts';
import { createReplica, type Ovsdb, ovsdb, type Snapshot } from '../../src/ovs/ovsdb.ts';
import { unixctl } from '../../src/ovs/unixctl.ts';
import { eventually } from '../support/statsd.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const isThere = spawnSync('ovsdb-server', ['--version']).status === 0 && existsSync(SCHEMA);
const isRoot = process.getuid?.() === 0;

let directory = '';
let socket = '';
let target: Target;
let host: Host;
const daemons: ChildProcess[] = [];

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  ...{ OVS_RUNDIR: directory, OVS_LOGDIR: directory, OVS_DBDIR: directory, OVS_SYSCONFDIR: directory },
});

function must(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: environment() });
  if (status !== 0) throw new Error(`${program} ${args.join(' ').slice(0, 200)}: ${stderr}`);
  return stdout;
}

const vsctl = (...args: string[]): string =>
  must('ovs-vsctl', `--db=unix:${socket}`, '--no-wait', '--timeout=10', ...args);

/** In the foreground, and ended by the kernel when this process is. */
async function start(program: string, args: string[]): Promise<ChildProcess> {
  const words = ['--pdeathsig', 'KILL', program, ...args, '--pidfile', '-vconsole:off'];
  const daemon = spawn('setpriv', words, { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
  daemons.push(daemon);
  let said = '';
  daemon.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  const control = join(directory, `${program}.${daemon.pid}.ctl`);
  await eventually(() => {
    if (daemon.exitCode !== null) throw new Error(`${program} ended: ${said}`);
    return spawnSync('ovs-appctl', ['-t', control, 'version'], { env: environment() }).status === 0 || undefined;
  }, `${program} to answer`);
  return daemon;
}

const startServer = (): Promise<ChildProcess> =>
  start('ovsdb-server', [join(directory, 'conf.db'), `--remote=punix:${socket}`]);

async function end(daemon: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const exit = once(daemon, 'exit');
  daemon.kill(signal);
  daemon.kill('SIGCONT');
  await exit;
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const thrown = await promise.then(
    () => undefined,
    (error) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

const bridges = ({ tables }: Snapshot): (string | undefined)[] =>
  [...(tables.get('Bridge')?.values() ?? [])].map(({ name }) => textIn(name)).toSorted();

/** One that does not wait long. */
const impatient = (waitMs: number): Ovsdb =>
  host.keep('impatient', (lasting) => createReplica(lasting, socket, waitMs));

// CI has Open vSwitch, where its absence is a failure.
describe.skipIf(!isThere && process.env.CI === undefined)('ovsdb-server', () => {
  let server: ChildProcess;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'edgestatd-ovsdb-'));
    socket = join(directory, 'db.sock');
    target = localTarget('here');
    host = target.open(new AbortController().signal);
    must('ovsdb-tool', 'create', join(directory, 'conf.db'), SCHEMA);
    server = await startServer();
    vsctl('init');
  });
  afterEach(async () => {
    await target.close();
    for (const daemon of daemons.splice(0)) await end(daemon, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  it('is followed live: insert, modify and delete', async () => {
    const replica = ovsdb(host, socket);
    const empty = await replica.snapshot();
    expect([bridges(empty), empty.missing, empty.stale, empty.resyncs]).toEqual([[], [], undefined, 0]);
    expect(empty.tables.get('Open_vSwitch')?.size).toBe(1);
    vsctl(
      'add-br',
      'br0',
      '--',
      'add-port',
      'br0',
      'p1',
      '--',
      'set',
      'interface',
      'p1',
      'external_ids:iface-id="a,b=c\\"\\n"',
    );
    const one = await replica.snapshot();
    expect(bridges(one)).toEqual(['br0']);
    const p1 = (snapshot: Snapshot) =>
      [...(snapshot.tables.get('Interface')?.values() ?? [])].find(({ name }) => name === 'p1');
    expect(mapIn(p1(one)?.external_ids).get('iface-id')).toBe('a,b=c"\n');
    vsctl(
      'set',
      'interface',
      'p1',
      'external_ids:vm-uuid=x',
      '--',
      'set',
      'interface',
      'p1',
      'options:n=9223372036854775807',
    );
    const two = await replica.snapshot();
    expect([...mapIn(p1(two)?.external_ids).keys()].toSorted()).toEqual(['iface-id', 'vm-uuid']);
    expect(two.tables.get('Bridge')).toBe(one.tables.get('Bridge'));
    expect(mapIn(p1(one)?.external_ids).size).toBe(1);
    vsctl('del-br', 'br0');
    const three = await replica.snapshot();
    expect([bridges(three), three.tables.get('Port')?.size, three.tables.get('Interface')?.size]).toEqual([[], 0, 0]);
    expect([empty, one, two, three].map(({ revision }) => revision)).toEqual(
      [empty, one, two, three].map(({ revision }) => revision).toSorted((a, b) => a - b),
    );
    expect(new Set([empty.revision, one.revision, two.revision, three.revision]).size).toBe(4);
    expect(three.resyncs).toBe(0);
    expect((await replica.snapshot()).revision).toBe(three.revision);
  });

  it('keeps 64-bit numbers exact, in rows and in what is selected', async () => {
    const replica = ovsdb(host, socket);
    await replica.snapshot();
    vsctl(
      'add-br',
      'br0',
      '--',
      'set',
      'interface',
      'br0',
      'statistics:rx_bytes=9223372036854775807',
      'link_resets=9007199254740993',
    );
    const [row] = await replica.select('Interface', ['_uuid', 'name', 'statistics', 'of_the_future']);
    expect(Object.keys(row ?? {})).toEqual(['_uuid', 'name', 'statistics']);
    expect(mapIn(row?.statistics).get('rx_bytes')).toBe(9223372036854775807n);
    const interfaces = (await replica.snapshot()).tables.get('Interface');
    expect(interfaces?.get(String(row?._uuid))?.link_resets).toBe(9007199254740993n);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'ended by %s leaves stale rows, and is followed again when it is back',
    async (signal) => {
      const replica = ovsdb(host, socket);
      vsctl('add-br', 'br0');
      const before = await replica.snapshot();
      await end(server, signal);
      const stale = await replica.snapshot();
      // SIGTERM removes the socket, SIGKILL cannot.
      expect(stale.stale?.code).toBe(signal === 'SIGTERM' ? 'E_NOT_FOUND' : 'E_CONNECT');
      expect(stale.stale?.message).toContain(socket);
      expect([stale.tables, stale.revision, stale.replySeconds]).toEqual([before.tables, before.revision, undefined]);
      expect((await failureOf(replica.select('Bridge', ['name']))).code).toBe(stale.stale?.code);
      await startServer();
      vsctl('add-br', 'br1');
      const after = await replica.snapshot();
      expect([bridges(after), after.stale, after.resyncs]).toEqual([['br0', 'br1'], undefined, 1]);
      expect(after.revision).toBeGreaterThan(before.revision);
    },
  );

  it('restarted while nobody asked is followed on without a gap', async () => {
    const replica = ovsdb(host, socket);
    await replica.snapshot();
    await end(server);
    await startServer();
    vsctl('add-br', 'br0');
    const after = await replica.snapshot();
    expect([bridges(after), after.stale, after.resyncs]).toEqual([['br0'], undefined, 1]);
  });

  it('stopped leaves stale rows within the wait, and is followed again when it goes on', async () => {
    const replica = impatient(300);
    await replica.snapshot();
    server.kill('SIGSTOP');
    const all = await Promise.all([replica.snapshot(), replica.snapshot(), replica.snapshot()]);
    expect(all.map(({ stale }) => stale?.code)).toEqual(['E_TIMEOUT', 'E_TIMEOUT', 'E_TIMEOUT']);
    // A new connection is taken by the kernel, and answered by nobody.
    expect((await replica.snapshot()).stale?.code).toBe('E_TIMEOUT');
    server.kill('SIGCONT');
    vsctl('add-br', 'br0');
    const after = await replica.snapshot();
    expect([bridges(after), after.stale, after.resyncs]).toEqual([['br0'], undefined, 1]);
  });

  it('with another database file in its place is read anew', async () => {
    const replica = ovsdb(host, socket);
    vsctl('add-br', 'br0', '--', 'add-br', 'br1');
    const before = await replica.snapshot();
    await end(server);
    rmSync(join(directory, 'conf.db'));
    must('ovsdb-tool', 'create', join(directory, 'conf.db'), SCHEMA);
    await startServer();
    vsctl('init', '--', 'add-br', 'br9');
    const after = await replica.snapshot();
    expect([bridges(after), after.tables.get('Port')?.size, after.resyncs]).toEqual([['br9'], 1, 1]);
    expect(after.revision).toBeGreaterThan(before.revision);
  });

  it('whose schema is converted is read with the new one: columns and tables that go, and that come back', async () => {
    const replica = ovsdb(host, socket);
    vsctl('add-br', 'br0');
    const before = await replica.snapshot();
    const full = JSON.parse(readFileSync(SCHEMA, 'utf8'));
    const { bfd_status: _, ...columns } = full.tables.Interface.columns;
    const { Manager: __, ...tables } = full.tables;
    const { manager_options: ___, ...root } = tables.Open_vSwitch.columns;
    const older = {
      ...full,
      version: '8.0.0',
      tables: {
        ...tables,
        Interface: { ...tables.Interface, columns },
        Open_vSwitch: { ...tables.Open_vSwitch, columns: root },
      },
    };
    delete older.cksum;
    writeFileSync(join(directory, 'older.ovsschema'), JSON.stringify(older));
    must('ovsdb-client', 'convert', `unix:${socket}`, join(directory, 'older.ovsschema'));
    const converted = await replica.snapshot();
    expect(converted.missing).toEqual(['Open_vSwitch.manager_options', 'Interface.bfd_status', 'Manager']);
    expect([bridges(converted), converted.stale, converted.resyncs]).toEqual([['br0'], undefined, 1]);
    must('ovsdb-client', 'convert', `unix:${socket}`, SCHEMA);
    const back = await replica.snapshot();
    expect([bridges(back), back.missing, back.resyncs]).toEqual([['br0'], [], 2]);
    expect(back.revision).toBeGreaterThan(converted.revision);
    expect(converted.revision).toBeGreaterThan(before.revision);
  });

  it('whose database is taken away and given back says so meanwhile', async () => {
    const replica = ovsdb(host, socket);
    vsctl('add-br', 'br0');
    await replica.snapshot();
    const control = join(directory, `ovsdb-server.${server.pid}.ctl`);
    must('ovs-appctl', '-t', control, 'ovsdb-server/remove-db', 'Open_vSwitch');
    const gone = await replica.snapshot();
    expect(gone.stale?.code).toBe('E_NOT_FOUND');
    expect(gone.stale?.message).toContain('has no database Open_vSwitch');
    must('ovs-appctl', '-t', control, 'ovsdb-server/add-db', join(directory, 'conf.db'));
    const back = await replica.snapshot();
    expect([bridges(back), back.stale]).toEqual([['br0'], undefined]);
  });

  it.skipIf(!isRoot)('whose socket this user may not use says so, with its path', async () => {
    chmodSync(directory, 0o755);
    chmodSync(socket, 0o750);
    const script = `
      import { localTarget } from ${JSON.stringify(new URL('../../src/hosts/local.ts', import.meta.url).href)};
      import { ovsdb } from ${JSON.stringify(new URL('../../src/ovs/ovsdb.ts', import.meta.url).href)};
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const host = localTarget('here').open(new AbortController().signal);
      const { code, message } = await ovsdb(host, ${JSON.stringify(socket)}).snapshot().catch((error) => error);
      console.log(JSON.stringify({ code, message }));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { code, message } = JSON.parse(await readAll(child.stdout));
    expect(code).toBe('E_DENIED');
    expect(message).toContain(socket);
  });

  it('with 2,000 interfaces is followed whole, and costs little while nothing changes', async () => {
    await insertInterfaces(2000);
    const replica = ovsdb(host, socket);
    const first = await measured(() => replica.snapshot());
    expect(first.value.tables.get('Interface')?.size).toBe(2000);
    const second = await measured(async () => {
      for (let n = 0; n < 100; n++) await replica.snapshot();
    });
    const [uuid = ''] = [...(first.value.tables.get('Interface')?.keys() ?? [])];
    must('ovsdb-client', 'transact', `unix:${socket}`, JSON.stringify(['Open_vSwitch', setMtu(uuid)]));
    const changed = await replica.snapshot();
    expect(changed.tables.get('Interface')?.get(uuid)?.mtu).toBe(9000);
    const same = [...(changed.tables.get('Interface') ?? [])].filter(
      ([key, row]) => first.value.tables.get('Interface')?.get(key) === row,
    );
    expect(same.length).toBe(1999);
    // An echo, and no row: what is asked for at each run must not grow with the machine.
    expect(second.cpuMs / 100).toBeLessThan(first.cpuMs / 10);
    if (process.env.EDGESTATD_SHOW === '1') console.log({ first: first.times, hundredMore: second.times });
  });

  it('and ovs-vswitchd answer commands at the sockets that their pid files name', async () => {
    const vswitchd = await start('ovs-vswitchd', [`unix:${socket}`, '--disable-system']);
    const daemon = await unixctl(host, directory, 'ovs-vswitchd');
    const answers = await Promise.all([
      ...[daemon.call('version'), daemon.call('coverage/show'), daemon.call('memory/show')],
      ...[daemon.call('upcall/show'), daemon.call('bond/list')],
    ]);
    expect(daemon.pid).toBe(vswitchd.pid);
    expect(answers[0]).toMatch(/^ovs-vswitchd \(Open vSwitch\) \d+\.\d+\.\d+/);
    expect(answers[1]).toContain('Event coverage');
    const unknown = await failureOf(daemon.call('no/such"command'));
    expect(unknown.code).toBe('E_NOT_FOUND');
    expect((await failureOf(daemon.call('bond/show', 'nosuch'))).code).toBe('E_EXIT');
    expect((await failureOf(daemon.call('dpctl/show', 'a', 'b', 'nosuch'))).code).toBe('E_EXIT');
    const database = await unixctl(host, directory, 'ovsdb-server');
    expect(await database.call('ovsdb-server/list-dbs')).toContain('Open_vSwitch');
    await end(vswitchd, 'SIGKILL');
    expect((await failureOf(daemon.call('version'))).code).toBe('E_CONNECT');
    const dead = await failureOf(unixctl(host, directory, 'ovs-vswitchd'));
    expect([dead.code, dead.message.startsWith('ovs-vswitchd does not run: ')]).toEqual(['E_CONNECT', true]);
    database.close();
  });
});

const setMtu = (uuid: string): object => ({
  op: 'update',
  table: 'Interface',
  where: [['_uuid', '==', ['uuid', uuid]]],
  row: { mtu: 9000 },
});

/** On one bridge, each with what Neutron and vswitchd write of it. */
async function insertInterfaces(count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, n) => n);
  const map = (values: Record<string, unknown>): unknown => ['map', Object.entries(values)];
  const ids = (n: number): string => `6f9619ff-8b86-d011-b42d-${String(n).padStart(12, '0')}`;
  const inserts = numbers.flatMap((n) => [
    { op: 'insert', table: 'Interface', 'uuid-name': `i${n}`, row: interfaceRow(n, map, ids) },
    {
      op: 'insert',
      table: 'Port',
      'uuid-name': `p${n}`,
      row: { name: `tap${n}`, interfaces: ['named-uuid', `i${n}`], other_config: map({ net_uuid: ids(n), tag: '1' }) },
    },
  ]);
  const ports = ['set', numbers.map((n) => ['named-uuid', `p${n}`])];
  const bridge = { op: 'insert', table: 'Bridge', 'uuid-name': 'b', row: { name: 'br-int', ports } };
  const root = {
    op: 'mutate',
    table: 'Open_vSwitch',
    where: [],
    mutations: [['bridges', 'insert', ['named-uuid', 'b']]],
  };
  const stream = await host.connect(socket);
  const rpc = jsonRpc(stream, { peer: 'ovsdb-server' });
  const result = await rpc.call<unknown[]>('transact', ['Open_vSwitch', ...inserts, bridge, root]);
  stream.destroy();
  expect(JSON.stringify(result)).not.toContain('"error"');
}

function interfaceRow(
  n: number,
  map: (values: Record<string, unknown>) => unknown,
  ids: (n: number) => string,
): object {
  return {
    name: `tap${n}`,
    ofport: n + 1,
    admin_state: 'up',
    link_state: 'up',
    link_resets: 1,
    link_speed: 10_000_000_000,
    mtu: 1450,
    ifindex: n + 10,
    mac_in_use: '52:49:d6:01:66:46',
    external_ids: map({
      ...{ 'attached-mac': 'fa:16:3e:00:00:01', 'iface-id': ids(n), 'iface-status': 'active', 'vm-uuid': ids(n + 1) },
    }),
    status: map({ driver_name: 'tun', driver_version: '1.6', firmware_version: '' }),
    statistics: map(Object.fromEntries(['rx_bytes', 'rx_packets', 'tx_bytes', 'tx_packets'].map((key) => [key, n]))),
  };
}

async function measured<Value>(work: () => Promise<Value>) {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const value = await work();
  const wallMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  const cpuMs = (user + system) / 1000;
  return { value, cpuMs, times: `${wallMs.toFixed(1)} ms, CPU ${cpuMs.toFixed(1)} ms` };
}
