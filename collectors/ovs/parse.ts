/** What vswitchd says of its datapaths, its memory and its events over its control socket → records. Pure. */
import { integer, lines } from '../../src/text.ts';

export type Count = number | bigint;

export interface Datapath {
  /** `system@ovs-system`, `netdev@ovs-netdev`. */
  readonly name: string;
  /** By the words of dpctl/show: `hit missed lost flows masks mask_hit cache_hit`. */
  readonly counts: ReadonlyMap<string, Count>;
}

/** Nobody has more datapaths, facilities or events than this. */
const MAX_THINGS = 1000;
const HEADER = /^([a-z]+@[A-Za-z0-9_.-]+):$/;
const COUNT = '([0-9]{1,20})';

/**
 * dpctl/show: `NAME@DP:` and indented lines below it. Newer versions indent by blanks, older ones by tabs; masks and
 * caches are there with the kernel's datapath only. The lines of ports, whose names may be anything, are passed over.
 */
export function parseDatapaths(text: string): Datapath[] {
  const found: { name: string; counts: Map<string, Count> }[] = [];
  let counts: Map<string, Count> | undefined;
  for (const line of lines(text)) {
    const [, name] = HEADER.exec(line) ?? [];
    if (name !== undefined && found.length < MAX_THINGS) {
      // What a port's name makes look like a datapath that was there before is none.
      counts = found.some((one) => one.name === name) ? undefined : new Map();
      if (counts !== undefined) found.push({ name, counts });
    }
    if (/^\s+port [0-9]+:/.test(line)) counts = undefined;
    const [, kind, rest = ''] = /^\s+(lookups|flows|masks|cache): (.*)$/.exec(line) ?? [];
    const into = counts;
    if (into === undefined || kind === undefined) continue;
    const take = (word: string, as: string): void => {
      const count = integer(new RegExp(`(?:^|[ ,])${word}:${COUNT}(?![0-9])`).exec(rest)?.[1]);
      if (count !== undefined && !into.has(as)) into.set(as, count);
    };
    if (kind === 'lookups') for (const word of ['hit', 'missed', 'lost']) take(word, word);
    else if (kind === 'masks') {
      take('hit', 'mask_hit');
      take('total', 'masks');
    } else if (kind === 'cache') take('hit', 'cache_hit');
    else {
      const flows = integer(rest.trim());
      if (flows !== undefined && !into.has('flows')) into.set('flows', flows);
    }
  }
  return found;
}

export interface Upcall {
  readonly datapath: string;
  /** `current avg max limit`, `offloaded`, `dump_milliseconds`. */
  readonly counts: ReadonlyMap<string, Count>;
}

/** upcall/show: `flows : (current 7) (avg 6) (max 24) (limit 23000)` and so on, below each datapath's name. */
export function parseUpcalls(text: string): Upcall[] {
  const found: { datapath: string; counts: Map<string, Count> }[] = [];
  for (const line of lines(text)) {
    const [, datapath] = HEADER.exec(line) ?? [];
    if (datapath !== undefined && found.length < MAX_THINGS) found.push({ datapath, counts: new Map() });
    const counts = found.at(-1)?.counts;
    const [, what, rest = ''] = /^\s+(flows|offloaded flows|dump duration)\s*: (.*)$/.exec(line) ?? [];
    if (counts === undefined || what === undefined) continue;
    const take = (text: string | undefined, as: string): void => {
      const count = integer(text);
      if (count !== undefined) counts.set(as, count);
    };
    if (what === 'offloaded flows') take(rest.trim(), 'offloaded');
    else if (what === 'dump duration') take(/^([0-9]+)ms$/.exec(rest.trim())?.[1], 'dump_milliseconds');
    else for (const [, word = '', count] of rest.matchAll(/\((current|avg|max|limit) ([0-9]+)\)/g)) take(count, word);
  }
  return found;
}

/** memory/show: one line of `key:value`, where keys may hold blanks: `udpif keys:11`. */
export function parseMemory(text: string): Map<string, Count> {
  const found = new Map<string, Count>();
  const line = lines(text).join(' ');
  for (const [, key = '', digits] of line.matchAll(/(?<![^ ])([^\s:][^:]{0,63}):([0-9]{1,20})(?![^ ])/g)) {
    const count = integer(digits);
    if (count !== undefined && found.size < MAX_THINGS) found.set(key.trim(), count);
  }
  return found;
}

/** coverage/show: the totals since vswitchd began. Undefined: this is no such reply, so nothing is known of any event. */
export function parseCoverage(text: string): Map<string, Count> | undefined {
  if (!/^(?:Event coverage|[0-9]+ events never hit)/m.test(text)) return undefined;
  const found = new Map<string, Count>();
  for (const line of lines(text)) {
    const [, event, digits] = /^([A-Za-z][A-Za-z0-9_]{0,63})\s.*\stotal: ([0-9]{1,20})$/.exec(line) ?? [];
    const count = integer(digits);
    if (event !== undefined && count !== undefined && found.size < MAX_THINGS) found.set(event, count);
  }
  return found;
}

/** The reply to `version`: `ovs-vswitchd (Open vSwitch) 3.1.0`. */
export function parseVersion(text: string): string | undefined {
  return /^\S+ \([^)]*\) ([0-9][0-9A-Za-z.+~-]{0,31})\s*$/m.exec(text)?.[1];
}
