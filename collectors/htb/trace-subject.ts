/** What an operator named: an address, an interface, an id. Pure. */
import { exactIp, exactMac } from '../../src/ovs/address.ts';
import type { OvsInterface, Topology } from '../../src/ovs/topology.ts';
import type { NamedTree } from './ovs.ts';
import { isOwnLimit, type User } from './users.ts';

export type Subject =
  | { readonly kind: 'ip' | 'mac' | 'vif' | 'port' | 'vm' | 'device'; readonly value: string }
  | { readonly kind: 'class'; readonly value: string; readonly device: string | undefined }
  | { readonly kind: 'queue'; readonly value: string };

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const CLASS = /^(?:(.+)[/ ])?([0-9a-f]{1,4}:[0-9a-f]{1,4})$/i;

/** Undefined: nothing here has such a name. A class may be told with its device: `eth1/1:367c`. */
export function subjectOf(
  what: string,
  trees: readonly NamedTree[],
  topology: Topology | undefined,
): Subject | undefined {
  const ip = exactIp(what);
  if (ip !== undefined) return { kind: 'ip', value: ip };
  const mac = exactMac(what.toLowerCase());
  if (mac !== undefined) return { kind: 'mac', value: mac };
  const shaped = topology?.shaped.get(what);
  // An uplink that has lost its tree is one all the same.
  const isUplink = shaped !== undefined && !isOwnLimit(shaped);
  if (isUplink || trees.some(({ tree }) => tree.device === what)) return { kind: 'device', value: what };
  if (topology?.interfaces.has(what)) return { kind: 'vif', value: what };
  if (UUID.test(what)) return uuidSubject(what.toLowerCase(), topology);
  const [, device, handle] = CLASS.exec(what) ?? [];
  if (handle !== undefined) return { kind: 'class', value: normalHandle(handle), device };
  if (/^[0-9]{1,5}$/.test(what)) return { kind: 'queue', value: String(Number(what)) };
  return undefined;
}

function uuidSubject(uuid: string, topology: Topology | undefined): Subject {
  const all = [...(topology?.interfaces.values() ?? [])];
  const named = all.find((one) => one.vifId?.toLowerCase() === uuid || one.uuid === uuid);
  if (named !== undefined) return { kind: 'vif', value: named.name };
  if (all.some((one) => one.vm?.toLowerCase() === uuid)) return { kind: 'vm', value: uuid };
  return { kind: 'port', value: uuid };
}

function normalHandle(text: string): string {
  return text
    .split(':')
    .map((half) => Number.parseInt(half, 16).toString(16))
    .join(':');
}

/** The interfaces that the subject is, or that belong to it. */
export function interfacesOf(subject: Subject, topology: Topology | undefined): OvsInterface[] {
  const all = [...(topology?.interfaces.values() ?? [])];
  const { kind, value } = subject;
  switch (kind) {
    case 'mac':
      return all.filter(({ mac }) => mac === value);
    case 'vif':
      return all.filter(({ name }) => name === value);
    case 'port':
      return all.filter(({ portId }) => portId?.toLowerCase() === value);
    case 'vm':
      return all.filter(({ vm }) => vm?.toLowerCase() === value);
    default:
      return [];
  }
}

/** Whether the subject is this user of a queue. */
export function isUser({ kind, value }: Subject, user: User): boolean {
  switch (kind) {
    case 'ip':
    case 'mac':
    case 'vif':
      return user[kind] === value;
    case 'port':
    case 'vm':
      return user[kind]?.toLowerCase() === value;
    default:
      return false;
  }
}
