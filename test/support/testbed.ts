/**
 * A hypervisor and what is around it, on one machine: Open vSwitch with a kernel HTB tree, two virtual machines and the
 * outside, each in a network namespace. Several at once do not meet. Needs root, and no kernel module.
 *
 *     vm1 eth0 10.0.0.37 ── vif2.1 ┐                                    ┌ eth1 ── peer 10.0.0.1 ext
 *     vm2 eth0 10.0.0.38 ── vif3.1 ┴ xapi0 up ──(patch)── down xenbr1 ──┘ QoS linux-htb
 *
 * Everything ends with `close()`, and also when the process that started it is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../../src/hosts/target.ts';
import { endWithParent } from './statsd.ts';
import { NAMESPACES, output, type Place, type ProgramOptions, startKeeper, systemEnv } from './testbed-keeper.ts';
import { type Switch, startSwitch } from './testbed-switch.ts';
import { namespaceTarget } from './testbed-target.ts';
import { startIperf, type Traffic, type TrafficOptions, type TrafficResult } from './testbed-traffic.ts';

/** A virtual machine's interface, as XenServer and OpenStack describe it in OVSDB. */
export interface Vif {
  readonly name: string;
  readonly place: 'vm1' | 'vm2';
  readonly address: string;
  readonly mac: string;
  readonly vm: string;
  /** Neutron's port, and XenServer's VIF. */
  readonly port: string;
  readonly network: string;
  /** The OVS queue that the flows put its packets into; the kernel's class is one more. */
  readonly queue: number;
  readonly classId: string;
  readonly maxBitsPerSecond: number;
}

const NETWORK = '5d1c8e0a-3b1f-4a57-9a3c-0a8f5e6b7c01';
export const VIFS = {
  'vif2.1': {
    name: 'vif2.1',
    place: 'vm1',
    address: '10.0.0.37',
    mac: 'fa:16:3e:00:00:37',
    vm: '8f0c6f0e-2d0b-4d6c-9a51-6f2f1f6b3a37',
    port: '3c9f8f53-6d55-4f0e-8d6b-0f3d2b9c1a37',
    network: NETWORK,
    queue: 13947,
    classId: '1:367c',
    maxBitsPerSecond: 614_400_000,
  },
  'vif3.1': {
    name: 'vif3.1',
    place: 'vm2',
    address: '10.0.0.38',
    mac: 'fa:16:3e:00:00:38',
    vm: 'b7a1d2c4-5e6f-4a0b-8c1d-2e3f4a5b6c38',
    port: 'e1d2c3b4-a5f6-4718-92a3-b4c5d6e7f838',
    network: NETWORK,
    queue: 13948,
    classId: '1:367d',
    maxBitsPerSecond: 10_000_000,
  },
} as const satisfies Readonly<Record<string, Vif>>;
export type VifName = keyof typeof VIFS;
const vifs: readonly Vif[] = Object.values(VIFS);

/** The QoS of the uplink: what all classes share. */
export const LINK_BITS_PER_SECOND = 10_000_000_000;
const OUTSIDE = '10.0.0.1';

export interface Testbed extends Switch {
  readonly namespaces: Readonly<Record<Place, string>>;
  /**
   * The hypervisor: `run` and `/proc/net` are the hv namespace's; other files and sockets are this machine's (those of
   * OVS are in `rundir`, and programs must be told so, for example `unix:RUNDIR/xapi0.mgmt`). `netlink` is
   * `E_NOT_FOUND`: it reads the namespace that the process is in, see `nodeInside`.
   */
  readonly hv: Target;
  /** The words before a program that runs it in the hv namespace. */
  readonly prefix: readonly string[];
  /** `tc` in the hv namespace. */
  tc(...args: readonly string[]): Promise<string>;
  /** Runs a program in a namespace; resolves with stdout, rejects on any other status than 0. */
  inside(place: Place, argv: readonly string[], options?: ProgramOptions): Promise<string>;
  /** Starts `node ARGS` in the hv namespace, with pipes; it ends when this process does. */
  nodeInside(args: readonly string[], options?: { readonly env?: NodeJS.ProcessEnv }): ChildProcess;
  /** TCP from a virtual machine to the outside; resolves when it has ended. */
  traffic(from: 'vm1' | 'vm2', options: TrafficOptions): Promise<TrafficResult>;
  /** The same, resolved when the connection stands, until it is stopped. */
  startTraffic(from: 'vm1' | 'vm2', options?: Partial<TrafficOptions>): Promise<Traffic>;
  /** Bridges, ports, QoS, flows and filters, as they are at the start; for a database that was replaced. */
  configure(): Promise<void>;
  /** The flows of the integration bridge anew, as its controller would: for a vswitchd that was restarted. */
  addFlows(): Promise<void>;
  /** Removes the port and the device, as a virtual machine's shutdown does. */
  unplugVif(name: VifName): Promise<void>;
  /** Makes the device, the port and its flows again; the port gets another ofport. */
  plugVif(name: VifName): Promise<void>;
  close(): Promise<void>;
}

/** Why there can be no testbed here, or undefined. In CI, where there must be one, it throws that. */
export function testbedReason(): string | undefined {
  const path = (systemEnv().PATH ?? '').split(':');
  const programs = ['ip', 'tc', 'nsenter', 'ethtool', 'iperf3', 'ovs-vswitchd', 'ovsdb-server', 'ovs-vsctl'];
  const missing = programs.filter((program) => !path.some((folder) => existsSync(join(folder, program))));
  let reason: string | undefined;
  if (process.getuid?.() !== 0) reason = 'network namespaces need root';
  else if (missing.length > 0) reason = `${missing.join(', ')} not installed: run test/support/packages.ts`;
  if (reason !== undefined && process.env.CI !== undefined) throw new Error(`no testbed: ${reason}`);
  return reason;
}

export async function startTestbed(): Promise<Testbed> {
  const keeper = await startKeeper();
  try {
    return await wired(keeper);
  } catch (error) {
    await keeper.close();
    throw error;
  }
}

async function wired(keeper: Awaited<ReturnType<typeof startKeeper>>): Promise<Testbed> {
  const { directory, namespaces } = keeper;
  const prefix = keeper.prefix('hv');
  const [enter = '', ...into] = prefix;
  const inside: Testbed['inside'] = (place, argv, options) => output([...keeper.prefix(place), ...argv], options);
  const batch = (place: Place, lines: readonly string[]): Promise<string> =>
    inside(place, ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  const tc = (...args: readonly string[]): Promise<string> => inside('hv', ['tc', ...args]);

  /** A device of the hypervisor and its other end. Nothing computes checksums in between, so the ends must. */
  const link = async (device: string, place: Place, end: string, address: string, mac?: string): Promise<void> => {
    const withMac = mac === undefined ? '' : ` address ${mac}`;
    await batch('hv', [
      `link add ${device} type veth peer name ${end}${withMac} netns ${namespaces[place]}`,
      `link set ${device} up`,
    ]);
    await Promise.all([
      inside('hv', ['ethtool', '-K', device, 'tx', 'off']),
      batch(place, [`addr add ${address}/24 dev ${end}`, `link set ${end} up`]),
      inside(place, ['ethtool', '-K', end, 'tx', 'off']),
    ]);
  };
  const linkVif = (vif: Vif): Promise<void> => link(vif.name, vif.place, 'eth0', vif.address, vif.mac);

  await Promise.all(NAMESPACES.map((place) => batch(place, ['link set lo up'])));
  const [ovs] = await Promise.all([
    startSwitch(directory, prefix),
    link('eth1', 'ext', 'peer', OUTSIDE),
    ...vifs.map(linkVif),
  ]);

  const addFlows = async (): Promise<void> => {
    const perVif = await Promise.all(
      vifs.map(async ({ name, address, queue }) => {
        const ofport = Number(await ovs.vsctl('--if-exists', 'get', 'Interface', name, 'ofport'));
        if (!(ofport > 0)) return [];
        return [
          `priority=100,ip,nw_src=${address},actions=set_queue:${queue},normal`,
          // What Neutron's agent writes against ARP spoofing: it tells which port an address belongs to.
          `priority=90,arp,in_port=${ofport},arp_spa=${address},actions=normal`,
        ];
      }),
    );
    const file = ['priority=0,actions=normal', ...perVif.flat()].join('\n');
    // replace-flows, so that what an unplugged port left does not stay.
    await inside('hv', ['ovs-ofctl', '--timeout=10', 'replace-flows', `unix:${directory}/xapi0.mgmt`, '-'], {
      input: file,
    });
  };

  /** The userspace datapath does not carry set_queue to the kernel's class, so filters do. */
  const addFilters = async (): Promise<void> => {
    const lines = vifs.map(
      ({ address, classId }) =>
        `filter add dev eth1 parent 1: protocol ip u32 match ip src ${address}/32 flowid ${classId}`,
    );
    await inside('hv', ['tc', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  };

  const configure = async (): Promise<void> => {
    const bridge = (name: string): string[] => [
      '--',
      'add-br',
      name,
      '--',
      'set',
      'Bridge',
      name,
      'datapath_type=netdev',
    ];
    const patch = (name: string, peer: string): string[] => [
      ...['--', 'set', 'Interface', name, 'type=patch', `options:peer=${peer}`],
    ];
    const neutron = (vif: Vif): string[] => [
      `external_ids:port="${vif.port}"`,
      'external_ids:type=minimum_bandwidth',
      `external_ids:queue-num="${vif.queue}"`,
    ];
    await ovs.vsctl(
      ...bridge('xapi0').slice(1),
      ...bridge('xenbr1'),
      ...['--', 'add-port', 'xenbr1', 'eth1'],
      ...vifs.flatMap(portOf),
      ...['--', 'add-port', 'xapi0', 'up', ...patch('up', 'down')],
      ...['--', 'add-port', 'xenbr1', 'down', ...patch('down', 'up')],
      ...['--', 'set', 'Port', 'eth1', 'qos=@qos'],
      ...['--', '--id=@qos', 'create', 'QoS', 'type=linux-htb', `other-config:max-rate=${LINK_BITS_PER_SECOND}`],
      ...vifs.map(({ queue, place }) => `queues:${queue}=@${place}`),
      ...['--', '--id=@vm1', 'create', 'Queue', `other-config:max-rate=${VIFS['vif2.1'].maxBitsPerSecond}`],
      ...['--', '--id=@vm2', 'create', 'Queue', `other-config:max-rate=${VIFS['vif3.1'].maxBitsPerSecond}`],
      ...['other-config:min-rate=1000000', ...neutron(VIFS['vif3.1'])],
    );
    await Promise.all([addFlows(), addFilters()]);
  };
  await configure();

  let ports = 5201;
  const startTraffic = (from: 'vm1' | 'vm2', options: TrafficOptions): Promise<Traffic> =>
    startIperf({ from: keeper.prefix(from), to: keeper.prefix('ext'), address: OUTSIDE, port: ports++ }, options);
  const hv = namespaceTarget('hv', [enter, ...into]);
  return {
    ...ovs,
    namespaces,
    hv,
    prefix,
    tc,
    inside,
    nodeInside: (args, { env = {} } = {}) =>
      spawn(enter, [...into, process.execPath, ...endWithParent, ...args], {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...systemEnv(), ...env },
      }),
    traffic: async (from, options) => (await startTraffic(from, options)).result,
    startTraffic: (from, options) => startTraffic(from, { seconds: 86_400, ...options }),
    configure,
    addFlows,
    async unplugVif(name) {
      await ovs.vsctl('del-port', 'xapi0', name);
      await batch('hv', [`link delete ${name}`]);
    },
    async plugVif(name) {
      await linkVif(VIFS[name]);
      await ovs.vsctl(...portOf(VIFS[name]).slice(1));
      await addFlows();
    },
    async close() {
      await hv.close();
      await keeper.close();
    },
  };
}

/** The part of an ovs-vsctl command that makes a VIF's port. */
function portOf({ name, mac, vm, port, network }: Vif): string[] {
  const ids = {
    'iface-id': port,
    'iface-status': 'active',
    'attached-mac': mac,
    'vm-uuid': vm,
    'xs-vm-uuid': vm,
    'xs-vif-uuid': port,
    'xs-network-uuid': network,
  };
  const pairs = Object.entries(ids).map(([key, value]) => `external_ids:${key}="${value}"`);
  return ['--', 'add-port', 'xapi0', name, '--', 'set', 'Interface', name, ...pairs];
}
