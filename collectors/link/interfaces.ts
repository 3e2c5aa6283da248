/** Interfaces as sysfs shows them: one batch of attributes, and another one for those that are new. */
import type { Host, Kept } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { hasSpeed, isAmbiguous, KIND_ATTRIBUTES, type Kind, kindOf, type Marks } from './kind.ts';
import type { LinkOptions } from './options.ts';
import { flagsOf, naturalOf, parseUevent, speedOf } from './parse.ts';

/** What is learnt of a machine, and true until it changes: it spares most reads. */
export interface Memory extends Kept {
  readonly known: Map<string, { readonly ifindex: number | undefined; readonly devtype: string; readonly kind: Kind }>;
  /** Which attributes count the carrier's changes (none before 3.15). Undefined: not known yet. */
  counts: readonly string[] | undefined;
  /** sysfs and /proc/net were seen to show the same interfaces, by what these count. */
  agreed: boolean;
}

export function memoryOf(host: Host, { sys, proc }: LinkOptions): Memory {
  return host.keep<Memory>(`link ${JSON.stringify([sys, proc])}`, () => {
    return { known: new Map(), counts: undefined, agreed: false, close() {} };
  });
}

export interface Interface {
  readonly name: string;
  readonly ifindex: number | undefined;
  readonly devtype: string;
  readonly master: string | undefined;
  readonly flags: number | undefined;
  readonly kind: Kind | undefined;
  /** By attribute; one that has no value now is not there. */
  readonly texts: ReadonlyMap<string, string>;
}

const ALWAYS = ['uevent', 'flags', 'operstate', 'carrier', 'mtu', 'master/uevent'];
const IN_TWO = ['carrier_up_count', 'carrier_down_count'];
const IN_ONE = ['carrier_changes'];
/** A driver may answer these with whatever error it likes, and kernels before 2.6.22 do so for uevent. */
const MAY_FAIL: ReadonlySet<string> = new Set(['speed', 'duplex', 'uevent', ...KIND_ATTRIBUTES]);

export interface Attributes {
  readonly interfaces: readonly Interface[];
  readonly problems: readonly Failure[];
}

/** Reads those of the names that are still there; what kind of thing they are is left for `withKinds`. */
export async function readInterfaces(
  host: Host,
  { sys }: LinkOptions,
  names: readonly string[],
  memory: Memory,
): Promise<Attributes> {
  const asked = names.map((name, index) => {
    const kind = memory.known.get(name)?.kind;
    // The first one tells in every run what this kernel has: another one may have been booted.
    const counts = index === 0 || memory.counts === undefined ? [...IN_TWO, ...IN_ONE] : memory.counts;
    return { name, attributes: [...ALWAYS, ...counts, ...(hasSpeed(kind) ? ['speed', 'duplex'] : [])] };
  });
  const answers = await readEach(host, sys, asked);
  const interfaces = answers.flatMap(({ name, texts, failures }) => {
    // Gone since its name was read.
    if (texts.size === 0 && failures.length === 0) return [];
    const uevent = parseUevent(texts.get('uevent') ?? '');
    const master = parseUevent(texts.get('master/uevent') ?? '').INTERFACE;
    const ifindex = naturalOf(uevent.IFINDEX ?? '');
    const flags = flagsOf(texts.get('flags') ?? '');
    return [{ name, ifindex, devtype: uevent.DEVTYPE ?? '', master, flags, kind: undefined, texts }];
  });
  const [first] = interfaces;
  if (first !== undefined)
    memory.counts = [IN_TWO, IN_ONE].find((some) => some.every((one) => first.texts.has(one))) ?? [];
  return { interfaces, problems: summary(answers) };
}

interface Asked {
  readonly name: string;
  readonly attributes: readonly string[];
}

interface Answer {
  readonly name: string;
  readonly texts: Map<string, string>;
  readonly failures: readonly Failure[];
}

async function readEach(host: Host, sys: string, asked: readonly Asked[]): Promise<Answer[]> {
  const paths = asked.flatMap(({ name, attributes }) => attributes.map((attribute) => `${sys}/${name}/${attribute}`));
  if (paths.length === 0) return [];
  const results = await host.readFiles(paths);
  let at = 0;
  return asked.map(({ name, attributes }) => {
    const texts = new Map<string, string>();
    const failures: Failure[] = [];
    for (const attribute of attributes) {
      const result = results[at++];
      if (typeof result === 'string') texts.set(attribute, result);
      else if (result === undefined || result.code === 'E_NOT_FOUND') continue;
      else if (result.code === 'E_DENIED' || !MAY_FAIL.has(attribute)) failures.push(result);
    }
    return { name, texts, failures };
  });
}

/** One problem, however many attributes cannot be read: for one reason, mostly. */
function summary(answers: readonly Answer[]): Failure[] {
  const troubled = answers.filter(({ failures }) => failures.length > 0);
  const [first] = troubled;
  const failure = first?.failures[0];
  if (first === undefined || failure === undefined) return [];
  const count = troubled.reduce((sum, { failures }) => sum + failures.length, 0);
  const others = count === 1 ? '' : ` (${count} attributes of ${troubled.length} interfaces are so)`;
  const { path } = failure.evidence;
  const scope = troubled.length === 1 ? { labels: { interface: first.name } } : {};
  const evidence = { count, ...(path === undefined ? {} : { path }), ...scope, cause: failure };
  return [new Failure(failure.code, `${failure.message}${others}`, evidence)];
}

export interface Told {
  readonly bonds: ReadonlySet<string>;
  readonly vlans: ReadonlyMap<string, number>;
  readonly hasOvs: boolean;
}

/** So many directories are listed in one run, one after the other; further ones in the runs that follow. */
const MAX_LISTED = 16;

/** What kind of thing each is. Those that were not seen before, or are others by now, are looked at closely. */
export async function withKinds(
  host: Host,
  { sys }: LinkOptions,
  interfaces: readonly Interface[],
  memory: Memory,
  told: Told,
): Promise<Interface[]> {
  const fresh = interfaces.filter(({ name, ifindex, devtype }) => {
    const before = memory.known.get(name);
    return before === undefined || before.ifindex !== ifindex || before.devtype !== devtype;
  });
  const close = await readEach(
    host,
    sys,
    fresh.map(({ name }) => ({ name, attributes: KIND_ATTRIBUTES })),
  );
  let listed = 0;
  for (const [index, { name, ifindex, devtype, flags, texts }] of fresh.entries()) {
    const attributes = Object.fromEntries(close[index]?.texts ?? []);
    const [isBond, isVlan] = [told.bonds.has(name), told.vlans.has(name)];
    const hasSpeed = speedOf(texts.get('speed') ?? '') !== undefined;
    const about = { name, ifindex, devtype, flags, isBond, isVlan, hasSpeed };
    let marks: Marks = { ...about, hasOvs: told.hasOvs, attributes };
    if (isAmbiguous(marks)) {
      if (listed++ >= MAX_LISTED) continue;
      const entries = await host.list(`${sys}/${name}`).catch(() => []);
      marks = { ...marks, hasLower: entries.some((entry) => entry.startsWith('lower_')) };
    }
    memory.known.set(name, { ifindex, devtype, kind: kindOf(marks) });
  }
  const there = new Set(interfaces.map(({ name }) => name));
  // Another job of the same machine may measure others, which are looked at again then.
  if (memory.known.size > 2 * there.size + 1000)
    for (const name of memory.known.keys()) if (!there.has(name)) memory.known.delete(name);
  return interfaces.map((one) => ({ ...one, kind: memory.known.get(one.name)?.kind }));
}
