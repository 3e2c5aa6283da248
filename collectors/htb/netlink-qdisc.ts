/** RTM_NEWQDISC messages (linux/pkt_sched.h) → records, as tc's text gives them. Pure. */
import { createFaults, type Faults } from './faults.ts';
import { createAttributes, eachMessage, type Message, nameAt } from './netlink-message.ts';
import { attributes, handleTextOf, nothingFound, readTotals, TC_H_ROOT, TCA, TCMSG } from './netlink-tc.ts';
import type { Parsed, QdiscRecord } from './record.ts';

const RTM_NEWQDISC = 36;
/** struct tc_htb_glob. */
const INIT = { type: 2, defcls: 8, directPackets: 16, size: 20 };

const options = createAttributes(3);
const found = nothingFound();

/** The qdiscs of all kinds; `names` are those of the devices by their index. */
export function decodeQdiscs(
  datagrams: readonly Uint8Array[],
  names: ReadonlyMap<number, string> = new Map(),
): Parsed<QdiscRecord> {
  const faults = createFaults('netlink qdisc');
  const records = new Map<string, QdiscRecord>();
  const take = (message: Message): void => {
    if (message.type !== RTM_NEWQDISC) return;
    const record = qdiscOf(message, names, faults);
    // Several may have handle 0; then they hang at different places.
    if (record !== undefined) records.set(`${record.ifindex} ${record.handle} ${record.parent}`, record);
  };
  for (const datagram of datagrams) {
    if (!eachMessage(datagram, take)) faults.add('a datagram does not end with its last message');
  }
  return { records: [...records.values()], problems: faults.problems() };
}

function qdiscOf(message: Message, names: ReadonlyMap<number, string>, faults: Faults): QdiscRecord | undefined {
  const { view, little, from, to } = message;
  if (to - from < TCMSG.size || !attributes.find(view, from + TCMSG.size, to, little)) {
    faults.add('a message is too short, or its attributes do not end with it');
    return undefined;
  }
  const ifindex = view.getInt32(from + TCMSG.ifindex, little);
  const handle = handleTextOf(view.getUint32(from + TCMSG.handle, little));
  const wrong = (what: string): void => faults.add(`qdisc ${handle} of interface ${ifindex}: ${what} is too short`);
  const kindAt = attributes.at(TCA.KIND, 1);
  if (kindAt <= 0) {
    wrong('TCA_KIND');
    return undefined;
  }
  const kind = nameAt(view, kindAt, attributes.end(TCA.KIND));
  const parent = view.getUint32(from + TCMSG.parent, little);
  readTotals(message, found, wrong);
  const { directPackets, defaultMinor } = ownOf(message, kind, wrong);
  return {
    kind,
    device: names.get(ifindex),
    ifindex,
    handle,
    parent: parent === TC_H_ROOT ? 'root' : parent === 0 ? undefined : handleTextOf(parent),
    sentBytes: found.sentBytes,
    sentPackets: found.sentPackets,
    dropped: found.dropped,
    overlimits: found.overlimits,
    requeues: found.requeues,
    backlogBytes: found.backlogBytes,
    backlogPackets: found.backlogPackets,
    directPackets,
    defaultMinor,
    packetsBits: found.packetsBits,
  };
}

/** What HTB and HFSC say of themselves. */
function ownOf(
  { view, little }: Message,
  kind: string,
  wrong: (what: string) => void,
): Pick<QdiscRecord, 'directPackets' | 'defaultMinor'> {
  const nothing = { directPackets: undefined, defaultMinor: undefined };
  if (kind === 'hfsc') {
    // struct tc_hfsc_qopt is the attribute itself.
    const at = attributes.at(TCA.OPTIONS, 2);
    return at > 0 ? { ...nothing, defaultMinor: view.getUint16(at, little) } : nothing;
  }
  const at = kind === 'htb' ? attributes.at(TCA.OPTIONS, 0) : 0;
  if (at === 0) return nothing;
  const init = options.find(view, at, attributes.end(TCA.OPTIONS), little) ? options.at(INIT.type, INIT.size) : -1;
  if (init < 0) wrong('TCA_HTB_INIT');
  if (init <= 0) return nothing;
  return {
    directPackets: view.getUint32(init + INIT.directPackets, little),
    defaultMinor: view.getUint32(init + INIT.defcls, little) & 0xffff,
  };
}
