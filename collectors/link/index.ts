/** Links of a Linux machine: carrier, speed, counters and errors, bonds and LACP. */
import { type Context, defineCollector, type Host, type Kept, type Reading } from '../../src/collector.ts';
import type { Failure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import { type Bonds, bondsInSysfs, bondsOf, listBonds } from './bonds.ts';
import { checkLink } from './check.ts';
import { type Attributes, type Memory, memoryOf, readInterfaces, withKinds } from './interfaces.ts';
import { compare, type Look, lookAt, witnesses } from './look.ts';
import { bondSamples, counterSamples, labelsOf, linkSamples, vlanSamples } from './measure.ts';
import { metrics } from './metrics.ts';
import { type LinkOptions, options, selector } from './options.ts';
import { parseVlans } from './parse.ts';
import { tables } from './tables.ts';

export const link = defineCollector<LinkOptions>({
  name: 'link',
  options,
  metrics,
  tables,
  async collect({ host, options }: Context<LinkOptions>): Promise<Reading> {
    const wanted = selectorOf(host, options);
    const memory = memoryOf(host, options);
    const [look, allBonds] = await Promise.all([lookAt(host, options, wanted), listBonds(host, options)]);
    const foreign = look.foreign ?? (await disagreement(host, options, look, memory, wanted));
    // What sysfs says of interfaces that are others than those of /proc/net is not put together with these.
    const inSys = foreign === undefined ? [...(look.inSys ?? [])].filter(wanted) : [];
    const [ofProc, attributes] = await Promise.all([
      readProc(host, options, [...allBonds].filter(wanted)),
      readInterfaces(host, options, inSys, memory),
    ]);
    const told = { bonds: allBonds, vlans: ofProc.vlans, hasOvs: look.inSys?.has('ovs-system') ?? false };
    const interfaces = await withKinds(host, options, attributes.interfaces, memory, told);
    const rest = interfaces.filter(
      ({ name, kind }) => kind === 'bond' && !ofProc.bonds.some((one) => one.name === name),
    );
    const bonds = [
      ...ofProc.bonds,
      ...(await bondsInSysfs(
        host,
        options,
        rest.map(({ name }) => name),
      )),
    ];
    return {
      samples: measure({ look, interfaces, bonds, vlans: ofProc.vlans, wanted }),
      problems: [
        ...look.problems,
        ...(foreign === undefined ? [] : [foreign]),
        ...attributes.problems,
        ...ofProc.problems,
      ],
      unread: halfRead(look, foreign, wanted),
    };
  },
  check: checkLink,
});

interface Selector extends Kept {
  readonly wanted: (name: string) => boolean;
}

function selectorOf(host: Host, options: LinkOptions): (name: string) => boolean {
  const key = `link names ${JSON.stringify([options.include, options.exclude])}`;
  return host.keep<Selector>(key, () => ({ wanted: selector(options), close() {} })).wanted;
}

/** Asked until it is known: namespaces and mounts stay as they are while a target is open. */
async function disagreement(
  host: Host,
  options: LinkOptions,
  { inSys, dev }: Look,
  memory: Memory,
  wanted: (name: string) => boolean,
): Promise<Failure | undefined> {
  if (memory.agreed || inSys === undefined || dev === undefined) return undefined;
  const agreement = await compare(host, options, witnesses(inSys, dev.names, wanted));
  memory.agreed = agreement.kind === 'same';
  return agreement.kind === 'foreign' ? agreement.failure : undefined;
}

/**
 * Interfaces that one of the two places tells of, while the other one tells nothing. However long that lasts, what it told
 * before is not known, and does not end: a final 0 would say that the link is down.
 */
function halfRead(
  { inSys, dev }: Look,
  foreign: Failure | undefined,
  wanted: (name: string) => boolean,
): NonNullable<Reading['unread']> {
  const isHalf = foreign !== undefined || inSys === undefined || dev === undefined;
  const names = isHalf ? (dev?.names ?? inSys ?? []) : [];
  return [...names].filter(wanted).map((name) => ({ interface: name }));
}

interface OfProc extends Bonds {
  readonly vlans: ReadonlyMap<string, number>;
}

/** The numbers of VLANs are for root alone; without them a VLAN is known all the same. */
async function readProc(host: Host, { proc }: LinkOptions, names: readonly string[]): Promise<OfProc> {
  const [vlans, ...texts] = await host.readFiles([
    `${proc}/vlan/config`,
    ...names.map((name) => `${proc}/bonding/${name}`),
  ]);
  return { ...bondsOf(proc, names, texts), vlans: typeof vlans === 'string' ? parseVlans(vlans) : new Map() };
}

interface Found {
  readonly look: Look;
  readonly interfaces: Attributes['interfaces'];
  readonly bonds: Bonds['bonds'];
  readonly vlans: ReadonlyMap<string, number>;
  readonly wanted: (name: string) => boolean;
}

function measure({ look, interfaces, bonds, vlans, wanted }: Found): Sample[] {
  const byName = new Map(interfaces.map((one) => [one.name, one]));
  const bondOf = new Map(bonds.map((one) => [one.name, one]));
  const counters = look.dev?.interfaces;
  const names = new Set([...byName.keys(), ...[...(counters?.keys() ?? [])].filter(wanted)]);
  return [...names].flatMap((name) => {
    const found = byName.get(name);
    const labels = labelsOf(name, found);
    const [ifindex, counted, vlan, bond] = [found?.ifindex, counters?.get(name), vlans.get(name), bondOf.get(name)];
    return [
      ...(found === undefined ? [] : linkSamples(found, labels)),
      ...(counted === undefined ? [] : counterSamples(counted, labels, ifindex)),
      ...(vlan === undefined ? [] : vlanSamples(vlan, labels, ifindex)),
      ...(bond === undefined ? [] : bondSamples(bond, labels, ifindex)),
    ];
  });
}
