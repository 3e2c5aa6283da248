/** /proc/net/dev, /proc/net/vlan/config and the attributes of /sys/class/net → records. Pure. */
import { Failure } from '../../src/errors.ts';
import { integer, lines, quoted, words } from '../../src/text.ts';

type Total = number | bigint;

/** One interface's counters, by direction and the kernel's column: `rx bytes`, `tx colls`. */
export type Counters = ReadonlyMap<string, Total>;

export interface NetDev {
  /** Of every interface, whether it is wanted or not. */
  readonly names: ReadonlySet<string>;
  readonly interfaces: ReadonlyMap<string, Counters>;
  readonly problems: readonly Failure[];
}

/** What each direction has in every kernel since 2.2. */
const HEAD = /^[^|]*\|([^|]*)\|([^|]*)$/;
const MAX_PROBLEMS = 3;

/**
 * Two lines of headers, then `name: numbers`. Kernels before 2.6.37 put no blank behind the colon when a number is long,
 * and some allowed a colon in names: the last one ends it. Columns are found by the header's names. Of thousands of
 * interfaces few are wanted: only their numbers are read.
 */
export function parseNetDev(text: string, path: string, wanted: (name: string) => boolean = () => true): NetDev {
  const all = lines(text);
  const at = all.findIndex((line) => HEAD.test(line) && (line.match(/\bbytes\b/g)?.length ?? 0) === 2);
  const [, receive, transmit] = HEAD.exec(all[at] ?? '') ?? [];
  if (receive === undefined || transmit === undefined) {
    const message = `${path}: no header with the columns of Receive and Transmit`;
    return { names: new Set(), interfaces: new Map(), problems: [new Failure('E_PARSE', message, { path })] };
  }
  const columns = [...words(receive).map((one) => `rx ${one}`), ...words(transmit).map((one) => `tx ${one}`)];
  const names = new Set<string>();
  const interfaces = new Map<string, Counters>();
  const twice = new Set<string>();
  const problems: Failure[] = [];
  for (const [index, line] of all.entries()) {
    if (index <= at || line.trim() === '') continue;
    const colon = line.lastIndexOf(':');
    const name = line.slice(0, Math.max(0, colon)).replace(/^ +/, '');
    const isCut = index === all.length - 1 && !text.endsWith('\n');
    if (name !== '' && !isCut && !wanted(name)) {
      names.add(name);
      continue;
    }
    const values = words(line.slice(colon + 1)).map(integer);
    const whole = !isCut && values.length === columns.length && values.every((one) => one !== undefined && one >= 0);
    if (name === '' || !whole) {
      if (problems.length < MAX_PROBLEMS) problems.push(badRow(path, index + 1, line, columns.length));
      continue;
    }
    if (interfaces.has(name)) twice.add(name);
    names.add(name);
    interfaces.set(name, new Map(columns.map((column, position) => [column, values[position] ?? 0])));
  }
  // Names that are not UTF-8 may look alike: nobody can tell whose numbers these are.
  for (const name of twice) interfaces.delete(name);
  return { names, interfaces, problems };
}

function badRow(path: string, line: number, text: string, columns: number): Failure {
  const message = `${path}, line ${line}: expected a name, a colon and ${columns} numbers, found ${quoted(text)}`;
  return new Failure('E_PARSE', message, { path, line, text: text.slice(0, 200) });
}

/** `bond0.100      | 100  | bond0`, below two lines of headers: the numbers of VLANs, by interface. */
export function parseVlans(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of lines(text)) {
    const [name = '', id, below] = line.split('|').map((part) => part.trim());
    const number = integer(id);
    if (name !== '' && below !== undefined && typeof number === 'number' && number >= 0) found.set(name, number);
  }
  return found;
}

/** `KEY=value` lines of a uevent attribute. */
export function parseUevent(text: string): Readonly<Record<string, string | undefined>> {
  const found: Record<string, string | undefined> = Object.create(null);
  for (const line of lines(text)) {
    const equals = line.indexOf('=');
    if (equals > 0) found[line.slice(0, equals)] = line.slice(equals + 1);
  }
  return found;
}

/** Linux's IF_OPER_ numbers (if.h); their order is that of the kernel's texts, and RFC 2863 has others. */
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];

export function operstateOf(text: string): number | undefined {
  const number = OPERSTATES.indexOf(text.trim());
  return number < 0 ? undefined : number;
}

/** Megabits per second → bits per second. Drivers say -1 as 16, 32 or signed bits where they do not know. */
export function speedOf(text: string): number | undefined {
  const megabits = integer(text.trim());
  if (typeof megabits !== 'number' || megabits <= 0 || megabits === 65_535 || megabits >= 2 ** 31 - 1) return undefined;
  return megabits * 1_000_000;
}

/** 1: half duplex. */
export function halfDuplexOf(text: string): 0 | 1 | undefined {
  const word = text.trim();
  return word === 'half' ? 1 : word === 'full' ? 0 : undefined;
}

/** `0x1003`: what netdevice(7) calls IFF_. */
export function flagsOf(text: string): number | undefined {
  const word = text.trim();
  return /^0x[0-9a-f]{1,8}$/i.test(word) ? Number(word) : undefined;
}

/** A number that is not negative. */
export function naturalOf(text: string): number | undefined {
  const number = integer(text.trim());
  return typeof number === 'number' && number >= 0 ? number : undefined;
}
