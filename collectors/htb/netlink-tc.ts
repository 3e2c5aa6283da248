/** What RTM_NEWQDISC and RTM_NEWTCLASS have in common (linux/rtnetlink.h, linux/gen_stats.h). Pure. */
import { createAttributes, type Message, wide } from './netlink-message.ts';
import { type Count, handleText, packetsBits } from './record.ts';

/** struct tcmsg: where its words lie, and its size. */
export const TCMSG = { ifindex: 4, handle: 8, parent: 12, info: 16, size: 20 } as const;
export const TC_H_ROOT = 0xffff_ffff;
export const TCA = { KIND: 1, OPTIONS: 2, STATS: 3, XSTATS: 4, STATS2: 7 } as const;

/** struct gnet_stats_basic (12 bytes, 16 where 64-bit numbers are aligned so) and gnet_stats_queue. */
const BASIC = { type: 1, bytes: 0, packets: 8, size: 12 };
const QUEUE = { type: 3, qlen: 0, backlog: 4, drops: 8, requeues: 12, overlimits: 16, size: 20 };
const APP = 4;
const PKT64 = { type: 8, size: 8 };
/** struct tc_stats, of kernels before 2.6.10 or so. */
const OLD = { bytes: 0, packets: 8, drops: 12, overlimits: 16, qlen: 28, backlog: 32, size: 36 };

/** The attributes of the message that is being read. One message is read at a time. */
export const attributes = createAttributes(8);
const nested = createAttributes(9);

/** What the last `readTotals` found. */
export interface Found {
  sentBytes: Count | undefined;
  sentPackets: Count | undefined;
  dropped: number | undefined;
  overlimits: number | undefined;
  requeues: number | undefined;
  backlogBytes: number | undefined;
  backlogPackets: number | undefined;
  packetsBits: 32 | 64;
  /** Where the kind's own numbers begin and end; 0: there are none. */
  appAt: number;
  appEnd: number;
}

/** Takes the numbers of the message whose attributes were found last; `wrong` is told what is too short. */
export function readTotals({ view, little }: Message, found: Found, wrong: (what: string) => void): void {
  found.sentBytes = found.sentPackets = found.dropped = found.overlimits = found.requeues = undefined;
  found.backlogBytes = found.backlogPackets = undefined;
  found.packetsBits = 32;
  found.appAt = found.appEnd = 0;
  const at = attributes.at(TCA.STATS2, 0);
  if (at === 0) readOld(view, little, found, wrong);
  else if (!nested.find(view, at, attributes.end(TCA.STATS2), little)) wrong('TCA_STATS2');
  else readNested(view, little, found, wrong);
}

function readNested(view: DataView, little: boolean, found: Found, wrong: (what: string) => void): void {
  const basic = nested.at(BASIC.type, BASIC.size);
  const queue = nested.at(QUEUE.type, QUEUE.size);
  const wider = nested.at(PKT64.type, PKT64.size);
  if (basic > 0) {
    found.sentBytes = wide(view, basic + BASIC.bytes, little);
    if (wider === 0) found.sentPackets = view.getUint32(basic + BASIC.packets, little);
  } else if (basic < 0) wrong('TCA_STATS_BASIC');
  // Given only when 32 bits do not suffice (gnet_stats_copy_basic() of the kernel).
  if (wider > 0) found.sentPackets = wide(view, wider, little);
  else if (wider < 0) wrong('TCA_STATS_PKT64');
  found.packetsBits = packetsBits(found.sentPackets);
  if (queue > 0) {
    found.backlogPackets = view.getUint32(queue + QUEUE.qlen, little);
    found.backlogBytes = view.getUint32(queue + QUEUE.backlog, little);
    found.dropped = view.getUint32(queue + QUEUE.drops, little);
    found.requeues = view.getUint32(queue + QUEUE.requeues, little);
    found.overlimits = view.getUint32(queue + QUEUE.overlimits, little);
  } else if (queue < 0) wrong('TCA_STATS_QUEUE');
  found.appAt = nested.at(APP, 0);
  found.appEnd = nested.end(APP);
}

function readOld(view: DataView, little: boolean, found: Found, wrong: (what: string) => void): void {
  const at = attributes.at(TCA.STATS, OLD.size);
  if (at < 0) wrong('TCA_STATS');
  if (at > 0) {
    found.sentBytes = wide(view, at + OLD.bytes, little);
    found.sentPackets = view.getUint32(at + OLD.packets, little);
    found.dropped = view.getUint32(at + OLD.drops, little);
    found.overlimits = view.getUint32(at + OLD.overlimits, little);
    found.backlogPackets = view.getUint32(at + OLD.qlen, little);
    found.backlogBytes = view.getUint32(at + OLD.backlog, little);
  }
  found.appAt = attributes.at(TCA.XSTATS, 0);
  found.appEnd = attributes.end(TCA.XSTATS);
}

export function nothingFound(): Found {
  return {
    ...{ sentBytes: undefined, sentPackets: undefined, dropped: undefined, overlimits: undefined },
    ...{ requeues: undefined, backlogBytes: undefined, backlogPackets: undefined },
    ...{ packetsBits: 32 as const, appAt: 0, appEnd: 0 },
  };
}

export function handleTextOf(handle: number): string {
  return handleText(handle >>> 16, handle & 0xffff);
}
