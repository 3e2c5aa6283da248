/** Sample → series: the only place that makes names. */
import type { Labels, Metric } from './metric.ts';

/** How labels are written: as segments of the dotted path, or as tags behind it. */
export type TagStyle = 'none' | 'graphite' | 'dogstatsd';

const FOREIGN = /[^A-Za-z0-9_-]/g;
const CLEAN = /^[A-Za-z0-9_-]+$/;

/** One path segment: every character outside `[A-Za-z0-9_-]` becomes `_`, and an empty text becomes `_`. */
export function segment(text: string): string {
  if (CLEAN.test(text)) return text;
  return text === '' ? '_' : text.replace(FOREIGN, '_');
}

/** A prefix of several segments (`edge.dc1`), each made clean; empty stays empty. */
export function prefixPath(prefix: string): string {
  return prefix === '' ? '' : prefix.split('.').map(segment).join('.');
}

/** `<prefix>.<target>.<collector>`: what all series of one job begin with. */
export function basePath(prefix: string, target: string, collector: string): string {
  const head = prefixPath(prefix);
  return `${head === '' ? '' : `${head}.`}${segment(target)}.${segment(collector)}`;
}

/** Names the samples of one job. */
export interface Naming {
  readonly base: string;
  /** `<base>.<label values in catalogue order>`: one measured thing, whatever the metric. */
  entityPath(labelNames: readonly string[], labels: Labels): string;
  /** The series: the entity's path and the metric's name. */
  path(metric: Metric, labels: Labels): string;
}

export function createNaming(base: string): Naming {
  let lastNames: readonly string[] | undefined;
  let lastLabels: Labels | undefined;
  let lastPath = base;

  const entityPath = (names: readonly string[], labels: Labels): string => {
    // A collector gives all metrics of an entity one labels object, so the last answer is mostly the next one.
    if (labels === lastLabels && names === lastNames) return lastPath;
    let path = base;
    for (const name of names) {
      const value = labels[name];
      if (value !== undefined) path += `.${segment(value)}`;
    }
    [lastNames, lastLabels, lastPath] = [names, labels, path];
    return path;
  };
  return { base, entityPath, path: (metric, labels) => `${entityPath(metric.labels, labels)}.${metric.name}` };
}

/**
 * The name that a StatsD line carries. With tags, labels stand behind the name instead of in it:
 * `graphite` before the value (`base.metric;device=eth1`), `dogstatsd` after the type (`|#device:eth1`).
 */
export function tagged(
  base: string,
  metric: Metric,
  labels: Labels,
  style: Exclude<TagStyle, 'none'>,
): { readonly name: string; readonly suffix: string } {
  let tags = '';
  for (const label of metric.tags === undefined ? metric.labels : [...metric.labels, ...metric.tags]) {
    const value = labels[label];
    if (value === undefined) continue;
    const clean = segment(value);
    if (style === 'graphite') tags += `;${label}=${clean}`;
    else tags += `${tags === '' ? '|#' : ','}${label}:${clean}`;
  }
  const name = `${base}.${metric.name}`;
  return style === 'graphite' ? { name: name + tags, suffix: '' } : { name, suffix: tags };
}

/**
 * StatsD timers are in milliseconds by protocol, so a duration's name says so there: `duration_seconds` becomes
 * `duration_milliseconds`. A name must never carry another unit than its number.
 */
export function timerName(name: string): string {
  return name.replace(/_seconds(?=$|;)/, '_milliseconds');
}
