/** The names of interfaces in sysfs and in /proc/net, and whether both are of one network namespace. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { lines, quoted, words } from '../../src/text.ts';
import type { LinkOptions } from './options.ts';
import { type Counters, type NetDev, naturalOf, parseNetDev } from './parse.ts';

export interface Look {
  /** Undefined: sysfs could not be read. */
  readonly inSys: ReadonlySet<string> | undefined;
  /** Undefined: /proc/net/dev could not be read. */
  readonly dev: NetDev | undefined;
  readonly problems: readonly Failure[];
  /** The two show different namespaces. */
  readonly foreign: Failure | undefined;
}

type Wanted = (name: string) => boolean;

/** A file beside the interfaces, made by the bonding module. */
const NO_INTERFACE = 'bonding_masters';

/** An interface that came or went between the two readings is in both, or in neither, the next time. */
export async function lookAt(host: Host, options: LinkOptions, wanted: Wanted): Promise<Look> {
  const first = await lookOnce(host, options, wanted);
  const before = strays(first);
  if (before.length === 0) return { ...first, foreign: undefined };
  const second = await lookOnce(host, options, wanted);
  const still = strays(second).filter((one) => before.includes(one));
  return { ...second, foreign: still.length === 0 ? undefined : foreignNames(options, still) };
}

async function lookOnce(host: Host, { sys, proc }: LinkOptions, wanted: Wanted): Promise<Omit<Look, 'foreign'>> {
  const problems: Failure[] = [];
  const tried = async <Value>(work: Promise<Value>): Promise<Value | undefined> => {
    try {
      return await work;
    } catch (thrown) {
      problems.push(asFailure(thrown));
      return undefined;
    }
  };
  const path = `${proc}/dev`;
  const [names, text] = await Promise.all([tried(host.list(sys)), tried(host.readFile(path))]);
  const dev = text === undefined ? undefined : parseNetDev(text, path, wanted);
  const inSys = names === undefined ? undefined : new Set(names.filter((name) => name !== NO_INTERFACE));
  const [first] = problems;
  if (first !== undefined && inSys === undefined && dev === undefined) throw first;
  return { inSys, dev, problems: [...problems, ...(dev?.problems ?? [])] };
}

/** Names that stand in one of the two alone, each with the place where it does. A row that is broken has no name. */
function strays({ inSys, dev }: Omit<Look, 'foreign'>): string[] {
  if (inSys === undefined || dev === undefined || dev.problems.length > 0) return [];
  const inProc = dev.names;
  return [
    ...[...inSys].filter((name) => !inProc.has(name)).map((name) => `sys ${name}`),
    ...[...inProc].filter((name) => !inSys.has(name)).map((name) => `proc ${name}`),
  ];
}

const MAX_NAMED = 3;

function foreignNames(options: LinkOptions, still: readonly string[]): Failure {
  const only = (place: 'sys' | 'proc', path: string): string[] => {
    const names = still.filter((one) => one.startsWith(`${place} `)).map((one) => one.slice(place.length + 1));
    if (names.length === 0) return [];
    const shown = names.slice(0, MAX_NAMED).map((name) => quoted(name));
    return [
      `only ${path} has ${shown.join(', ')}${names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : ''}`,
    ];
  };
  return foreign(options, [...only('sys', options.sys), ...only('proc', `${options.proc}/dev`)].join(', '));
}

function foreign({ sys, proc }: LinkOptions, how: string): Failure {
  const advice =
    'mount both of the machine into the container and name them (sys: /host/sys/class/net, proc: /host/proc/1/net), ' +
    'or run in one network namespace with the /sys of that one (ip netns exec mounts it, nsenter --net does not)';
  const message = `${sys} and ${proc} show different network namespaces: ${how}; states of links are not sent: ${advice}`;
  return new Failure('E_CONFIG', message, { path: sys });
}

/** So many interfaces are compared, those that count most. */
const MAX_WITNESSES = 3;

/** Those that are measured, and the one that every namespace has and that mostly counts. */
export function witnesses(
  inSys: ReadonlySet<string>,
  inProc: ReadonlySet<string>,
  wanted: (name: string) => boolean,
): string[] {
  return [...inSys].filter((name) => inProc.has(name) && (name === 'lo' || wanted(name)));
}

export type Agreement = { readonly kind: 'same' | 'unknown' } | { readonly kind: 'foreign'; readonly failure: Failure };

/**
 * Two namespaces may have interfaces of the same names (lo and eth0). What sysfs counts must lie between what /proc/net
 * counts before and after it, and the number of an interface must be the same in both. A driver may begin to count anew
 * meanwhile, and an interface be made anew, but not twice in a row.
 */
export async function compare(host: Host, options: LinkOptions, names: readonly string[]): Promise<Agreement> {
  const first = await compareOnce(host, options, names);
  return first.kind === 'foreign' ? compareOnce(host, options, names) : first;
}

const bytesOf = (counters: Counters | undefined): number => Number(counters?.get('rx bytes') ?? 0);

async function compareOnce(host: Host, options: LinkOptions, names: readonly string[]): Promise<Agreement> {
  const { sys, proc } = options;
  const path = `${proc}/dev`;
  const asked = new Set(names);
  const countersNow = async () => parseNetDev(await host.readFile(path), path, (name) => asked.has(name)).interfaces;
  const before = await countersNow();
  const witnesses = names.toSorted((a, b) => bytesOf(before.get(b)) - bytesOf(before.get(a))).slice(0, MAX_WITNESSES);
  if (witnesses.length === 0) return { kind: 'unknown' };
  const texts = await host.readFiles(
    witnesses.flatMap((name) => [
      ...[`${sys}/${name}/statistics/rx_bytes`, `${sys}/${name}/ifindex`, `${proc}/dev_snmp6/${name}`],
    ]),
  );
  const after = await countersNow();
  let counted = false;
  for (const [index, name] of witnesses.entries()) {
    const [bytes, ifindex, snmp6] = texts.slice(3 * index).map((text) => (typeof text === 'string' ? text : ''));
    const [inSys, from, to] = [naturalOf(bytes ?? ''), bytesOf(before.get(name)), bytesOf(after.get(name))];
    if (inSys !== undefined && before.has(name) && after.has(name)) {
      if (from <= to && (inSys < from || inSys > to)) {
        const how = `${quoted(name)} has received ${inSys} bytes in the one and ${to} in the other`;
        return { kind: 'foreign', failure: foreign(options, how) };
      }
      counted ||= inSys > 0;
    }
    const [own, theirs] = [naturalOf(ifindex ?? ''), naturalOf(words(lines(snmp6 ?? '')[0] ?? '')[1] ?? '')];
    if (own !== undefined && theirs !== undefined && own !== theirs) {
      const how = `${quoted(name)} is number ${own} in the one and ${theirs} in the other`;
      return { kind: 'foreign', failure: foreign(options, how) };
    }
  }
  return { kind: counted ? 'same' : 'unknown' };
}
