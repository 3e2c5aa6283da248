/** The ways from who sends to the queues of shaped devices, each by the flow that says so. Pure. */
import type { OvsInterface, ShapedDevice, Topology } from '../../src/ovs/topology.ts';
import type { NamedTree } from './ovs.ts';
import type { FlowReading, Link } from './trace-flows.ts';
import type { Place } from './trace-hops.ts';
import { isUser, type Subject } from './trace-subject.ts';
import { isOwnLimit, type Senders, type User } from './users.ts';

/** One way from a sender to a place. */
export interface Way {
  readonly sender: OvsInterface | undefined;
  readonly user: User | undefined;
  /** The flow that puts its packets there; undefined: none is known. */
  readonly link: Link | undefined;
  readonly place: Place;
}

export interface Field {
  readonly topology: Topology;
  readonly flows: FlowReading;
  readonly senders: Senders;
  readonly trees: readonly NamedTree[];
}

/** Queues of all shaped devices that are, or are used by, the subject. `vifs`: the interfaces that have its address. */
export function waysOf(subject: Subject, vifs: readonly OvsInterface[], field: Field): Way[] {
  const { topology } = field;
  const names = new Set(vifs.map(({ name }) => name));
  const ways: Way[] = [];
  for (const device of topology.shaped.values()) {
    for (const queue of queuesOf(device, field)) {
      const place = { device, queue, row: device.queues.get(queue) };
      const named = subject.kind === 'queue' ? Number(subject.value) === queue : isClass(subject, device.device, queue);
      const all = sendersTo(place, field, subject);
      if (named && all.length === 0) ways.push({ sender: undefined, user: undefined, link: undefined, place });
      const mine = named ? all : all.filter((one) => isUser(subject, one.user) || isBehind(subject, names, one, place));
      for (const { user, link } of distinct(mine)) {
        const sender = user.vif === undefined ? undefined : topology.interfaces.get(user.vif);
        ways.push({ sender, user, link, place });
      }
    }
  }
  return ways;
}

/** Those that it has; and on an uplink those of flows too, which may put packets into a queue that nobody made. */
function queuesOf(device: ShapedDevice, { topology, flows, trees }: Field): Set<number> {
  const classes = trees.find(({ tree }) => tree.device === device.device)?.classes ?? [];
  const ids = new Set([...device.queues.keys(), ...classes.flatMap(({ queue }) => queue ?? [])]);
  if (isOwnLimit(device)) return ids;
  const groupOf = (bridge: string): number | undefined => topology.bridges.get(bridge)?.group;
  for (const [queue, links] of flows.links) {
    if (links.some(({ bridge }) => groupOf(bridge) === groupOf(device.interface.bridge))) ids.add(queue);
  }
  return ids;
}

function isClass(subject: Subject, device: string, queue: number): boolean {
  if (subject.kind !== 'class' || (subject.device !== undefined && subject.device !== device)) return false;
  return subject.value === `1:${(queue + 1).toString(16)}`;
}

interface Found {
  readonly user: User;
  readonly link: Link | undefined;
}

function sendersTo({ device, queue, row }: Place, { flows, senders }: Field, { kind, value }: Subject): Found[] {
  const found = (flows.links.get(queue) ?? []).flatMap((link) =>
    senders.by(link.use, link.bridge, device).map((user) => ({ user, link })),
  );
  if (row?.owner === undefined) return found;
  // The row says whose it is; of the flows that of this address, or of this interface, or one that names nobody.
  return senders.of(device, row).map((user) => {
    const own = found.filter((one) => user.vif !== undefined && one.user.vif === user.vif);
    const ofIp = own.find((one) => kind === 'ip' && one.user.ip === value);
    return { user, link: (ofIp ?? own[0] ?? found.find((one) => isNobody(one.user)))?.link };
  });
}

function isNobody({ vif, ip, mac }: User): boolean {
  return vif === undefined && ip === undefined && mac === undefined;
}

/** A machine's other addresses go the same way, unless the flow is about one of them. */
function isBehind({ kind }: Subject, vifs: ReadonlySet<string>, { user, link }: Found, { row }: Place): boolean {
  if (kind !== 'ip' || user.vif === undefined || !vifs.has(user.vif)) return false;
  return row?.owner !== undefined || link === undefined || link.use.ipSources.length === 0;
}

function distinct(all: readonly Found[]): Found[] {
  const seen = new Map<string, Found>();
  for (const one of all) {
    const key = JSON.stringify(one.user);
    if (!seen.has(key)) seen.set(key, one);
  }
  return [...seen.values()];
}
