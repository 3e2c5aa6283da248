import { expect, test } from 'vitest';
import type { Host, Kept, Lasting } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { link } from './index.ts';

const HEAD = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`;
const devOf = (...names: readonly string[]): string =>
  HEAD + names.map((name, index) => `${name.padStart(6)}: ${index + 1}${' 0'.repeat(15)}\n`).join('');

type Attributes = Readonly<Record<string, string | Failure>>;

/** A machine whose files may change between two readings, and that counts what is asked of it. */
interface Machine {
  readonly files: Map<string, string | Failure>;
  /** Names in /sys/class/net, one list for each look at it; the last one is repeated. */
  names: (readonly string[])[];
  /** /proc/net/dev, likewise. */
  dev: string[];
  readonly asked: string[];
  readonly host: Host;
}

function machine(interfaces: Readonly<Record<string, Attributes>>, more: Attributes = {}): Machine {
  const names = Object.keys(interfaces);
  const files = new Map<string, string | Failure>(Object.entries(more));
  for (const [name, attributes] of Object.entries(interfaces))
    for (const [attribute, text] of Object.entries(attributes)) files.set(`/sys/class/net/${name}/${attribute}`, text);
  const kept = new Map<string, Kept>();
  const asked: string[] = [];
  const absent = (path: string) => new Failure('E_NOT_FOUND', `"${path}" does not exist`, { path });
  const next = <Value>(all: Value[]): Value | undefined => (all.length > 1 ? all.shift() : all[0]);
  const self: Machine = {
    ...{ files, asked, names: [names], dev: [devOf(...names)] },
    host: {
      ...absentHost,
      async list(path) {
        asked.push(`list ${path}`);
        const found = path === '/sys/class/net' ? next(self.names) : undefined;
        if (found !== undefined) return found;
        const below = [...files.keys()]
          .filter((one) => one.startsWith(`${path}/`))
          .map((one) => one.slice(path.length + 1));
        if (below.length === 0) throw absent(path);
        return below;
      },
      async readFile(path) {
        asked.push(path);
        const text = path === '/proc/net/dev' ? next(self.dev) : files.get(path);
        if (typeof text === 'string') return text;
        throw text ?? absent(path);
      },
      async readFiles(paths) {
        asked.push(...paths);
        return paths.map((path) => files.get(path) ?? absent(path));
      },
      keep<Value extends Kept>(key: string, make: (lasting: Lasting) => Value) {
        if (!kept.has(key)) kept.set(key, make({ connect: absentHost.connect }));
        return kept.get(key) as Value;
      },
    },
  };
  return self;
}

const nic = (name: string, ifindex: number, more: Attributes = {}): Attributes => ({
  uevent: `INTERFACE=${name}\nIFINDEX=${ifindex}\n`,
  ...{ ifindex: `${ifindex}\n`, iflink: `${ifindex}\n`, flags: '0x1003\n', operstate: 'up\n', carrier: '1\n' },
  ...{ mtu: '1500\n', type: '1\n', address: '02:00:00:00:00:01\n', ...more },
});
const denied = (path: string) => new Failure('E_DENIED', `"${path}" may not be read by this user`, { path });

const contextOf = (host: Host, given: object) => ({
  ...{ host, options: link.options.parse(given), atMs: 0, readAtMs: 0, elapsedMs: () => 0 },
});
async function collect({ host }: Machine, given: object = {}) {
  const { samples, problems = [], unread } = await link.collect(contextOf(host, given));
  const values = new Map(samples.map(({ metric, labels, value }) => [`${labels.interface}.${metric.name}`, value]));
  const kinds = Object.fromEntries(samples.map(({ labels }) => [labels.interface, labels.kind]));
  const masters = Object.fromEntries(samples.map(({ labels }) => [labels.interface, labels.master]));
  return { samples, values, kinds, masters, problems, unread };
}
const messages = (problems: readonly Failure[]): string[] => problems.map(({ code, message }) => `${code} ${message}`);

test('what belongs to virtual machines is not even looked at', async () => {
  const taps = Object.fromEntries(['tap1', 'vif2.0', 'qvo3', 'lo'].map((name, index) => [name, nic(name, index + 3)]));
  const one = machine({ eth0: nic('eth0', 2), ...taps, lo: nic('lo', 1, { 'statistics/rx_bytes': '5\n' }) });
  const { kinds } = await collect(one);
  expect(Object.keys(kinds)).toEqual(['eth0']);
  await collect(one);
  const before = one.asked.length;
  await collect(one);
  const paths = one.asked.slice(before).filter((path) => path.startsWith('/sys/class/net/'));
  expect(paths.length).toBeGreaterThan(0);
  expect(paths.length).toBeLessThanOrEqual(11);
  expect(paths.filter((path) => !path.includes('/eth0/'))).toEqual([]);
});

test('kinds are told apart, and looked at closely once', async () => {
  const device = { 'device/uevent': 'DRIVER=ixgbe\nMODALIAS=pci:v00008086\n' };
  const ofType = (name: string, ifindex: number, type: string) =>
    nic(name, ifindex, { uevent: `DEVTYPE=${type}\nINTERFACE=${name}\nIFINDEX=${ifindex}\n` });
  const one = machine(
    {
      eth0: nic('eth0', 2, { ...device, 'master/uevent': 'DEVTYPE=bond\nINTERFACE=bond0\nIFINDEX=3\n' }),
      bond0: ofType('bond0', 3, 'bond'),
      'bond0.7': ofType('bond0.7', 4, 'vlan'),
      oldbond: nic('oldbond', 5),
      oldvlan: nic('oldvlan', 6),
      br0: ofType('br0', 7, 'bridge'),
      oldbr: nic('oldbr', 8, { 'bridge/bridge_id': '8000.020000000001\n' }),
      tap0: nic('tap0', 9, { tun_flags: '0x1802\n', speed: '10\n', duplex: 'full\n' }),
      tun0: nic('tun0', 10, { tun_flags: '0x1801\n', type: '65534\n' }),
      veth0: nic('veth0', 11, { iflink: '44\n', speed: '10000\n' }),
      team0: nic('team0', 20, { speed: '20000\n', 'lower_eth0/ifindex': '2\n' }),
      twin0: nic('twin0', 21, { speed: '10000\n' }),
      mac0: nic('mac0', 12, { iflink: '2\n', 'lower_eth0/ifindex': '2\n' }),
      'vif1.0': nic('vif1.0', 13, { 'device/uevent': 'DRIVER=vif\nMODALIAS=xen-backend:vif\n' }),
      domu0: nic('domu0', 14, { 'device/uevent': 'DRIVER=vif\nMODALIAS=xen:vif\n' }),
      vx0: ofType('vx0', 15, 'vxlan'),
      gre_sys: nic('gre_sys', 16, { iflink: '0\n' }),
      'ovs-system': nic('ovs-system', 17, { flags: '0x1002\n' }),
      'br-int': nic('br-int', 18),
      dummy0: nic('dummy0', 19, { flags: '0x82\n' }),
      lo: nic('lo', 1, { type: '772\n', flags: '0x9\n' }),
    },
    {
      '/proc/net/bonding/oldbond': 'Bonding Mode: fault-tolerance (active-backup)\nMII Status: up\n',
      '/proc/net/vlan/config': 'VLAN Dev name\t | VLAN ID\nName-Type: x\noldvlan | 9 | eth0\n',
    },
  );
  const { kinds, masters, values } = await collect(one, { exclude: [] });
  expect(kinds).toEqual({
    ...{ eth0: 'physical', bond0: 'bond', 'bond0.7': 'vlan', oldbond: 'bond', oldvlan: 'vlan', br0: 'bridge' },
    ...{
      oldbr: 'bridge',
      tap0: 'tap',
      tun0: 'tun',
      veth0: 'veth',
      mac0: 'macvlan',
      team0: 'virtual',
      twin0: 'veth',
      'vif1.0': 'vif',
    },
    ...{ domu0: 'physical', vx0: 'tunnel', gre_sys: 'tunnel', 'ovs-system': 'ovs_internal' },
    ...{ 'br-int': 'ovs_internal', dummy0: 'virtual', lo: 'loopback' },
  });
  expect(masters).toMatchObject({ eth0: 'bond0', bond0: undefined });
  // A tap's and a veth's speed is made up.
  expect([values.get('tap0.link_bits_per_second'), values.get('veth0.link_bits_per_second')]).toEqual([
    undefined,
    undefined,
  ]);
  const before = one.asked.length;
  await collect(one, { exclude: [] });
  expect(one.asked.slice(before).filter((path) => /tun_flags|iflink|list .*mac0/.test(path))).toEqual([]);
  // Another thing has taken the name.
  one.files.set('/sys/class/net/tap0/uevent', 'INTERFACE=tap0\nIFINDEX=99\n');
  one.files.delete('/sys/class/net/tap0/tun_flags');
  one.files.set('/sys/class/net/tap0/device/uevent', 'DRIVER=x\n');
  expect((await collect(one, { exclude: [] })).kinds.tap0).toBe('physical');
});

test('of more veths than are looked at in one run, none has a made-up speed meanwhile', async () => {
  const veths = Array.from({ length: 40 }, (_, index) => [
    `c${index}`,
    nic(`c${index}`, 10 + index, { iflink: `${900 + index}\n`, speed: '10000\n', duplex: 'full\n' }),
  ]);
  const one = machine({
    eth0: nic('eth0', 2, { 'device/uevent': 'DRIVER=x\n', speed: '1000\n' }),
    ...Object.fromEntries(veths),
  });
  for (const known of [16, 32, 40]) {
    const { kinds, values } = await collect(one, { exclude: [] });
    expect(Object.values(kinds).filter((kind) => kind === 'veth')).toHaveLength(known);
    expect([...values.keys()].filter((key) => /link_bits_per_second|half_duplex/.test(key))).toEqual([
      'eth0.link_bits_per_second',
    ]);
  }
});

test('a kernel that did not use Open vSwitch has no internal devices of it', async () => {
  expect((await collect(machine({ nlmon0: nic('nlmon0', 2) }))).kinds).toEqual({ nlmon0: 'virtual' });
});

test('a link that is off is down; one whose flags cannot be read is only what its carrier says', async () => {
  const off = new Failure('E_NOT_FOUND', 'has no value now');
  const one = machine({
    eth0: nic('eth0', 2, { flags: '0x1002\n', carrier: off, operstate: 'down\n' }),
    eth1: nic('eth1', 3, { carrier: '0\n', operstate: 'lowerlayerdown\n' }),
    eth2: nic('eth2', 4, { carrier: '' }),
  });
  one.files.delete('/sys/class/net/eth1/flags');
  const { values } = await collect(one);
  expect([values.get('eth0.link_up'), values.get('eth0.admin_up'), values.get('eth0.operstate')]).toEqual([0, 0, 2]);
  expect([values.get('eth1.link_up'), values.get('eth1.admin_up'), values.get('eth1.operstate')]).toEqual([
    0,
    undefined,
    3,
  ]);
  expect([values.get('eth2.link_up'), values.get('eth2.admin_up')]).toEqual([undefined, 1]);
});

test('an interface that came between the two looks, or goes before it is read, is no problem', async () => {
  const one = machine({ eth0: nic('eth0', 2), eth1: nic('eth1', 3) });
  one.names = [['eth0'], ['eth0', 'eth1']];
  const { problems, kinds } = await collect(one);
  expect(problems).toEqual([]);
  expect(Object.keys(kinds)).toEqual(['eth0', 'eth1']);
  for (const path of [...one.files.keys()]) if (path.includes('/eth1/')) one.files.delete(path);
  expect((await collect(one)).problems).toEqual([]);
});

test('names in one place alone, also at a second look, are two namespaces: nothing is put together', async () => {
  const one = machine({ eth0: nic('eth0', 2), docker0: nic('docker0', 3) });
  one.dev = [devOf('eth0', 'eth7', 'lo')];
  const { problems, values } = await collect(one);
  expect(messages(problems)).toEqual([
    expect.stringMatching(
      /^E_CONFIG \/sys\/class\/net and \/proc\/net show different network namespaces: only \/sys\/class\/net has "docker0", only \/proc\/net\/dev has "eth7", "lo"; /,
    ),
  ]);
  expect(problems[0]?.message).toContain('sys: /host/sys/class/net, proc: /host/proc/1/net');
  expect(values.get('eth0.rx_bytes')).toBe(1);
  expect([...values.keys()].filter((key) => /link_up|mtu|carrier_(?!errors)/.test(key))).toEqual([]);
});

test('the same names with other numbers or other counts are two namespaces too', async () => {
  const counting = (bytes: string) => ({ 'statistics/rx_bytes': `${bytes}\n` });
  const foreign = /^E_CONFIG .* different network namespaces: "eth0" (.*?);/;
  const reasonOf = async (one: Machine) => foreign.exec(messages((await collect(one)).problems)[0] ?? '')?.[1];
  const byIndex = machine({ eth0: nic('eth0', 2, counting('1')) }, { '/proc/net/dev_snmp6/eth0': 'ifIndex   \t7\n' });
  expect(await reasonOf(byIndex)).toBe('is number 2 in the one and 7 in the other');
  const byCount = machine({ eth0: nic('eth0', 2, counting('5000')) });
  expect(await reasonOf(byCount)).toBe('has received 5000 bytes in the one and 1 in the other');
  expect(await reasonOf(byCount)).toBeDefined();
  const alike = machine({ eth0: nic('eth0', 2, counting('1')) }, { '/proc/net/dev_snmp6/eth0': 'ifIndex   \t2\n' });
  expect(await reasonOf(alike)).toBeUndefined();
  // It is known now, and not asked again.
  const before = alike.asked.length;
  await collect(alike);
  expect(alike.asked.slice(before).filter((path) => path.includes('statistics'))).toEqual([]);
});

test('one that counts meanwhile is the same', async () => {
  const one = machine({ eth0: nic('eth0', 2, { 'statistics/rx_bytes': '50\n' }) });
  const row = (bytes: number) => `${HEAD}  eth0: ${bytes}${' 0'.repeat(15)}\n`;
  one.dev = [row(10), row(40), row(60)];
  expect((await collect(one)).problems).toEqual([]);
});

test('what is denied is one problem, of one interface where it is one', async () => {
  const one = machine({ eth0: nic('eth0', 2), eth1: nic('eth1', 3) });
  one.files.set('/sys/class/net/eth0/flags', denied('/sys/class/net/eth0/flags'));
  const first = await collect(one);
  expect(messages(first.problems)).toEqual(['E_DENIED "/sys/class/net/eth0/flags" may not be read by this user']);
  expect(first.problems[0]?.evidence.labels).toEqual({ interface: 'eth0' });
  expect(first.values.get('eth1.admin_up')).toBe(1);
  one.files.set('/sys/class/net/eth1/mtu', denied('/sys/class/net/eth1/mtu'));
  const both = await collect(one);
  expect(both.problems).toHaveLength(1);
  expect(both.problems[0]?.evidence).toMatchObject({ count: 2 });
  expect(both.problems[0]?.evidence.labels).toBeUndefined();
});

test('either of the two places alone tells what it has; without both the run fails', async () => {
  const one = machine({ eth0: nic('eth0', 2) });
  const noProc: Machine = { ...one, host: { ...one.host, readFile: absentHost.readFile } };
  const states = await collect(noProc);
  expect([states.problems.length, states.values.get('eth0.link_up'), states.values.has('eth0.rx_bytes')]).toEqual([
    1,
    1,
    false,
  ]);
  const noSys: Machine = { ...one, host: { ...one.host, list: absentHost.list } };
  const counts = await collect(noSys);
  expect([counts.problems.length, counts.values.has('eth0.link_up'), counts.values.get('eth0.rx_bytes')]).toEqual([
    1,
    false,
    1,
  ]);
  // However long that lasts, no 0 is made of what the other one told before; what is gone from both may end.
  expect([states.unread, counts.unread]).toEqual([[{ interface: 'eth0' }], [{ interface: 'eth0' }]]);
  expect((await collect(one)).unread).toEqual([]);
  await expect(collect({ ...one, host: absentHost })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
});

test('counters begin where they are, and an interface is known by its number under another name', async () => {
  const { samples } = await collect(machine({ eth0: nic('eth0', 2, { carrier_changes: '3\n' }) }));
  const counters = samples.filter(({ metric }) => metric.kind === 'counter');
  expect(counters.length).toBeGreaterThan(15);
  expect(counters.every(({ old, origin }) => old === true && origin === 'ifindex 2')).toBe(true);
  expect(new Set(samples.map(({ labels }) => labels)).size).toBe(1);
});

test('a bond whose file is none, or is denied, is a problem of that bond; the kernel’s other place is asked', async () => {
  const bond = nic('bond0', 2, {
    uevent: 'DEVTYPE=bond\nINTERFACE=bond0\nIFINDEX=2\n',
    ...{ 'bonding/mode': 'active-backup 1\n', 'bonding/mii_status': 'up\n', 'bonding/active_slave': 'eth0\n' },
    'bonding/slaves': 'eth0 eth1\n',
  });
  const slave = (mii: string) => ({
    'bonding_slave/mii_status': `${mii}\n`,
    'bonding_slave/link_failure_count': '1\n',
  });
  const one = machine(
    { bond0: bond, eth0: nic('eth0', 3, slave('up')), eth1: nic('eth1', 4, slave('down')) },
    { '/proc/net/bonding/bond0': denied('/proc/net/bonding/bond0') },
  );
  const { problems, samples, values } = await collect(one);
  expect(messages(problems)).toEqual(['E_DENIED "/proc/net/bonding/bond0" may not be read by this user']);
  expect(values.get('bond0.bond_degraded')).toBe(1);
  const ofSlaves = samples.filter(({ labels }) => labels.slave !== undefined);
  expect(ofSlaves.map(({ metric, labels, value }) => `${labels.slave} ${metric.name} ${value}`)).toEqual([
    ...['eth0 slave_up 1', 'eth0 slave_active 1', 'eth0 slave_link_failures 1'],
    ...['eth1 slave_up 0', 'eth1 slave_active 0', 'eth1 slave_link_failures 1'],
  ]);
  one.files.set('/proc/net/bonding/bond0', 'something else\n');
  expect(messages((await collect(one)).problems)).toEqual([
    'E_PARSE "/proc/net/bonding/bond0" is not what the bonding driver prints, or is cut off',
  ]);
});

test('degraded is not told of a bond whose slaves are unknown, and told of one that has none', async () => {
  const bond = nic('bond0', 2, {
    uevent: 'DEVTYPE=bond\nINTERFACE=bond0\nIFINDEX=2\n',
    'bonding/mode': 'balance-rr 0\n',
  });
  const old = machine({ bond0: { ...bond, 'bonding/mii_status': 'up\n', 'bonding/slaves': 'eth0\n' } });
  expect((await collect(old)).values.has('bond0.bond_degraded')).toBe(false);
  const empty = machine({ bond0: { ...bond, 'bonding/mii_status': 'down\n', 'bonding/slaves': '\n' } });
  expect((await collect(empty)).values.get('bond0.bond_degraded')).toBe(1);
});

const check = async (one: Machine, given: object = {}) =>
  (await link.check?.(contextOf(one.host, given)))?.map(({ level, text }) => `${level} ${text}`);

test('check: all is well', async () => {
  const one = machine({
    eth0: nic('eth0', 2, { carrier_changes: '1\n', 'statistics/rx_bytes': '1\n' }),
    tap0: nic('tap0', 3),
  });
  expect(await check(one)).toEqual([
    'ok 1 of 2 interfaces are measured',
    'ok /sys/class/net and /proc/net show the same interfaces',
  ]);
});

test('check: what is missing, and what to do', async () => {
  const one = machine({ eth0: nic('eth0', 2) }, { '/proc/net/vlan/config': denied('/proc/net/vlan/config') });
  one.files.set('/sys/class/net/eth0/mtu', denied('/sys/class/net/eth0/mtu'));
  one.files.set('/proc/net/bonding/eth0', 'Bonding Mode: IEEE 802.3ad Dynamic link aggregation\nMII Status: up\n');
  expect(await check(one)).toEqual([
    'ok 1 of 1 interfaces are measured',
    'ok /sys/class/net and /proc/net show interfaces of the same names, which count nothing yet',
    'fail E_DENIED: "/sys/class/net/eth0/mtu" may not be read by this user; run as a user who may read it',
    'warn this kernel does not count changes of the carrier (3.15 and later do)',
    'warn E_DENIED: "/proc/net/vlan/config" may not be read by this user; without it vlan_id is not known',
    'warn bond "eth0": 0 slaves; its LACP partner is told to CAP_NET_ADMIN alone (root)',
  ]);
  expect(await check(one, { include: ['none*'] })).toContain(
    'warn 0 of 1 interfaces are measured: see include and exclude',
  );
  one.dev = [devOf('eth5')];
  expect((await check(one))?.filter((line) => line.startsWith('fail E_CONFIG'))).toHaveLength(1);
  expect(await check({ ...one, host: absentHost })).toEqual([
    'fail E_NOT_FOUND: there is nothing on this machine; sys and proc say where to look',
  ]);
});
