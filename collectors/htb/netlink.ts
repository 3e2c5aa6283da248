/** What is asked over rtnetlink(7): the bodies of the requests, in this machine's byte order. Pure. */
import type { NetlinkRequest } from '../../src/collector.ts';
import { nativeLittle } from './netlink-message.ts';
import { TCMSG } from './netlink-tc.ts';

const RTM_GETLINK = 18;
const RTM_GETQDISC = 38;
const RTM_GETTCLASS = 42;
const IFINFO_SIZE = 16;
/** An attribute of one word, which asks the kernel (4.4 and later) to leave the counters out. */
const EXT_MASK = { type: 29, size: 8, skipStatistics: 8 };

/** The devices of the machine. */
export function linksRequest(): NetlinkRequest {
  const view = new DataView(new ArrayBuffer(IFINFO_SIZE + EXT_MASK.size));
  view.setUint16(IFINFO_SIZE, EXT_MASK.size, nativeLittle);
  view.setUint16(IFINFO_SIZE + 2, EXT_MASK.type, nativeLittle);
  view.setUint32(IFINFO_SIZE + 4, EXT_MASK.skipStatistics, nativeLittle);
  return { type: RTM_GETLINK, body: new Uint8Array(view.buffer) };
}

/** The qdiscs of all devices. */
export function qdiscsRequest(): NetlinkRequest {
  return { type: RTM_GETQDISC, body: new Uint8Array(TCMSG.size) };
}

/** The classes of one device, of whatever kind; none where the device is gone. */
export function classesRequest(ifindex: number): NetlinkRequest {
  const view = new DataView(new ArrayBuffer(TCMSG.size));
  view.setInt32(TCMSG.ifindex, ifindex, nativeLittle);
  return { type: RTM_GETTCLASS, body: new Uint8Array(view.buffer) };
}
