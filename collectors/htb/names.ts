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

export interface ClassLabels {
  readonly device: string;
  readonly name: string;
  readonly class: string;
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

/** The inner class that holds all others of a port with a QoS. */
export const OVS_ROOT_MINOR = 0xfffe;

export interface DeviceTree {
  readonly device: string;
  readonly classes: readonly ClassRecord[];
  /** Minor numbers of the default classes of its HTB qdiscs, by major number. */
  readonly defaults: ReadonlyMap<number, number>;
  readonly shaped: ShapedDevice | undefined;
}

export function nameClasses(tree: DeviceTree, users: Users | undefined, by: NamedBy): NamedClass[] {
  const { device, classes, defaults, shaped } = tree;
  const parents = new Set(classes.map(({ parent }) => parent));
  const found = classes.map((record) => {
    const { handle, level, major, minor } = record;
    const inner = (level ?? 0) > 0 || parents.has(handle);
    const role: Role = inner ? 'inner' : defaults.get(major) === minor ? 'default' : 'leaf';
    const queue = shaped === undefined || inner || major !== 1 || minor === 0 ? undefined : minor - 1;
    return { record, role, queue, users: queue === undefined ? [] : usersOf(shaped, queue, users) };
  });
  const plain = found.map(({ role, users: some, record }) => plainName(role, some, record.handle, by));
  const taken = new Map<string, number>();
  for (const name of plain) taken.set(pathForm(name), (taken.get(pathForm(name)) ?? 0) + 1);
  return found.map(({ record, role, queue, users: some }, index) => {
    let unique = plain[index] ?? '';
    // Two classes of one VIF are told apart by what they certainly differ in; a third may be called just so.
    if ((taken.get(pathForm(unique)) ?? 0) > 1) {
      do unique += `_${record.handle}`;
      while (taken.has(pathForm(unique)));
    }
    const labels: ClassLabels = {
      ...{ device, name: unique, class: record.handle, role, bridge: shaped?.interface.bridge },
      queue: queue === undefined ? undefined : String(queue),
      ...{ vif: shared(some, 'vif'), ip: shared(some, 'ip'), port: shared(some, 'port') },
      ...{ mac: shared(some, 'mac'), vm: shared(some, 'vm') },
    };
    return { record, role, queue, users: some, labels };
  });
}

function usersOf(shaped: ShapedDevice | undefined, queue: number, users: Users | undefined): readonly User[] {
  if (shaped === undefined || users === undefined) return [];
  const row = shaped.queues.get(queue);
  return row === undefined ? users.ofQueue(shaped, queue) : users.of(shaped, row);
}

function plainName(role: Role, users: readonly User[], handle: string, by: NamedBy): string {
  for (const part of ORDER[by]) {
    const name = shared(users, part);
    if (name !== undefined) return name;
  }
  return role === 'leaf' ? handle : `${role}_${handle}`;
}

/** As it stands in a series: names that differ only in what is replaced there meet on one path. */
export function pathForm(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_');
}
