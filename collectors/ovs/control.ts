/** What vswitchd tells over its control socket: the datapath, upcalls, events, bonds and LACP. */
import { Failure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import type { Unixctl } from '../../src/ovs/unixctl.ts';
import { coverageSets } from './coverage.ts';
import type { Layout } from './layout.ts';
import { datapathMetrics } from './metrics.ts';
import { linkMetrics } from './metrics-links.ts';
import type { OvsOptions } from './options.ts';
import { type Count, parseCoverage, parseDatapaths, parseUpcalls } from './parse.ts';
import { type LacpMember, parseBonds, parseLacp } from './parse-bonds.ts';
import { known } from './rows.ts';
import { attempt, joined, only, type Part } from './scope.ts';

/** `layout` may be that of the last connection to the database, or undefined where nothing is known of it. */
export async function readControl(control: Unixctl, options: OvsOptions, layout: Layout | undefined): Promise<Part> {
  const ask = (
    command: string,
    labels: Parameters<typeof only>[0],
    read: (text: string) => readonly Sample[],
  ): Promise<Part> =>
    attempt(only(labels), `ovs-vswitchd, ${command}: `, async () => read(await control.call(command)));
  const asked = [ask('dpctl/show', ['datapath'], datapathSamples), ask('upcall/show', ['datapath'], upcallSamples)];
  if (options.coverage.length > 0)
    asked.push(ask('coverage/show', ['event'], (text) => coverageSamples(text, options.coverage)));
  if (layout !== undefined && layout.bonds.size > 0)
    asked.push(ask('bond/show', ['bridge', 'port', 'interface'], (text) => bondSamples(text, layout)));
  if (layout?.hasLacp === true)
    asked.push(ask('lacp/show', ['bridge', 'port', 'interface'], (text) => lacpSamples(text, layout)));
  return joined(await Promise.all(asked));
}

function datapathSamples(text: string): Sample[] {
  return parseDatapaths(text).flatMap(({ name: datapath, counts }) => [
    ...known(datapathMetrics.hit, counts.get('hit'), { datapath }),
    ...known(datapathMetrics.missed, counts.get('missed'), { datapath }),
    ...known(datapathMetrics.lost, counts.get('lost'), { datapath }),
    ...known(datapathMetrics.flows, counts.get('flows'), { datapath }),
    ...known(datapathMetrics.masks, counts.get('masks'), { datapath }),
    ...known(datapathMetrics.maskHit, counts.get('mask_hit'), { datapath }),
    ...known(datapathMetrics.cacheHit, counts.get('cache_hit'), { datapath }),
  ]);
}

function upcallSamples(text: string): Sample[] {
  return parseUpcalls(text).flatMap(({ datapath, counts }) => {
    const milliseconds = counts.get('dump_milliseconds');
    const seconds = milliseconds === undefined ? undefined : Number(milliseconds) / 1000;
    return [
      ...known(datapathMetrics.upcallFlows, counts.get('current'), { datapath }),
      ...known(datapathMetrics.upcallFlowsAverage, counts.get('avg'), { datapath }),
      ...known(datapathMetrics.upcallFlowsMax, counts.get('max'), { datapath }),
      ...known(datapathMetrics.upcallFlowsLimit, counts.get('limit'), { datapath }),
      ...known(datapathMetrics.upcallOffloaded, counts.get('offloaded'), { datapath }),
      ...known(datapathMetrics.upcallDump, seconds, { datapath }),
    ];
  });
}

/** An event of a set that is not printed has not happened. Of `all` nobody knows which others there are. */
export function coverageSamples(text: string, wanted: OvsOptions['coverage']): Sample[] {
  const found = parseCoverage(text);
  if (found === undefined) throw new Failure('E_PARSE', 'the reply has not the form of event coverage');
  const counts = new Map<string, Count>();
  for (const set of wanted) {
    if (set === 'all') for (const [event, count] of found) counts.set(event, count);
    else for (const event of coverageSets[set]) counts.set(event, found.get(event) ?? 0);
  }
  return [...counts].flatMap(([event, count]) => known(datapathMetrics.coverage, count, { event }));
}

/** A name with a line break could pass for another bond's lines. */
function singleLined({ bonds }: Layout): void {
  const names = [...bonds].flatMap(([port, { members }]) => [port, ...members.keys()]);
  if (names.some((name) => /[\n\r]/.test(name))) {
    throw new Failure('E_PARSE', 'the name of a port has a line break, so the bonds cannot be told apart; rename it');
  }
}

/** Names are those of the database: what a hostile one makes the text say belongs to none. */
export function bondSamples(text: string, layout: Layout): Sample[] {
  singleLined(layout);
  return parseBonds(text).flatMap(({ port, members }) => {
    const bond = layout.bonds.get(port);
    if (bond === undefined) return [];
    const enabled = members.filter((member) => member.enabled === true).length;
    const hasActive = members.some(({ active }) => active);
    return [
      ...known(linkMetrics.bondMembers, members.length, bond.labels),
      ...known(linkMetrics.bondEnabled, enabled, bond.labels),
      ...known(linkMetrics.bondHasActive, hasActive, bond.labels),
      ...members.flatMap(({ name, ...member }) => {
        const labels = bond.members.get(name);
        if (labels === undefined) return [];
        return [
          ...known(linkMetrics.memberEnabled, member.enabled, labels),
          ...known(linkMetrics.memberActive, member.active, labels),
          ...known(linkMetrics.memberMayEnable, member.mayEnable, labels),
        ];
      }),
    ];
  });
}

export function lacpSamples(text: string, layout: Layout): Sample[] {
  singleLined(layout);
  return parseLacp(text).flatMap(({ port, negotiated, members }) => {
    const bond = layout.bonds.get(port);
    if (bond === undefined) return [];
    const each = members.flatMap((member) => memberSamples(member, bond.members.get(member.name)));
    return [...known(linkMetrics.lacpNegotiated, negotiated, bond.labels), ...each];
  });
}

function memberSamples(
  { status, attached, actor, partner, partnerId }: LacpMember,
  labels: { readonly bridge: string; readonly port: string | undefined; readonly interface: string } | undefined,
): Sample[] {
  if (labels === undefined) return [];
  const isKnown = partnerId === undefined ? undefined : !/^[0:]*$/.test(partnerId);
  return [
    ...known(linkMetrics.lacpCurrent, status === 'current', labels),
    ...known(linkMetrics.lacpAttached, attached, labels),
    ...known(linkMetrics.lacpSynchronized, actor?.has('synchronized'), labels),
    ...known(linkMetrics.lacpCollecting, actor?.has('collecting'), labels),
    ...known(linkMetrics.lacpDistributing, actor?.has('distributing'), labels),
    ...known(linkMetrics.lacpPartnerKnown, isKnown, labels),
    ...known(linkMetrics.lacpPartnerSynchronized, partner?.has('synchronized'), labels),
    ...known(linkMetrics.lacpPartnerCollecting, partner?.has('collecting'), labels),
    ...known(linkMetrics.lacpPartnerDistributing, partner?.has('distributing'), labels),
  ];
}
