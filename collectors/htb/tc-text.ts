/**
 * The text of `tc -s -d class show` and `tc -s -d qdisc show` (tc(8), tc-htb(8)) → records. Pure.
 *
 * A first line says what it is, lines that begin with a blank say its numbers; words are found by their names, since
 * versions leave out, glue together and add. What is not HTB or HFSC is passed over with its lines.
 */
import { createFaults, type Faults } from './faults.ts';
import { type ClassRecord, type Parsed, packetsBits, type QdiscRecord } from './record.ts';
import { type ClassHead, classHead } from './tc-class-head.ts';
import { type QdiscHead, qdiscHead } from './tc-qdisc-head.ts';
import { noStats, type Stats, takeLine } from './tc-stats.ts';

/** tc prints 300 characters a line. A longer one is none of its. */
const MAX_LINE = 4096;

export function parseClassText(text: string): Parsed<ClassRecord> {
  // By handle: while classes come and go, the kernel may show one twice. The later numbers are the newer ones.
  const records = new Map<string, ClassRecord>();
  const faults = createFaults('tc class');
  eachEntry(text, 'class ', classHead, faults, (head, stats) => records.set(head.handle, classRecord(head, stats)));
  return { records: [...records.values()], problems: faults.problems() };
}

export function parseQdiscText(text: string): Parsed<QdiscRecord> {
  const records: QdiscRecord[] = [];
  const faults = createFaults('tc qdisc');
  eachEntry(text, 'qdisc ', qdiscHead, faults, (head, stats) => records.push(qdiscRecord(head, stats)));
  return { records, problems: faults.problems() };
}

/** `head` is undefined for what is not wanted, and a text for what is wrong. */
function eachEntry<Head>(
  text: string,
  word: 'class ' | 'qdisc ',
  headOf: (line: string, wrong: (what: string) => void) => Head | undefined,
  faults: Faults,
  take: (head: Head, stats: Stats) => void,
): void {
  let head: Head | undefined;
  let stats = noStats();
  const finish = (): void => {
    if (head === undefined) return;
    take(head, stats);
    head = undefined;
    stats = noStats();
  };
  let at = 0;
  for (let number = 1; at < text.length; number++) {
    const end = text.indexOf('\n', at);
    if (end < 0) {
      // Without its end of line the last value may be cut in the middle of a number.
      if (text.slice(at, at + MAX_LINE).trim() !== '') faults.add('the text is cut off here', number, start(text, at));
      break;
    }
    if (end - at > MAX_LINE) {
      finish();
      faults.add('expected a line of tc', number, start(text, at));
      at = end + 1;
      continue;
    }
    let from = at;
    while (from < end && isBlank(text.charCodeAt(from))) from += 1;
    if (from === end) finish();
    else if (text.startsWith(word, from)) {
      finish();
      const line = text.slice(from, end);
      head = headOf(line, (what) => faults.add(what, number, line));
    } else if (from === at) {
      // A message in between, or a damaged first line: the numbers that follow may be another's.
      finish();
      faults.add(`expected "${word}…"`, number, start(text, at, end));
    } else if (head !== undefined) {
      const line = text.slice(from, end);
      const wrong = takeLine(stats, line);
      if (wrong !== undefined) faults.add(wrong, number, line);
    }
    at = end + 1;
  }
  finish();
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 13;
}

function start(text: string, from: number, end = from + 500): string {
  return text.slice(from, Math.min(end, from + 500));
}

function classRecord(head: ClassHead, stats: Stats): ClassRecord {
  return {
    kind: head.kind,
    handle: head.handle,
    major: head.major,
    minor: head.minor,
    parent: head.parent,
    leaf: head.leaf,
    level: head.level ?? stats.level,
    prio: head.prio,
    quantum: head.quantum,
    rate: head.rate,
    ceil: head.ceil,
    sentBytes: stats.sentBytes,
    sentPackets: stats.sentPackets,
    dropped: stats.dropped,
    overlimits: stats.overlimits,
    requeues: stats.requeues,
    backlogBytes: stats.backlogBytes,
    backlogPackets: stats.backlogPackets,
    lended: stats.lended,
    borrowed: stats.borrowed,
    giants: stats.giants,
    tokens: stats.tokens,
    ctokens: stats.ctokens,
    packetsBits: packetsBits(stats.sentPackets),
  };
}

function qdiscRecord(head: QdiscHead, stats: Stats): QdiscRecord {
  return {
    ...head,
    ifindex: undefined,
    sentBytes: stats.sentBytes,
    sentPackets: stats.sentPackets,
    dropped: stats.dropped,
    overlimits: stats.overlimits,
    requeues: stats.requeues,
    backlogBytes: stats.backlogBytes,
    backlogPackets: stats.backlogPackets,
    packetsBits: packetsBits(stats.sentPackets),
  };
}
