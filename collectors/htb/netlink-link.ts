/** RTM_NEWLINK messages (rtnetlink(7), linux/if_link.h) → the machine's devices. Pure. */
import { createFaults, type Faults } from './faults.ts';
import { createAttributes, eachMessage, type Message, nameAt } from './netlink-message.ts';
import type { Parsed } from './record.ts';

export interface LinkRecord {
  readonly ifindex: number;
  readonly name: string;
  /** `veth`, `ifb`, `tun` …; undefined: a device of no kind of software (a network card, `lo`). */
  readonly kind: string | undefined;
  readonly mtu: number | undefined;
  /** RFC 2863, `up` by what the device says; `unknown` where it does not say. */
  readonly operState: (typeof operStates)[number] | undefined;
  /** Whether the device is set up (IFF_UP). */
  readonly up: boolean;
}

const operStates = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;

const RTM_NEWLINK = 16;
/** struct ifinfomsg. */
const IFINFO = { index: 4, flags: 8, size: 16 };
const IFLA = { IFNAME: 3, MTU: 4, OPERSTATE: 16, LINKINFO: 18 };
const INFO_KIND = 1;
const IFF_UP = 1;

const attributes = createAttributes(19);
const info = createAttributes(2);

export function decodeLinks(datagrams: readonly Uint8Array[]): Parsed<LinkRecord> {
  const faults = createFaults('netlink link');
  const records = new Map<number, LinkRecord>();
  const take = (message: Message): void => {
    if (message.type !== RTM_NEWLINK) return;
    const record = linkOf(message, faults);
    if (record !== undefined) records.set(record.ifindex, record);
  };
  for (const datagram of datagrams) {
    if (!eachMessage(datagram, take)) faults.add('a datagram does not end with its last message');
  }
  return { records: [...records.values()], problems: faults.problems() };
}

function linkOf({ view, little, from, to }: Message, faults: Faults): LinkRecord | undefined {
  if (to - from < IFINFO.size || !attributes.find(view, from + IFINFO.size, to, little)) {
    faults.add('a message is too short, or its attributes do not end with it');
    return undefined;
  }
  const ifindex = view.getInt32(from + IFINFO.index, little);
  const nameFrom = attributes.at(IFLA.IFNAME, 2);
  if (nameFrom <= 0) {
    faults.add(`interface ${ifindex}: it has no name`);
    return undefined;
  }
  const mtu = attributes.at(IFLA.MTU, 4);
  const state = attributes.at(IFLA.OPERSTATE, 1);
  return {
    ifindex,
    name: nameAt(view, nameFrom, attributes.end(IFLA.IFNAME)),
    kind: kindOf(view, little),
    mtu: mtu > 0 ? view.getUint32(mtu, little) : undefined,
    operState: state > 0 ? operStates[view.getUint8(state)] : undefined,
    up: (view.getUint32(from + IFINFO.flags, little) & IFF_UP) !== 0,
  };
}

function kindOf(view: DataView, little: boolean): string | undefined {
  const at = attributes.at(IFLA.LINKINFO, 0);
  if (at <= 0 || !info.find(view, at, attributes.end(IFLA.LINKINFO), little)) return undefined;
  const kind = info.at(INFO_KIND, 1);
  return kind > 0 ? nameAt(view, kind, info.end(INFO_KIND)) : undefined;
}
