/** Who uses a queue: what Neutron wrote beside it, and what the flows of the bridges say. Pure. */
import type { AddressHint, QueueUse } from '../../src/ovs/flows.ts';
import type { OvsInterface, OvsQueue, ShapedDevice, Topology } from '../../src/ovs/topology.ts';

/** What the flows of one bridge say. */
export interface BridgeFlows {
  readonly bridge: string;
  readonly uses: readonly Use[];
  readonly hints: readonly AddressHint[];
}

/** Without the flow itself, which would hold the whole text in memory. */
export type Use = Omit<QueueUse, 'flow'>;

/** One that uses a queue, as far as it is known: of some it is only known that there is somebody. */
export interface User {
  /** The interface of Open vSwitch through which it sends. */
  readonly vif: string | undefined;
  readonly ip: string | undefined;
  /** Neutron's port. */
  readonly port: string | undefined;
  readonly mac: string | undefined;
  readonly vm: string | undefined;
}

export interface Users {
  /** Of one queue of one device; empty: nobody is known to use it. */
  of(device: ShapedDevice, queue: OvsQueue): readonly User[];
  /** By flows alone: also of a queue that the database lacks. */
  ofQueue(device: ShapedDevice, queue: number): readonly User[];
}

/** The same, and what of it each flow says. */
export interface Senders extends Users {
  /** By one flow of this bridge alone; empty: it is not about this device. */
  by(use: Use, bridge: string, device: ShapedDevice): readonly User[];
  /** The interfaces behind which this address is: several, where networks of their own have it at once. */
  at(ip: string): readonly OvsInterface[];
}

export function queueUsers(topology: Topology, flows: readonly BridgeFlows[]): Senders {
  const find = finder(topology, flows);
  const groupOf = (bridge: string): number | undefined => topology.bridges.get(bridge)?.group;
  /** By bridge group and queue. */
  const byQueue = new Map<string, { readonly use: Use; readonly bridge: string }[]>();
  for (const { bridge, uses } of flows) {
    const group = groupOf(bridge);
    for (const use of uses) {
      const key = `${group} ${use.queue}`;
      const there = byQueue.get(key);
      if (there === undefined) byQueue.set(key, [{ use, bridge }]);
      else there.push({ use, bridge });
    }
  }

  const by = (use: Use, bridge: string, device: ShapedDevice): readonly User[] => {
    if (groupOf(bridge) !== groupOf(device.interface.bridge)) return [];
    // `enqueue` names the port that it is about; set_queue is about whichever the packet leaves by.
    if (use.port !== undefined && find.port(bridge, use.port)?.name !== device.device) return [];
    return find.users(use, bridge);
  };
  const ofQueue = (device: ShapedDevice, queue: number): readonly User[] => {
    const there = byQueue.get(`${groupOf(device.interface.bridge)} ${queue}`) ?? [];
    return distinct(there.flatMap(({ use, bridge }) => by(use, bridge, device)));
  };
  return {
    by,
    at: find.at,
    ofQueue,
    of(device, queue) {
      const owner = queue.owner === undefined ? undefined : find.owner(queue.owner, device);
      return owner === undefined ? ofQueue(device, queue.id) : [owner];
    },
  };
}

function finder(topology: Topology, flows: readonly BridgeFlows[]) {
  const byPortId = new Map<string, OvsInterface>();
  const byMac = new Map<string, OvsInterface>();
  const byOfport = new Map<string, OvsInterface>();
  for (const one of topology.interfaces.values()) {
    if (one.portId !== undefined) byPortId.set(one.portId, one);
    // Of two with one address, the one that says which machine is behind it.
    if (one.mac !== undefined && (one.portId !== undefined || !byMac.has(one.mac))) byMac.set(one.mac, one);
    if (one.ofport !== undefined) byOfport.set(`${one.bridge}\0${one.ofport}`, one);
  }
  const port = (bridge: string, name: string): OvsInterface | undefined =>
    byOfport.get(`${bridge}\0${name}`) ??
    (isOn(bridge, topology.interfaces.get(name)) ? topology.interfaces.get(name) : undefined);
  /** By name. There are thousands of hints, and a device may have thousands of queues. */
  const uplinks = new Map<string, boolean>();
  const comesFromAfar = (one: OvsInterface): boolean => {
    const known = uplinks.get(one.name) ?? isUplink(one, topology);
    uplinks.set(one.name, known);
    return known;
  };
  /** One behind which a machine may be: a packet that comes by a patch port or the uplink is somebody else's. */
  const vif = (bridge: string, name: string | undefined): OvsInterface | undefined => {
    const found = name === undefined ? undefined : port(bridge, name);
    return found === undefined || found.type === 'patch' || comesFromAfar(found) ? undefined : found;
  };

  for (const { bridge, hints } of flows) {
    for (const { inPort, mac } of hints) {
      const found = vif(bridge, inPort);
      if (found !== undefined && mac !== undefined && !byMac.has(mac)) byMac.set(mac, found);
    }
  }
  const byAddress = new Map<string, Set<OvsInterface>>();
  for (const { bridge, hints } of flows) {
    for (const { ip, inPort, mac } of hints) {
      const found = vif(bridge, inPort) ?? (mac === undefined ? undefined : byMac.get(mac));
      if (found === undefined || ip === undefined || isNobodys(ip)) continue;
      byAddress.set(ip, (byAddress.get(ip) ?? new Set()).add(found));
    }
  }
  /** Where two have it nothing says which of them sends. */
  const onlyAt = (ip: string): OvsInterface | undefined => {
    const found = byAddress.get(ip) ?? [];
    const [first, second] = found;
    return second === undefined ? first : undefined;
  };
  const addressesOf = new Map<string, string[]>();
  for (const [ip, all] of byAddress) {
    for (const { name } of all) {
      const there = addressesOf.get(name);
      if (there === undefined) addressesOf.set(name, [ip]);
      else there.push(ip);
    }
  }
  const addressOf = new Map([...addressesOf].map(([name, all]) => [name, mainAddress(all)]));

  const userOf = (one: OvsInterface | undefined, ip: string | undefined, mac?: string): User => ({
    vif: one?.name,
    ip: ip ?? (one === undefined ? undefined : addressOf.get(one.name)),
    port: one?.portId,
    mac: mac ?? one?.mac,
    vm: one?.vm,
  });

  return {
    port,
    at: (ip: string): readonly OvsInterface[] => [...(byAddress.get(ip) ?? [])],
    /** What a flow's match says of who sends: several addresses are several users, and nothing is one unknown user. */
    users({ inPort, macSource, ipSources }: Use, bridge: string): readonly User[] {
      const sender = vif(bridge, inPort) ?? (macSource === undefined ? undefined : byMac.get(macSource));
      if (ipSources.length > 0) return ipSources.map((ip) => userOf(sender ?? onlyAt(ip), ip, macSource));
      return [userOf(sender, undefined, macSource)];
    },
    /** Neutron names a port by its UUID (minimum bandwidth), or the tap device itself (bandwidth limit). */
    owner(owner: string, device: ShapedDevice): User | undefined {
      const one = byPortId.get(owner) ?? topology.interfaces.get(owner);
      if (one !== undefined) return userOf(one, undefined);
      if (owner === device.device) return userOf(device.interface, undefined);
      return { vif: undefined, ip: undefined, port: owner, mac: undefined, vm: undefined };
    },
  };
}

/** What stands in a packet of one that has no address yet. */
function isNobodys(ip: string): boolean {
  return ip === '0.0.0.0' || ip === '::';
}

/** Of a machine's addresses the one IPv4, or else the one IPv6 that is not of its link alone (fe80::/10). */
function mainAddress(all: readonly string[]): string | undefined {
  const only = (some: readonly string[]): string | undefined => (some.length === 1 ? some[0] : undefined);
  const wide = all.filter((ip) => !/^fe[89ab][0-9a-f]:/.test(ip));
  return only(wide.filter((ip) => !ip.includes(':'))) ?? only(wide.filter((ip) => ip.includes(':')));
}

/** It has queues for others. A VIF may have a QoS too: its own limit. */
function isUplink(one: OvsInterface, { shaped }: Topology): boolean {
  if (isMachines(one)) return false;
  return [...(shaped.get(one.name)?.queues.values() ?? [])].some(({ owner }) => owner !== one.name);
}

/** Whether it is said to be a machine's: a VIF. */
export function isMachines({ portId, vm, vifId }: OvsInterface): boolean {
  return portId !== undefined || vm !== undefined || vifId !== undefined;
}

/** Its QoS is a limit of its own, and has no queues for others. */
export function isOwnLimit({ device, interface: one, queues }: ShapedDevice): boolean {
  return isMachines(one) || (queues.size > 0 && [...queues.values()].every(({ owner }) => owner === device));
}

function isOn(bridge: string, one: OvsInterface | undefined): boolean {
  return one?.bridge === bridge;
}

function distinct(users: readonly User[]): User[] {
  const seen = new Map(users.map((user) => [JSON.stringify(user), user]));
  return [...seen.values()];
}

/** What all of them have in common; undefined where they differ. */
export function shared(users: readonly User[], part: keyof User): string | undefined {
  const [first, ...rest] = users;
  const value = first?.[part];
  return rest.every((user) => user[part] === value) ? value : undefined;
}
