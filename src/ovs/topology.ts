/**
 * What Open vSwitch's rows say of a machine's network: bridges and the patch ports between them, interfaces and what
 * OpenStack or XenServer calls them, ports with a QoS and its queues. Pure. Columns: ovs-vswitchd.conf.db(5).
 */
import { mapIn, numberIn, type Row, type Tables, textIn, textsIn } from './database.ts';

export interface OvsInterface {
  readonly uuid: string;
  readonly name: string;
  readonly type: string;
  readonly bridge: string;
  readonly port: string;
  readonly ofport: number | undefined;
  /** The address of the machine behind it (attached-mac), or else the one in use. Lower case. */
  readonly mac: string | undefined;
  /** `external_ids:iface-id`: with OpenStack the Neutron port. */
  readonly portId: string | undefined;
  /** `external_ids:vm-uuid` or XenServer's `xs-vm-uuid`. */
  readonly vm: string | undefined;
  /** XenServer's `xs-vif-uuid`. */
  readonly vifId: string | undefined;
  /** XenServer's `xs-network-uuid`. */
  readonly network: string | undefined;
  readonly mtu: number | undefined;
  readonly linkBitsPerSecond: number | undefined;
  /** The patch port at the other end. */
  readonly peer: string | undefined;
}

export interface OvsQueue {
  /** The key in the QoS row's `queues`; the kernel's class is this + 1. */
  readonly id: number;
  readonly uuid: string;
  /** As Open vSwitch reads it; undefined: not set, or nothing that it can read. Rounded above 2^53. */
  readonly minBitsPerSecond: number | undefined;
  readonly maxBitsPerSecond: number | undefined;
  /** Neutron's `external_ids:port` (minimum bandwidth: a port's UUID) or `id` (bandwidth limit: a tap device). */
  readonly owner: string | undefined;
  readonly ownerType: string | undefined;
}

/** One interface of a port that has a QoS: Open vSwitch makes a class tree on its device. */
export interface ShapedDevice {
  readonly device: string;
  readonly interface: OvsInterface;
  readonly qos: string;
  /** `linux-htb`, `linux-hfsc`, … */
  readonly type: string;
  /** As Open vSwitch reads it; undefined: the link's speed. */
  readonly maxBitsPerSecond: number | undefined;
  readonly queues: ReadonlyMap<number, OvsQueue>;
  /** Of the Open vSwitch that makes the tree, where it is known. */
  readonly version?: string | undefined;
}

export interface OvsBridge {
  readonly uuid: string;
  readonly name: string;
  /** The OpenFlow versions that it speaks; empty: the default ones. */
  readonly protocols: readonly string[];
  /** Bridges that patch ports join have the same one. */
  readonly group: number;
}

export interface Topology {
  /** Of Open vSwitch; undefined where vswitchd has not said it. */
  readonly version: string | undefined;
  readonly bridges: ReadonlyMap<string, OvsBridge>;
  /** By name, which is unique over all bridges. */
  readonly interfaces: ReadonlyMap<string, OvsInterface>;
  /** By device. */
  readonly shaped: ReadonlyMap<string, ShapedDevice>;
}

export function topologyOf(tables: Tables): Topology {
  const table = (name: string): ReadonlyMap<string, Row> => tables.get(name) ?? none;
  const ports = table('Port');
  const rows = table('Interface');
  const interfaces = new Map<string, OvsInterface>();
  const shaped = new Map<string, ShapedDevice>();
  const [root] = table('Open_vSwitch').values();
  const version = textIn(root?.ovs_version);
  const bridgeRows = [...table('Bridge')].map(([uuid, row]) => ({ uuid, row, name: textIn(row.name) ?? '' }));

  for (const { row, name: bridge } of bridgeRows) {
    for (const portId of textsIn(row.ports)) {
      const port = ports.get(portId);
      if (port === undefined) continue;
      const qosId = textIn(port.qos);
      const qos = qosId === undefined ? undefined : table('QoS').get(qosId);
      for (const uuid of textsIn(port.interfaces)) {
        const found = rows.get(uuid);
        if (found === undefined) continue;
        const one = interfaceOf(uuid, found, bridge, textIn(port.name) ?? '');
        interfaces.set(one.name, one);
        if (qos !== undefined && qosId !== undefined) {
          shaped.set(one.name, { ...shapedDevice(one, qosId, qos, table('Queue')), version });
        }
      }
    }
  }

  const groups = groupsOf(
    bridgeRows.map(({ name }) => name),
    interfaces,
  );
  const bridges = new Map(
    bridgeRows.map(({ uuid, row, name }) => {
      const bridge = { uuid, name, protocols: textsIn(row.protocols), group: groups.get(name) ?? -1 };
      return [name, bridge] as const;
    }),
  );
  return { version, bridges, interfaces, shaped };
}

const none: ReadonlyMap<string, Row> = new Map();

function interfaceOf(uuid: string, row: Row, bridge: string, port: string): OvsInterface {
  const ids = mapIn(row.external_ids);
  const id = (key: string): string | undefined => {
    const value = ids.get(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const ofport = numberIn(row.ofport);
  const peer = mapIn(row.options).get('peer');
  return {
    ...{ uuid, bridge, port, name: textIn(row.name) ?? '', type: textIn(row.type) ?? '' },
    // -1: Open vSwitch could not make the port.
    ofport: ofport === undefined || ofport < 0 ? undefined : ofport,
    mac: (id('attached-mac') ?? textIn(row.mac_in_use))?.toLowerCase(),
    portId: id('iface-id'),
    vm: id('vm-uuid') ?? id('xs-vm-uuid'),
    vifId: id('xs-vif-uuid'),
    network: id('xs-network-uuid'),
    mtu: numberIn(row.mtu),
    linkBitsPerSecond: numberIn(row.link_speed),
    peer: typeof peer === 'string' ? peer : undefined,
  };
}

function shapedDevice(one: OvsInterface, qos: string, row: Row, queueRows: ReadonlyMap<string, Row>): ShapedDevice {
  const queues = new Map<number, OvsQueue>();
  for (const [key, uuid] of mapIn(row.queues)) {
    const id = Number(key);
    const queue = queueRows.get(String(uuid));
    if (/^[0-9]{1,10}$/.test(key) && queue !== undefined) queues.set(id, queueOf(id, String(uuid), queue));
  }
  const maxBitsPerSecond = rateIn(row, 'max-rate');
  return { device: one.name, interface: one, qos, type: textIn(row.type) ?? '', maxBitsPerSecond, queues };
}

function queueOf(id: number, uuid: string, row: Row): OvsQueue {
  const ids = mapIn(row.external_ids);
  const limited = ids.has('queue_type') ? ids.get('id') : undefined;
  const owner = ids.get('port') ?? limited;
  const ownerType = ids.get('type') ?? (limited === undefined ? undefined : 'bandwidth_limit');
  return {
    ...{ id, uuid, minBitsPerSecond: rateIn(row, 'min-rate'), maxBitsPerSecond: rateIn(row, 'max-rate') },
    owner: typeof owner === 'string' ? owner : undefined,
    ownerType: typeof ownerType === 'string' ? ownerType : undefined,
  };
}

/** What strtoull(3) takes, to the end of the text: as smap_get_ullong() of Open vSwitch from 2.9 on. */
const UNSIGNED = /^[\t-\r ]*([+-]?)0*([0-9]{1,20})$/;
const TWO_TO_64 = 2n ** 64n;

/** `other_config` holds texts: bits per second. Of what is no number Open vSwitch says nothing, and takes none. */
function rateIn(row: Row, key: string): number | undefined {
  const text = mapIn(row.other_config).get(key);
  // Nobody writes longer ones, and no pattern should have to look at a megabyte.
  if (typeof text !== 'string' || text.length > 1000) return undefined;
  const [, sign, digits] = UNSIGNED.exec(text) ?? [];
  const value = digits === undefined ? TWO_TO_64 : BigInt(digits);
  if (value >= TWO_TO_64) return undefined;
  // Below zero it counts down from 2^64.
  return Number(sign === '-' ? BigInt.asUintN(64, -value) : value);
}

/** Bridges that patch ports join, by number. */
function groupsOf(names: readonly string[], interfaces: ReadonlyMap<string, OvsInterface>): Map<string, number> {
  const groups = new Map(names.map((name, index) => [name, index]));
  for (const { type, bridge, peer } of interfaces.values()) {
    if (type !== 'patch' || peer === undefined) continue;
    const other = interfaces.get(peer);
    const [here, there] = [groups.get(bridge), other && groups.get(other.bridge)];
    if (here === undefined || there === undefined || here === there) continue;
    for (const [name, group] of groups) if (group === there) groups.set(name, here);
  }
  return groups;
}
