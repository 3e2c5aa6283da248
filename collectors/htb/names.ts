/** Names classes: what they are in their tree, who uses them, and what stands for them in the series. Pure. */
import type { ShapedDevice } from '../../src/ovs/topology.ts';
import type { ClassRecord } from './record.ts';
import { shared, type User, type Users } from './users.ts';

/** What stands for a class in the series; where it is not known, the next best. */
export const namings = ['vif', 'port', 'ip', 'class'] as const;
export type NamedBy = (typeof namings)[number];

/** `inner`: has children. `default`: takes what no filter matches. */
export type Role = 'inner' | 'default' | 'leaf';

export interface NamedClass {
  readonly record: ClassRecord;
  readonly role: Role;
  /** The queue id; undefined where Open vSwitch does not shape the device, and of inner classes. */
  readonly queue: number | undefined;
  readonly users: readonly User[];
  /** One object for all samples of the class: `device`, `name`, and what stands in tags. */
  readonly labels: ClassLabels;
}

/** A queue that is configured, and whose class the kernel does not have: named as its class would be. */
export interface MissingClass {
  /** The queue id. */
  readonly queue: number;
  readonly labels: QueueLabels;
}

export interface QueueLabels {
  readonly device: string;
  readonly name: string;
  /** Undefined: Open vSwitch has no class for such an id. */
  readonly class: string | undefined;
  readonly role: Role;
  readonly bridge: string | undefined;
  readonly queue: string | undefined;
  readonly vif: string | undefined;
  readonly ip: string | undefined;
  readonly port: string | undefined;
  readonly mac: string | undefined;
  readonly vm: string | undefined;
  readonly [label: string]: string | undefined;
}

export interface ClassLabels extends QueueLabels {
  readonly class: string;
}

const ORDER: Readonly<Record<NamedBy, readonly (keyof User)[]>> = {
  vif: ['vif', 'ip', 'port'],
  port: ['port', 'vif', 'ip'],
  ip: ['ip', 'vif', 'port'],
  class: [],
};

/** The kernel's class of a queue has its id + 1 (`htb_class_set` in Open vSwitch's lib/netdev-linux.c). */
export function classOfQueue(queue: number): number {
  return queue + 1;
}

/** How many queues Open vSwitch has classes for: those of the ids below (`HTB_N_QUEUES`, `HFSC_N_QUEUES`). */
export const OVS_QUEUES = 0xf000;

/** The inner class that holds all others of a port with a QoS. */
export const OVS_ROOT_MINOR = 0xfffe;

export interface DeviceTree {
  readonly device: string;
  readonly classes: readonly ClassRecord[];
  /** Minor numbers of the default classes of its HTB qdiscs, by major number. */
  readonly defaults: ReadonlyMap<number, number>;
  readonly shaped: ShapedDevice | undefined;
}

export interface Named {
  readonly classes: NamedClass[];
  readonly missing: MissingClass[];
}

/** Classes, and queues without one: together, so that no other name changes when a class goes and comes back. */
export function nameAll(tree: DeviceTree, users: Users | undefined, by: NamedBy): Named {
  const { device, classes, defaults, shaped } = tree;
  const parents = new Set(classes.map(({ parent }) => parent));
  const found = classes.map((record) => {
    const { handle, level, major, minor } = record;
    const inner = (level ?? 0) > 0 || parents.has(handle);
    const role: Role = inner ? 'inner' : defaults.get(major) === minor ? 'default' : 'leaf';
    const isQueue = shaped !== undefined && !inner && major === 1 && minor > 0 && minor <= OVS_QUEUES;
    const queue = isQueue ? minor - 1 : undefined;
    return { record, id: handle, role, queue, users: queue === undefined ? [] : usersOf(shaped, queue, users) };
  });
  const there = new Set(classes.flatMap(({ major, minor }) => (major === 1 ? minor : [])));
  const queues = [...(shaped?.queues.keys() ?? [])];
  const absent = queues.flatMap((queue) => {
    if (queue < OVS_QUEUES && there.has(classOfQueue(queue))) return [];
    // Queue 0's class is Open vSwitch's default, also where the qdisc that would say so is gone.
    const role: Role = classOfQueue(queue) === (defaults.get(1) ?? classOfQueue(0)) ? 'default' : 'leaf';
    return { id: idWithoutClass(queue), role, queue, users: usersOf(shaped, queue, users) };
  });
  const names = uniqueNames([...found, ...absent], by);
  const labelsOf = <Handle>(index: number, handle: Handle, { role, queue, users: some }: Standing) => ({
    ...{ device, name: names[index] ?? '', class: handle, role, bridge: shaped?.interface.bridge },
    queue: queue === undefined ? undefined : String(queue),
    ...{ vif: shared(some, 'vif'), ip: shared(some, 'ip'), port: shared(some, 'port') },
    ...{ mac: shared(some, 'mac'), vm: shared(some, 'vm') },
  });
  return {
    classes: found.map((one, index) => {
      const { record, role, queue, users: some } = one;
      return { record, role, queue, users: some, labels: labelsOf(index, record.handle, one) };
    }),
    missing: absent.map((one, index) => {
      const handle = one.queue < OVS_QUEUES ? one.id : undefined;
      return { queue: one.queue, labels: labelsOf(found.length + index, handle, one) };
    }),
  };
}

/** What a name is made of. */
interface Standing {
  /** The class's handle, or what stands for it. */
  readonly id: string;
  readonly role: Role;
  readonly queue: number | undefined;
  readonly users: readonly User[];
}

/** What a queue without a class is called by: the handle that its class would have, or its own id. */
export function idWithoutClass(queue: number): string {
  return queue < OVS_QUEUES ? `1:${classOfQueue(queue).toString(16)}` : `queue_${queue}`;
}

function uniqueNames(all: readonly Standing[], by: NamedBy): string[] {
  const plain = all.map((one) => plainName(one, by));
  const taken = new Map<string, number>();
  for (const name of plain) taken.set(pathForm(name), (taken.get(pathForm(name)) ?? 0) + 1);
  return all.map(({ id }, index) => {
    let unique = plain[index] ?? '';
    // Two classes of one VIF are told apart by what they certainly differ in; a third may be called just so.
    if ((taken.get(pathForm(unique)) ?? 0) > 1) {
      do unique += `_${id}`;
      while (taken.has(pathForm(unique)));
    }
    return unique;
  });
}

function usersOf(shaped: ShapedDevice | undefined, queue: number, users: Users | undefined): readonly User[] {
  if (shaped === undefined || users === undefined) return [];
  const row = shaped.queues.get(queue);
  return row === undefined ? users.ofQueue(shaped, queue) : users.of(shaped, row);
}

function plainName({ id, role, users }: Standing, by: NamedBy): string {
  for (const part of ORDER[by]) {
    const name = shared(users, part);
    if (name !== undefined) return name;
  }
  return role === 'leaf' ? id : `${role}_${id}`;
}

/** As it stands in a series: names that differ only in what is replaced there meet on one path. */
export function pathForm(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_');
}
