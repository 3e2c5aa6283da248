/** The links of a chain: who sends, by which interface and flow, into which queue of which port, as which class. Pure. */
import type { Hop } from '../../src/collector.ts';
import type { Flow } from '../../src/ovs/flows.ts';
import type { OvsInterface, OvsQueue, ShapedDevice, Topology } from '../../src/ovs/topology.ts';
import { driftOfQueue, driftOfRoot, isComparable, isStray, stray } from './drift.ts';
import { classOfQueue, type NamedClass, OVS_ROOT_MINOR } from './names.ts';
import type { ClassRecord } from './record.ts';
import type { Activity } from './trace-live.ts';

/** A queue id that neither the database nor the kernel needs to know. */
export interface Place {
  readonly device: ShapedDevice;
  readonly queue: number;
  readonly row: OvsQueue | undefined;
}

export function interfaceHop(one: OvsInterface | undefined, ip: string | undefined): Hop {
  if (one === undefined) {
    const asked = ip === undefined ? 'the sender' : ip;
    return {
      kind: 'interface',
      identity: undefined,
      facts: {},
      command: ['ovs-vsctl', '--columns=name,ofport,external_ids', 'list', 'Interface'],
      broken: `no flow and no row says by which interface ${asked} sends`,
    };
  }
  const { name, uuid, bridge, port, ofport, mac, portId, vm, vifId, network, mtu } = one;
  return {
    kind: 'interface',
    identity: name,
    facts: {
      ...{
        row: uuid,
        bridge,
        ...(port === name ? {} : { port }),
        ofport,
        mac,
        ip,
        neutron_port: portId,
        vm,
        vif: vifId,
      },
      ...{ network, mtu },
    },
    command: ['ovs-vsctl', 'list', 'Interface', name],
    ...(ofport === undefined ? { broken: 'it has no OpenFlow port: Open vSwitch could not open the device' } : {}),
  };
}

/** From the bridge of the sender to that of the device: by a patch port, or not at all. */
export function bridgeHop(from: string, to: string, topology: Topology): Hop {
  const patches = [...topology.interfaces.values()].filter(({ type, bridge }) => type === 'patch' && bridge === from);
  const path = patches.map(({ name, peer }) => `${name} → ${peer ?? '?'}`).join(', ');
  const joined = topology.bridges.get(from)?.group === topology.bridges.get(to)?.group;
  return {
    kind: 'bridge',
    identity: from === to ? from : `${from} → ${to}`,
    facts: { row: topology.bridges.get(from)?.uuid, patch_ports: path === '' ? undefined : path },
    command: ['ovs-vsctl', 'show'],
    ...(joined ? {} : { broken: `no patch port joins ${from} and ${to}` }),
  };
}

/** `missing`: what it means that there is no such flow. */
export function flowHop(bridge: string, flow: Flow | undefined, missing: string): Hop {
  const command = ['ovs-ofctl', 'dump-flows', bridge];
  if (flow === undefined) return { kind: 'flow', identity: undefined, facts: {}, command, broken: missing };
  const { table, priority, cookie, packets, bytes, actions } = flow;
  const fields = [...flow.match].map(([field, value]) => (value === '' ? field : `${field}=${value}`)).join(',');
  return {
    kind: 'flow',
    identity: `${bridge} table ${table}, priority ${priority}`,
    facts: {
      match: fields === '' ? 'everything' : fields,
      actions,
      cookie,
      packets: packets === undefined ? undefined : String(packets),
      bytes: bytes === undefined ? undefined : String(bytes),
    },
    command: [...command, [`table=${table}`, fields].filter((part) => part !== '').join(',')],
  };
}

export function queueHops({ device, queue, row }: Place): Hop[] {
  const { qos, type, maxBitsPerSecond, interface: uplink } = device;
  const list = (table: string, row_: string): string[] => ['ovs-vsctl', 'list', table, row_];
  const queueFacts = {
    row: row?.uuid,
    min_rate: row === undefined ? undefined : rateText(row.minBitsPerSecond, 'not set'),
    max_rate: row === undefined ? undefined : rateText(row.maxBitsPerSecond, 'not set'),
    neutron_port: row?.owner,
    neutron_type: row?.ownerType,
  };
  return [
    {
      kind: 'queue',
      identity: String(queue),
      facts: queueFacts,
      command: row === undefined ? list('QoS', qos) : list('Queue', row.uuid),
      ...(row === undefined && queue !== 0
        ? { broken: `the QoS of ${device.device} has no queue ${queue}: its packets go to queue 0` }
        : {}),
    },
    {
      kind: 'qos',
      identity: qos,
      facts: { type, max_rate: rateText(maxBitsPerSecond, 'the speed of the link'), queues: device.queues.size },
      command: list('QoS', qos),
      ...(isComparable(device)
        ? {}
        : { broken: `a QoS of type ${type === '' ? '(none)' : type} makes no HTB classes` }),
    },
    {
      kind: 'device',
      identity: device.device,
      facts: { port: uplink.port, bridge: uplink.bridge, row: uplink.uuid, ofport: uplink.ofport, mtu: uplink.mtu },
      command: list('Port', uplink.port),
    },
  ];
}

export interface ClassView {
  readonly device: string;
  readonly handle: string;
  readonly named: NamedClass | undefined;
  /** What it means that there is no such class. */
  readonly missing: string;
  readonly shaped: ShapedDevice | undefined;
  readonly root: ClassRecord | undefined;
  readonly activity: Activity | undefined;
  /** The series begins so, behind the prefix and the target. */
  readonly series: string | undefined;
}

/** In place of all classes of a device. */
export function treeHop(device: string, missing: string): Hop {
  const command = ['tc', '-s', '-d', 'class', 'show', 'dev', device];
  return { kind: 'class', identity: undefined, facts: {}, command, broken: missing };
}

export function classHop({ device, handle, named, missing, shaped, root, activity, series }: ClassView): Hop {
  const command = ['tc', '-s', '-d', 'class', 'show', 'dev', device, 'classid', handle];
  if (named === undefined) return { kind: 'class', identity: undefined, facts: {}, command, broken: missing };
  const { record, role } = named;
  const exactly = (rate: ClassRecord['rate']): string | undefined =>
    rate === undefined ? undefined : `${rate.exact ? '' : 'about '}${rateText(rate.bitsPerSecond, '')}`;
  const count = (value: number | bigint | undefined): string | undefined =>
    value === undefined ? undefined : String(value);
  const drift = shaped === undefined ? undefined : driftOf(named, shaped, root);
  return {
    kind: 'class',
    identity: `${device} ${handle}`,
    facts: {
      ...{ role, parent: record.parent, rate: exactly(record.rate), ceiling: exactly(record.ceil) },
      ...{ sent_bytes: count(record.sentBytes), sent_packets: count(record.sentPackets) },
      ...{ dropped_packets: record.dropped, overlimits: record.overlimits },
      ...{ lended: record.lended, borrowed: record.borrowed, backlog_packets: record.backlogPackets },
      now: activity === undefined ? undefined : activityText(activity),
      drift,
      series,
    },
    command,
  };
}

function driftOf(named: NamedClass, shaped: ShapedDevice, root: ClassRecord | undefined): string | undefined {
  const { record, queue } = named;
  if (!isComparable(shaped)) return undefined;
  const row = queue === undefined ? undefined : shaped.queues.get(queue);
  if (record.minor === OVS_ROOT_MINOR) return toldDrift(driftOfRoot(shaped, record));
  if (row !== undefined && record.minor === classOfQueue(row.id))
    return toldDrift(driftOfQueue(row, record, shaped, root));
  return isStray(record, shaped) ? toldDrift(stray) : undefined;
}

function toldDrift({ reason, drifted }: { readonly reason: string; readonly drifted: boolean }): string {
  if (drifted) return `yes: ${reason.replaceAll('_', ' ')}`;
  return reason === 'none' ? 'none' : `none: ${reason.replaceAll('_', ' ')}`;
}

function activityText({ seconds, bitsPerSecond, utilisation, droppedPackets, borrowedPackets }: Activity): string {
  const parts = [`${rateText(Math.round(bitsPerSecond), '')} over ${seconds.toFixed(2)} s`];
  if (utilisation !== undefined) parts.push(`${(utilisation * 100).toFixed(1)} % of the ceiling`);
  if (droppedPackets !== undefined) parts.push(`${droppedPackets} dropped`);
  if (borrowedPackets !== undefined) parts.push(`${borrowedPackets} borrowed`);
  return parts.join(', ');
}

/** Exact, and readable: `614400000 bit/s (614.4 Mbit/s)`. */
function rateText(bitsPerSecond: number | undefined, unset: string): string {
  if (bitsPerSecond === undefined) return unset;
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bitsPerSecond)) / 3));
  const exact = `${bitsPerSecond} bit/s`;
  return step === 0 ? exact : `${exact} (${Number((bitsPerSecond / 1000 ** step).toPrecision(4))} ${units[step]})`;
}
