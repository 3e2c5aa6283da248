/** Records → samples. Pure. */
import { type Metric, type Sample, sample } from '../../src/metric.ts';
import type { Interface } from './interfaces.ts';
import { hasSpeed } from './kind.ts';
import { counterMetrics, linkMetrics } from './metrics.ts';
import { bondMetrics } from './metrics-bonds.ts';
import { type Counters, halfDuplexOf, naturalOf, operstateOf, speedOf } from './parse.ts';
import { type Bond, LACP_MODE, MODES_WITH_ACTIVE, type Slave } from './parse-bonding.ts';

/** One object for all samples of an interface; what is no label of a metric stands in its tags. */
export interface LinkLabels extends Readonly<Record<string, string | undefined>> {
  readonly interface: string;
  readonly kind: string | undefined;
  readonly master: string | undefined;
}

export const labelsOf = (name: string, { kind, master }: Partial<Interface> = {}): LinkLabels => ({
  ...{ interface: name, kind, master },
});

type Value = number | bigint | undefined;
type Pair = readonly [metric: Metric<'interface'>, value: Value];

/**
 * An interface that is new to us may have counted before (it was renamed, moved here from another namespace, or not
 * selected), and nothing tells: its totals are where counting begins. By its number it is known under another name.
 */
function samplesOf(pairs: readonly Pair[], labels: LinkLabels, ifindex: number | undefined): Sample[] {
  const origin = ifindex === undefined ? {} : { origin: `ifindex ${ifindex}` };
  return pairs.flatMap(([metric, value]) => {
    if (value === undefined) return [];
    return [
      { ...sample(metric, value, labels), ...origin, ...(metric.kind === 'counter' ? { old: true as const } : {}) },
    ];
  });
}

const IFF_UP = 1;

export function linkSamples(link: Interface, labels: LinkLabels): Sample[] {
  const { texts, flags, kind, ifindex } = link;
  const read = (name: string, parse: (text: string) => number | undefined): number | undefined => {
    const text = texts.get(name);
    return text === undefined ? undefined : parse(text);
  };
  const isOn = flags === undefined ? undefined : flags & IFF_UP;
  const [ups, downs] = [read('carrier_up_count', naturalOf), read('carrier_down_count', naturalOf)];
  const both = ups === undefined || downs === undefined ? undefined : ups + downs;
  // Of one whose kind is not known yet it may be made up.
  const speed = kind !== undefined && hasSpeed(kind) ? read('speed', speedOf) : undefined;
  // Without a speed, kernels before 3.9 call whatever a driver does not know one of the two.
  const half = speed === undefined ? undefined : read('duplex', halfDuplexOf);
  const pairs: Pair[] = [
    // One that is switched off has no carrier to tell (EINVAL; nothing at all in some kernels 6.14).
    [linkMetrics.linkUp, isOn === 0 ? 0 : read('carrier', flagOf)],
    [linkMetrics.adminUp, isOn],
    [linkMetrics.operstate, read('operstate', operstateOf)],
    [linkMetrics.speed, speed],
    [linkMetrics.halfDuplex, half],
    [linkMetrics.mtu, read('mtu', naturalOf)],
    [linkMetrics.changes, both ?? read('carrier_changes', naturalOf)],
    [linkMetrics.ups, ups],
    [linkMetrics.downs, downs],
  ];
  return samplesOf(pairs, labels, ifindex);
}

function flagOf(text: string): 0 | 1 | undefined {
  const word = text.trim();
  return word === '1' ? 1 : word === '0' ? 0 : undefined;
}

const COLUMNS: readonly (readonly [column: string, metric: Metric<'interface'>])[] = [
  ['rx bytes', counterMetrics.rxBytes],
  ['rx packets', counterMetrics.rxPackets],
  ['rx errs', counterMetrics.rxErrors],
  ['rx drop', counterMetrics.rxDropped],
  ['rx fifo', counterMetrics.rxFifo],
  ['rx frame', counterMetrics.rxFrame],
  ['rx compressed', counterMetrics.rxCompressed],
  ['rx multicast', counterMetrics.rxMulticast],
  ['tx bytes', counterMetrics.txBytes],
  ['tx packets', counterMetrics.txPackets],
  ['tx errs', counterMetrics.txErrors],
  ['tx drop', counterMetrics.txDropped],
  ['tx fifo', counterMetrics.txFifo],
  ['tx colls', counterMetrics.txCollisions],
  ['tx carrier', counterMetrics.txCarrier],
  ['tx compressed', counterMetrics.txCompressed],
];

export function counterSamples(counters: Counters, labels: LinkLabels, ifindex: number | undefined): Sample[] {
  return samplesOf(
    COLUMNS.map(([column, metric]) => [metric, counters.get(column)]),
    labels,
    ifindex,
  );
}

export function vlanSamples(id: number, labels: LinkLabels, ifindex: number | undefined): Sample[] {
  return samplesOf([[linkMetrics.vlan, id]], labels, ifindex);
}

const isUp = (mii: string | undefined): 0 | 1 | undefined => (mii === undefined ? undefined : mii === 'up' ? 1 : 0);
/** No partner answers. */
const NOBODY = '00:00:00:00:00:00';

export function bondSamples(bond: Bond, labels: LinkLabels, ifindex: number | undefined): Sample[] {
  const { mode, slaves, active } = bond;
  const knowsUp = slaves.every(({ mii }) => mii !== undefined);
  const isLacp = mode === LACP_MODE;
  const hasActive = mode !== undefined && MODES_WITH_ACTIVE.includes(mode) && active !== undefined;
  const pairs: Pair[] = [
    [bondMetrics.bondMode, mode],
    [bondMetrics.bondUp, isUp(bond.mii)],
    [bondMetrics.bondDegraded, degraded(bond)],
    [bondMetrics.slaves, slaves.length],
    [bondMetrics.slavesUp, knowsUp ? slaves.filter(({ mii }) => mii === 'up').length : undefined],
    [bondMetrics.hasActive, hasActive ? Number(active !== null) : undefined],
    [bondMetrics.aggregator, isLacp ? bond.aggregator : undefined],
    [bondMetrics.ports, isLacp ? bond.ports : undefined],
    [bondMetrics.partnerKnown, isLacp ? partnerKnown(bond.partner) : undefined],
  ];
  return [...samplesOf(pairs, labels, ifindex), ...slaves.flatMap((slave) => slaveSamples(bond, slave, hasActive))];
}

const partnerKnown = (partner: string | undefined): 0 | 1 | undefined =>
  partner === undefined ? undefined : partner === NOBODY ? 0 : 1;

/** 0 only where nothing that matters is unknown: every slave's link. */
function degraded(bond: Bond): 0 | 1 | undefined {
  const { mode, slaves, active, mii, aggregator, ports, partner } = bond;
  const isFaulty =
    slaves.length === 0 ||
    isUp(mii) === 0 ||
    slaves.some((slave) => isUp(slave.mii) === 0) ||
    (mode !== undefined && MODES_WITH_ACTIVE.includes(mode) && active === null) ||
    (mode === LACP_MODE &&
      (partnerKnown(partner) === 0 ||
        (ports !== undefined && ports < slaves.length) ||
        new Set(slaves.map((slave) => slave.aggregator)).size > 1 ||
        slaves.some((slave) => isAggregated(slave, aggregator) === 0)));
  if (isFaulty) return 1;
  return slaves.every((slave) => slave.mii !== undefined) ? 0 : undefined;
}

function isAggregated({ aggregator }: Slave, active: number | undefined): 0 | 1 | undefined {
  if (aggregator === null) return 0;
  return aggregator === undefined || active === undefined ? undefined : aggregator === active ? 1 : 0;
}

/** Bits of a port's state (IEEE 802.1AX, 6.4.2.3). */
const [SYNCHRONIZED, COLLECTING, DISTRIBUTING, DEFAULTED, EXPIRED] = [0x08, 0x10, 0x20, 0x40, 0x80];
const has = (state: number | undefined, bit: number): 0 | 1 | undefined =>
  state === undefined ? undefined : state & bit ? 1 : 0;

function slaveSamples({ name, mode, active, aggregator }: Bond, slave: Slave, hasActive: boolean): Sample[] {
  const labels = { interface: name, slave: slave.name };
  const { state, partnerState, partner } = slave;
  const ofMode = mode === LACP_MODE;
  const isCurrent = state === undefined ? undefined : state & (DEFAULTED | EXPIRED) ? 0 : 1;
  const churned = (text: string | undefined) => (text === undefined ? undefined : text === 'churned' ? 1 : 0);
  const always: [Metric<'interface' | 'slave'>, Value][] = [
    [bondMetrics.slaveUp, isUp(slave.mii)],
    [bondMetrics.slaveActive, hasActive ? Number(active === slave.name) : undefined],
    [bondMetrics.slaveFailures, slave.failures],
  ];
  const lacp: [Metric<'interface' | 'slave'>, Value][] = [
    [bondMetrics.slaveAggregator, slave.aggregator ?? undefined],
    [bondMetrics.slaveAggregated, isAggregated(slave, aggregator)],
    [bondMetrics.lacpCurrent, isCurrent],
    [bondMetrics.lacpSynchronized, has(state, SYNCHRONIZED)],
    [bondMetrics.lacpCollecting, has(state, COLLECTING)],
    [bondMetrics.lacpDistributing, has(state, DISTRIBUTING)],
    [bondMetrics.lacpPartnerSynchronized, has(partnerState, SYNCHRONIZED)],
    [bondMetrics.lacpPartnerCollecting, has(partnerState, COLLECTING)],
    [bondMetrics.lacpPartnerDistributing, has(partnerState, DISTRIBUTING)],
    [bondMetrics.churned, churned(slave.churn)],
    [bondMetrics.partnerChurned, churned(slave.partnerChurn)],
  ];
  const samples = [...always, ...(ofMode ? lacp : [])].flatMap(([metric, value]): Sample[] => {
    if (value === undefined) return [];
    return [{ ...sample(metric, value, labels), ...(metric.kind === 'counter' ? { old: true as const } : {}) }];
  });
  if (!ofMode || partner === undefined || partner === NOBODY) return samples;
  return [...samples, sample(bondMetrics.partner, 1, { ...labels, partner })];
}
