/** `edgestatd metrics`: every metric of every collector, and the daemon's own. */
import type { Collector } from './collector.ts';
import { eventMetrics } from './events/event-metrics.ts';
import type { Metric } from './metric.ts';
import { selfMetrics } from './self.ts';

export interface CatalogueEntry {
  readonly collector: string;
  readonly metric: string;
  readonly kind: string;
  readonly unit: string;
  readonly labels: readonly string[];
  /** Labels that stand in tags only. */
  readonly tags: readonly string[];
  readonly help: string;
  readonly source: string;
}

export function catalogue(collectors: Iterable<Collector>): CatalogueEntry[] {
  const own = Object.values({ ...selfMetrics, ...eventMetrics }).map((metric) => entry('edgestatd', metric));
  const others = [...collectors].flatMap((one) => Object.values(one.metrics).map((metric) => entry(one.name, metric)));
  return [...others, ...own];
}

function entry(collector: string, { name, kind, unit, labels, tags = [], help, source }: Metric): CatalogueEntry {
  return { collector, metric: name, kind, unit, labels, tags, help, source };
}

/** One metric a line, columns by tabs: `collector.metric kind unit labels help (source)`. */
export function catalogueLines(entries: readonly CatalogueEntry[]): string[] {
  return entries.map(({ collector, metric, kind, unit, labels, help, source }) =>
    [`${collector}.${metric}`, kind, unit, labels.join(',') || '-', `${help} (${source})`].join('\t'),
  );
}
