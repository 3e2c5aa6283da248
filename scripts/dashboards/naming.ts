/** How one series is called in Graphite, by the way that it came there, and how its names are asked for. */
import { timerName } from '../../src/naming.ts';
import type { Instrument } from './catalogue.ts';

/** Label → what stands in its place: a value, a pattern, or a variable of the dashboard. Left out: it is absent. */
export type Places = Readonly<Record<string, string>>;

export interface Naming {
  /** Folder of the generated files. */
  readonly id: string;
  readonly title: string;
  /** What an operator has who needs this one. */
  readonly when: string;
  /** Gauges, ratios and derived metrics, which are what variables are made of. */
  gauge(path: string): string;
  /** A counter per second. */
  counter(path: string): string;
  /** A duration, in seconds. */
  duration(path: string): string;
  /** Path nodes behind the metric's name. */
  readonly behind: { readonly counter: number; readonly duration: number };
}

const timer = (path: string): string => `scale(stats.timers.${timerName(path)}.upper,0.001)`;
const same = (path: string): string => path;
const statsdGauge = (path: string): string => `stats.gauges.${path}`;

export const namings: readonly Naming[] = [
  {
    id: 'statsd',
    title: 'StatsD',
    when: 'sink `statsd`, and a StatsD with `legacyNamespace: false`',
    gauge: statsdGauge,
    counter: (path) => `stats.counters.${path}.rate`,
    duration: timer,
    behind: { counter: 1, duration: 1 },
  },
  {
    id: 'statsd-legacy',
    title: 'StatsD, legacy names',
    when: 'sink `statsd`, and a StatsD with its default, `legacyNamespace: true`',
    gauge: statsdGauge,
    counter: (path) => `stats.${path}`,
    duration: timer,
    behind: { counter: 0, duration: 1 },
  },
  {
    id: 'carbon',
    title: 'Carbon',
    when: 'sink `carbon` with its default, `counters: totals`',
    gauge: same,
    counter: (path) => `perSecond(${path})`,
    duration: same,
    behind: { counter: 0, duration: 0 },
  },
  {
    id: 'carbon-rates',
    title: 'Carbon, rates',
    when: 'sink `carbon` with `counters: rates`',
    gauge: same,
    counter: (path) => `${path}_per_second`,
    duration: same,
    behind: { counter: 0, duration: 0 },
  },
];

/** What stands before the collector in every series. */
export interface Origin {
  readonly prefix: string;
  readonly target: string;
}

const label = ({ collector, metric }: Instrument): string => `${collector}.${metric.name}`;

/** The labels that are present, in the catalogue's order. */
function present(instrument: Instrument, places: Places): string[] {
  const { labels } = instrument.metric;
  for (const name of Object.keys(places))
    if (!labels.includes(name)) throw new Error(`${label(instrument)} has no label "${name}": ${labels.join(', ')}`);
  return labels.filter((name) => places[name] !== undefined);
}

/** A Graphite expression for the series in its unit; counters are per second. */
export function seriesOf(instrument: Instrument, places: Places, origin: Origin, naming: Naming): string {
  const { collector, metric } = instrument;
  const values = present(instrument, places).map((name) => places[name] ?? '');
  const path = [origin.prefix, origin.target, collector, ...values, metric.name].join('.');
  if (metric.kind === 'counter') return naming.counter(path);
  if (metric.kind === 'duration') return naming.duration(path);
  return naming.gauge(path);
}

/**
 * Where `target`, `metric` or a label stands in the series: nodes are counted from the end (the last is -1), so that a
 * prefix of any length does not matter.
 */
export function nodeOf(what: string, instrument: Instrument, places: Places, naming: Naming): number {
  const { kind } = instrument.metric;
  const behind = kind === 'counter' ? naming.behind.counter : kind === 'duration' ? naming.behind.duration : 0;
  const last = -1 - behind;
  if (what === 'metric') return last;
  const labels = present(instrument, places);
  if (what === 'target') return last - labels.length - 2;
  const at = labels.indexOf(what);
  if (at < 0) throw new Error(`${label(instrument)} does not show the label "${what}": ${labels.join(', ')}`);
  return last - (labels.length - at);
}
