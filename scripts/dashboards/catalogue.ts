/** The metrics by collector and name, for dashboards and alert rules: one that the catalogue lost ends the generation. */
import { registry } from '../../collectors/registry.ts';
import { eventMetrics } from '../../src/events/event-metrics.ts';
import type { Metric } from '../../src/metric.ts';
import { selfMetrics } from '../../src/self.ts';

/** A metric and the collector that stands before it in the series. */
export interface Instrument {
  readonly collector: string;
  readonly metric: Metric;
}

/** Answers with the metric of that name, or throws. */
export type Pick = (name: string) => Instrument;

export interface Catalogue {
  /** The metrics of one collector; `edgestatd` for the daemon's own. Throws where there is no such collector. */
  of(collector: string): Pick;
  /** All of one collector. */
  all(collector: string): readonly Metric[];
}

type Metrics = Readonly<Record<string, Metric>>;

/** Of collectors and what each declares, whatever key a metric has there: its name counts. */
export function catalogueOf(collectors: Iterable<readonly [collector: string, metrics: Metrics]>): Catalogue {
  const byName = new Map(
    [...collectors].map(([collector, metrics]) => [
      collector,
      new Map(Object.values(metrics).map((metric) => [metric.name, metric])),
    ]),
  );
  const metricsOf = (collector: string): ReadonlyMap<string, Metric> => {
    const metrics = byName.get(collector);
    if (metrics !== undefined) return metrics;
    throw new Error(`no collector "${collector}"; the catalogue has ${[...byName.keys()].join(', ')}`);
  };
  return {
    all: (collector) => [...metricsOf(collector).values()],
    of(collector) {
      const metrics = metricsOf(collector);
      return (name) => {
        const metric = metrics.get(name);
        if (metric === undefined)
          throw new Error(`${collector} has no metric "${name}": a dashboard or an alert rule asks for it`);
        return { collector, metric };
      };
    },
  };
}

/** Everything that edgestatd can send without plugins. */
export const declared: readonly (readonly [collector: string, metrics: Metrics])[] = [
  ...[...registry.values()].map(({ name, metrics }) => [name, metrics] as const),
  ['edgestatd', { ...selfMetrics, ...eventMetrics }],
];
