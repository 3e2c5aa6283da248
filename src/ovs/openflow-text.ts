/**
 * What `ovs-ofctl` prints of counters → records (ovs-ofctl(8)): dump-aggregate, dump-tables, dump-ports, queue-stats.
 * Pure. A counter that the switch does not have is printed as `?` by newer versions and as 2^64-1 by older ones: it is
 * undefined here, never 0. Lines that are none of these (a version's extra statistics, stderr mixed in) are passed over.
 */
import { integer, lines } from '../text.ts';

export type Count = number | bigint | undefined;

const UNSUPPORTED = 2n ** 64n - 1n;

/** A counter of the switch, exact; undefined where it is unknown. */
export function countOf(text: string | undefined): Count {
  const value = integer(text);
  return value === UNSUPPORTED || (value !== undefined && value < 0) ? undefined : value;
}

/** `key=value` pairs of one line; the first of two with one key counts. */
export function pairsOf(text: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const [, key = '', value = ''] of text.matchAll(/(?<![\w.])([a-z_]+)=([^\s,]+)/g))
    if (!pairs.has(key)) pairs.set(key, value);
  return pairs;
}

export interface Aggregate {
  readonly packets: Count;
  readonly bytes: Count;
  readonly flows: Count;
}

/** `NXST_AGGREGATE reply (xid=0x4): packet_count=141 byte_count=48896 flow_count=19`; undefined: no such line. */
export function parseAggregate(text: string): Aggregate | undefined {
  const line = complete(text).find((one) => /_AGGREGATE reply\b/.test(one));
  if (line === undefined) return undefined;
  const pairs = pairsOf(line);
  const flows = countOf(pairs.get('flow_count'));
  return { packets: countOf(pairs.get('packet_count')), bytes: countOf(pairs.get('byte_count')), flows };
}

export interface TableCounts {
  readonly table: number;
  /** Flows in it now. */
  readonly active: Count;
  readonly lookups: Count;
  readonly matched: Count;
}

const MAX_TABLES = 256;
/** `table 3:`, `table 3 ("classifier"):`, `table 3: ditto`, `tables 5...6: ditto`; until 1.x `3: classifier: …`. */
const TABLE = /^ {0,4}(?:tables? )?([0-9]{1,3})(?:\.\.\.([0-9]{1,3}))?(?: \(.*\))?:(.*)$/;

/** One record for each table that the reply names. `ditto` stands for the numbers of the table before. */
export function parseTables(text: string): TableCounts[] {
  const found = new Map<number, TableCounts>();
  let now: TableCounts | undefined;
  for (const line of complete(text)) {
    const [, from, to = from, rest = ''] = TABLE.exec(line) ?? [];
    if (from !== undefined) {
      const before = now;
      const isDitto = rest.trim() === 'ditto';
      for (let table = Number(from); table <= Math.min(Number(to), MAX_TABLES - 1); table++) {
        now = { table, active: undefined, lookups: undefined, matched: undefined };
        if (isDitto && before !== undefined) now = { ...before, table };
        found.set(table, now);
      }
    }
    if (now === undefined || !/\b(?:active|lookup|matched)=/.test(line)) continue;
    const pairs = pairsOf(line);
    now = {
      table: now.table,
      active: now.active ?? countOf(pairs.get('active')),
      lookups: now.lookups ?? countOf(pairs.get('lookup')),
      matched: now.matched ?? countOf(pairs.get('matched')),
    };
    found.set(now.table, now);
  }
  return [...found.values()];
}

/** The counters of one side of a port, by ovs-ofctl's names: `pkts bytes drop errs frame over crc coll`. */
export type PortSide = ReadonlyMap<string, number | bigint>;

export interface PortCounts {
  /** Its number, `LOCAL`, or its name where ovs-ofctl was asked for names. */
  readonly port: string;
  readonly rx: PortSide;
  readonly tx: PortSide;
}

const PORT = /^ +port +("[^"\\]*(?:\\.[^"\\]*)*"|[^\s":]+): rx (.*)$/;

/** The lines of RFC 2819 and of the port's own statistics that newer versions add are passed over. */
export function parsePorts(text: string): PortCounts[] {
  const found: { port: string; rx: PortSide; tx: PortSide }[] = [];
  for (const line of complete(text)) {
    const [, port, rx] = PORT.exec(line) ?? [];
    if (port !== undefined) {
      found.push({ port: unquoted(port), rx: sideOf(rx ?? ''), tx: new Map() });
      continue;
    }
    const [, tx] = /^ +tx (pkts=.*)$/.exec(line) ?? [];
    const last = found.at(-1);
    if (tx !== undefined && last !== undefined && last.tx.size === 0) last.tx = sideOf(tx);
  }
  return found;
}

function sideOf(text: string): PortSide {
  const side = new Map<string, number | bigint>();
  for (const [key, value] of pairsOf(text)) {
    const count = countOf(value);
    if (count !== undefined && key !== 'duration') side.set(key, count);
  }
  return side;
}

export interface QueueCounts {
  /** As in `PortCounts`. */
  readonly port: string;
  readonly queue: number;
  readonly bytes: Count;
  readonly packets: Count;
  /** Of `linux-htb`: what the class dropped. */
  readonly errors: Count;
}

const QUEUE = /^ +port +("[^"\\]*(?:\\.[^"\\]*)*"|[^\s":]+) queue +([0-9]{1,10}): (.*)$/;

/** The duration is not read: `linux-htb` never sets it, so it is whatever stood in memory. */
export function parseQueues(text: string): QueueCounts[] {
  return complete(text).flatMap((line) => {
    const [, port, queue, rest = ''] = QUEUE.exec(line) ?? [];
    if (port === undefined) return [];
    const pairs = pairsOf(rest);
    const [bytes, packets, errors] = ['bytes', 'pkts', 'errors'].map((key) => countOf(pairs.get(key)));
    return [{ port: unquoted(port), queue: Number(queue), bytes, packets, errors }];
  });
}

/** Lines that arrived whole: the last one of a text that was cut off would have a number with digits missing. */
export function complete(text: string): string[] {
  return lines(text.slice(0, text.lastIndexOf('\n') + 1));
}

/** Names that are not simple words are printed as JSON strings. */
export function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : text;
  } catch {
    return text;
  }
}
