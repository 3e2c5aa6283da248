/**
 * The JSON of `tc -j -s -d class show` (from iproute2 6.2 on) and `tc -j -s -d qdisc show` → records. Pure.
 *
 * Rates are exact and in bytes per second. Where a kind has no JSON of its own, iproute2 prints text into it (pfifo
 * in 4.15 to 4.18, HFSC until today): such an output is none, and nothing of it is believed.
 */
import { integer } from '../../src/text.ts';
import { createFaults, type Faults } from './faults.ts';
import { rateOfBytes } from './rates.ts';
import type { ClassRecord, Count, Parsed, QdiscRecord, Rate, Totals } from './record.ts';
import { handleOf, handleText, MAX_U32, normalised, packetsBits } from './record.ts';
import { minorOf } from './tc-qdisc-head.ts';

type Json = Readonly<Record<string, unknown>>;

export function parseClassJson(text: string): Parsed<ClassRecord> {
  const faults = createFaults('tc -j class');
  const records = new Map<string, ClassRecord>();
  for (const entry of entriesOf(text, faults)) {
    const kind = entry.class ?? entry.kind;
    if (kind !== 'htb' && kind !== 'hfsc') continue;
    const handle = typeof entry.handle === 'string' ? handleOf(entry.handle) : undefined;
    const parent = typeof entry.parent === 'string' ? normalised(entry.parent) : undefined;
    if (handle === undefined || (parent === undefined && entry.root !== true)) {
      faults.add(`expected a class ${kind} with handle, and root or parent`, undefined, shown(entry));
      continue;
    }
    const name = handleText(handle >>> 16, handle & 0xffff);
    const read = reader(`class ${name}`, faults);
    const stats = isObject(entry.stats) ? entry.stats : entry;
    const totals = totalsOf(stats, read);
    const leaf = typeof entry.leaf === 'string' ? /^(?:0x)?([0-9a-f]{1,4}):?$/.exec(entry.leaf)?.[1] : undefined;
    records.set(name, {
      kind,
      handle: name,
      major: handle >>> 16,
      minor: handle & 0xffff,
      parent,
      leaf: leaf === undefined ? undefined : handleText(Number.parseInt(leaf, 16), 0),
      level: read.narrow(entry, 'level'),
      prio: read.narrow(entry, 'prio'),
      quantum: read.narrow(entry, 'quantum'),
      rate: rate(read.total(entry, 'rate')),
      ceil: rate(read.total(entry, 'ceil')),
      ...totals,
      lended: read.narrow(stats, 'lended'),
      borrowed: read.narrow(stats, 'borrowed'),
      giants: read.narrow(stats, 'giants'),
      tokens: read.signed(stats, 'tokens'),
      ctokens: read.signed(stats, 'ctokens'),
      packetsBits: packetsBits(totals.sentPackets),
    });
  }
  return { records: [...records.values()], problems: faults.problems() };
}

export function parseQdiscJson(text: string): Parsed<QdiscRecord> {
  const faults = createFaults('tc -j qdisc');
  const records: QdiscRecord[] = [];
  for (const entry of entriesOf(text, faults)) {
    const handle = typeof entry.handle === 'string' ? normalised(entry.handle) : undefined;
    if (typeof entry.kind !== 'string' || handle === undefined) {
      faults.add('expected a qdisc with kind and handle', undefined, shown(entry));
      continue;
    }
    const read = reader(`qdisc ${handle}`, faults);
    const ours = (entry.kind === 'htb' || entry.kind === 'hfsc') && isObject(entry.options);
    const options = ours && isObject(entry.options) ? entry.options : {};
    const totals = totalsOf(isObject(entry.stats) ? entry.stats : entry, read);
    const byDefault = options.default;
    records.push({
      kind: entry.kind,
      device: typeof entry.dev === 'string' ? entry.dev : undefined,
      ifindex: undefined,
      handle,
      parent: entry.root === true ? 'root' : typeof entry.parent === 'string' ? normalised(entry.parent) : undefined,
      ...totals,
      directPackets: read.narrow(options, 'direct_packets_stat'),
      // A number until 4.18, hexadecimal text since.
      defaultMinor: typeof byDefault === 'number' ? byDefault & 0xffff : minorOf(textOf(byDefault)),
      packetsBits: packetsBits(totals.sentPackets),
    });
  }
  return { records, problems: faults.problems() };
}

function entriesOf(text: string, faults: Faults): Json[] {
  let all: unknown;
  try {
    all = /[0-9]{16}/.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
  } catch {
    faults.add('this is no JSON: ask without -j', undefined, text.slice(0, 500).trim());
    return [];
  }
  if (!Array.isArray(all)) {
    faults.add('expected an array', undefined, text.slice(0, 500).trim());
    return [];
  }
  const entries = all.filter(isObject);
  if (entries.length < all.length) faults.add('expected an object for each class or qdisc');
  return entries;
}

/** Keeps the digits of what no number can hold. */
function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  return integer(context?.source) ?? value;
}

function reader(what: string, faults: Faults) {
  const within = (from: Json, key: string, least: number, most: number | bigint): Count | undefined => {
    const value = from[key];
    if (value === undefined) return undefined;
    const fits = (Number.isSafeInteger(value) || typeof value === 'bigint') && (value as Count) >= least;
    if (fits && (value as Count) <= most) return value as Count;
    faults.add(`${what}: expected a number from ${least} to ${most} for ${key}`, undefined, String(value).slice(0, 40));
    return undefined;
  };
  return {
    total: (from: Json, key: string) => within(from, key, 0, 2n ** 64n - 1n),
    narrow: (from: Json, key: string) => within(from, key, 0, MAX_U32) as number | undefined,
    signed: (from: Json, key: string) => within(from, key, -(2 ** 31), 2 ** 31 - 1) as number | undefined,
  };
}

function totalsOf(stats: Json, read: ReturnType<typeof reader>): Totals {
  return {
    sentBytes: read.total(stats, 'bytes'),
    sentPackets: read.total(stats, 'packets'),
    dropped: read.narrow(stats, 'drops'),
    overlimits: read.narrow(stats, 'overlimits'),
    requeues: read.narrow(stats, 'requeues'),
    backlogBytes: read.narrow(stats, 'backlog'),
    backlogPackets: read.narrow(stats, 'qlen'),
  };
}

function rate(bytesPerSecond: Count | undefined): Rate | undefined {
  return bytesPerSecond === undefined ? undefined : rateOfBytes(bytesPerSecond, false);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function shown(entry: Json): string {
  return JSON.stringify(entry, (_key, value) => (typeof value === 'bigint' ? String(value) : value)).slice(0, 500);
}
