/**
 * RTM_NEWTCLASS messages (linux/pkt_sched.h) → records, as tc's text gives them but with exact rates. Pure.
 *
 * It runs over tens of thousands of messages in one go: tables and results are used anew, records alone are made.
 */
import { createFaults, type Faults } from './faults.ts';
import { createAttributes, eachMessage, type Message, nameAt, wide } from './netlink-message.ts';
import { attributes, handleTextOf, nothingFound, readTotals, TC_H_ROOT, TCA, TCMSG } from './netlink-tc.ts';
import { rateOfBytes } from './rates.ts';
import type { ClassRecord, Parsed, Rate } from './record.ts';

const RTM_NEWTCLASS = 40;
/** struct tc_htb_opt: two of struct tc_ratespec (12 bytes, its rate at 8), then words. */
const PARMS = { type: 1, rate: 8, ceil: 20, quantum: 32, level: 36, prio: 40, size: 44 };
const RATE64 = 6;
const CEIL64 = 7;
/** struct tc_htb_xstats. */
const XSTATS = { lends: 0, borrows: 4, giants: 8, tokens: 12, ctokens: 16, size: 20 };
/** HFSC's real-time curve and upper limit; struct tc_service_curve: m1, d, m2. */
const RSC = 1;
const USC = 3;
const CURVE = { m2: 8, size: 12 };
/** struct tc_hfsc_stats. */
const HFSC_STATS = { level: 20, size: 24 };

const options = createAttributes(8);
const found = nothingFound();

/** Classes of other kinds are left out, and those of other devices where `ifindex` says which one was asked for. */
export function decodeClasses(datagrams: readonly Uint8Array[], ifindex?: number): Parsed<ClassRecord> {
  const faults = createFaults('netlink class');
  // By number: while classes come and go, the kernel may give one twice. The later numbers are the newer ones.
  const records = new Map<number, ClassRecord>();
  const take = (message: Message): void => {
    if (message.type !== RTM_NEWTCLASS) return;
    const record = classOf(message, ifindex, faults);
    if (record !== undefined) records.set(record.major * 0x1_0000 + record.minor, record);
  };
  for (const datagram of datagrams) {
    if (!eachMessage(datagram, take)) faults.add('a datagram does not end with its last message');
  }
  return { records: [...records.values()], problems: faults.problems() };
}

function classOf(message: Message, ifindex: number | undefined, faults: Faults): ClassRecord | undefined {
  const { view, little, from, to } = message;
  if (to - from < TCMSG.size) {
    faults.add('a message is too short');
    return undefined;
  }
  if (ifindex !== undefined && view.getInt32(from + TCMSG.ifindex, little) !== ifindex) return undefined;
  const handle = view.getUint32(from + TCMSG.handle, little);
  if (!attributes.find(view, from + TCMSG.size, to, little)) {
    faults.add(`class ${handleTextOf(handle)}: its attributes do not end with the message`);
    return undefined;
  }
  const kindAt = attributes.at(TCA.KIND, 4);
  if (kindAt <= 0) return undefined;
  // Most classes of a device that are not HTB's are fq_codel's: one word tells.
  const first = view.getUint32(kindAt, false);
  const isHtb = first === 0x68746200;
  if (!isHtb && (first !== 0x68667363 || nameAt(view, kindAt, attributes.end(TCA.KIND)) !== 'hfsc')) return undefined;
  const wrong = (what: string): void => faults.add(`class ${handleTextOf(handle)}: ${what} is too short`);
  const at = attributes.at(TCA.OPTIONS, 0);
  if (!options.find(view, at, at <= 0 ? at : attributes.end(TCA.OPTIONS), little)) wrong('TCA_OPTIONS');
  readTotals(message, found, wrong);
  return isHtb ? htbClass(message, handle, wrong) : hfscClass(message, handle, wrong);
}

function htbClass({ view, little, from }: Message, handle: number, wrong: (what: string) => void): ClassRecord {
  const parms = options.at(PARMS.type, PARMS.size);
  const hasParms = parms > 0;
  if (parms < 0) wrong('TCA_HTB_PARMS');
  const level = hasParms ? view.getUint32(parms + PARMS.level, little) : undefined;
  const hasApp = found.appAt > 0 && found.appEnd - found.appAt >= XSTATS.size;
  if (found.appAt > 0 && !hasApp) wrong('struct tc_htb_xstats');
  const app = found.appAt;
  const parent = view.getUint32(from + TCMSG.parent, little);
  const leaf = view.getUint32(from + TCMSG.info, little);
  return {
    kind: 'htb',
    handle: handleTextOf(handle),
    major: handle >>> 16,
    minor: handle & 0xffff,
    parent: parent === TC_H_ROOT ? undefined : handleTextOf(parent),
    leaf: leaf === 0 ? undefined : handleTextOf(leaf),
    level,
    prio: level === 0 ? view.getUint32(parms + PARMS.prio, little) : undefined,
    quantum: level === 0 ? view.getUint32(parms + PARMS.quantum, little) : undefined,
    rate: hasParms ? rateAt(view, parms + PARMS.rate, RATE64, little, wrong) : undefined,
    ceil: hasParms ? rateAt(view, parms + PARMS.ceil, CEIL64, little, wrong) : undefined,
    sentBytes: found.sentBytes,
    sentPackets: found.sentPackets,
    dropped: found.dropped,
    overlimits: found.overlimits,
    requeues: found.requeues,
    backlogBytes: found.backlogBytes,
    backlogPackets: found.backlogPackets,
    lended: hasApp ? view.getUint32(app + XSTATS.lends, little) : undefined,
    borrowed: hasApp ? view.getUint32(app + XSTATS.borrows, little) : undefined,
    giants: hasApp ? view.getUint32(app + XSTATS.giants, little) : undefined,
    tokens: hasApp ? view.getInt32(app + XSTATS.tokens, little) : undefined,
    ctokens: hasApp ? view.getInt32(app + XSTATS.ctokens, little) : undefined,
    packetsBits: found.packetsBits,
  };
}

/** The 64-bit rate is there only where 32 bits do not suffice (kernels from 3.13). */
function rateAt(
  view: DataView,
  at: number,
  wider: number,
  little: boolean,
  wrong: (what: string) => void,
): Rate | undefined {
  const wideAt = options.at(wider, 8);
  if (wideAt > 0) return rateOfBytes(wide(view, wideAt, little), true);
  if (wideAt === 0) return rateOfBytes(view.getUint32(at, little), false);
  wrong(wider === RATE64 ? 'TCA_HTB_RATE64' : 'TCA_HTB_CEIL64');
  return undefined;
}

function hfscClass({ view, little, from }: Message, handle: number, wrong: (what: string) => void): ClassRecord {
  const curve = (type: number, name: string): Rate | undefined => {
    const at = options.at(type, CURVE.size);
    if (at < 0) wrong(name);
    return at > 0 ? rateOfBytes(view.getUint32(at + CURVE.m2, little), true) : undefined;
  };
  const hasApp = found.appAt > 0 && found.appEnd - found.appAt >= HFSC_STATS.size;
  const parent = view.getUint32(from + TCMSG.parent, little);
  const leaf = view.getUint32(from + TCMSG.info, little);
  return {
    kind: 'hfsc',
    handle: handleTextOf(handle),
    major: handle >>> 16,
    minor: handle & 0xffff,
    parent: parent === TC_H_ROOT ? undefined : handleTextOf(parent),
    leaf: leaf === 0 ? undefined : handleTextOf(leaf),
    level: hasApp ? view.getUint32(found.appAt + HFSC_STATS.level, little) : undefined,
    prio: undefined,
    quantum: undefined,
    rate: curve(RSC, 'TCA_HFSC_RSC'),
    ceil: curve(USC, 'TCA_HFSC_USC'),
    sentBytes: found.sentBytes,
    sentPackets: found.sentPackets,
    dropped: found.dropped,
    overlimits: found.overlimits,
    requeues: found.requeues,
    backlogBytes: found.backlogBytes,
    backlogPackets: found.backlogPackets,
    lended: undefined,
    borrowed: undefined,
    giants: undefined,
    tokens: undefined,
    ctokens: undefined,
    packetsBits: found.packetsBits,
  };
}
