/** What to do when a metric is bad: `collectors/NAME/actions.yaml`, and of the daemon's own `docs/actions-edgestatd.yaml`. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { registry } from '../../collectors/registry.ts';
import { eventMetrics } from '../../src/events/event-metrics.ts';
import type { Metric } from '../../src/metric.ts';
import { selfMetrics } from '../../src/self.ts';
import { matcher } from '../../src/text.ts';

const sentence = z.string().regex(/^\S[\s\S]*[.:`)]$/, 'expected sentences');

/** Metrics that an operator meets together. `bad` and `do` are Markdown. */
const action = z.strictObject({
  /** Its heading: a few words, unique in its file. */
  title: z.string().regex(/^[A-Z0-9][^`|<>]{2,70}$/),
  /** Names or globs. */
  metrics: z.array(z.string()).min(1),
  bad: sentence,
  do: sentence,
});
export type Action = z.infer<typeof action>;

/** A collector's metrics, or the daemon's own, each with what to do about it. */
export interface Advised {
  readonly name: string;
  readonly file: string;
  readonly metrics: readonly Metric[];
  readonly actions: readonly (Action & { readonly of: readonly Metric[] })[];
}

/** Where the code is: the texts belong to its metrics, wherever the pages are written. */
const home = resolve(import.meta.dirname, '../..');

/** All of them, by name, the daemon's own behind. Throws what does not fit together. */
export function advised(): Advised[] {
  const collectors = [...registry.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const own = { name: 'edgestatd', metrics: { ...selfMetrics, ...eventMetrics } };
  return [...collectors, own].map(({ name, metrics }) => {
    const file = name === own.name ? 'docs/actions-edgestatd.yaml' : `collectors/${name}/actions.yaml`;
    const found = z.array(action).parse(parse(readFileSync(join(home, file), 'utf8')));
    const all = Object.values(metrics);
    const faults = actionFaults(all, found);
    if (faults.length > 0) throw new Error(`${file}: ${faults.join('; ')}`);
    const actions = found.map((one) => {
      const fits = matcher(one.metrics);
      return { ...one, of: all.filter((metric) => fits(metric.name)) };
    });
    return { name, file, metrics: all, actions };
  });
}

/** Each metric has exactly one entry, and each name or glob fits a metric. */
export function actionFaults(metrics: readonly Metric[], actions: readonly Action[]): string[] {
  const names = metrics.map(({ name }) => name);
  const titles = actions.map(({ title }) => title);
  const entries = actions.map(({ title, metrics: globs }) => ({ title, fits: matcher(globs) }));
  const covered = names.flatMap((name) => {
    const by = entries.filter(({ fits }) => fits(name)).map(({ title }) => `"${title}"`);
    if (by.length === 1) return [];
    return [`${name} has ${by.length === 0 ? 'no entry' : `${by.length} entries: ${by.join(', ')}`}`];
  });
  const idle = actions.flatMap((one) =>
    one.metrics.filter((glob) => {
      const fits = matcher([glob]);
      return !names.some(fits);
    }),
  );
  return [
    ...covered,
    ...idle.map((glob) => `${glob} fits no metric`),
    ...titles.filter((title, at) => titles.indexOf(title) !== at).map((title) => `"${title}" stands twice`),
  ];
}
