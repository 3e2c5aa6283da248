/**
 * Entities whose labels are found out (a class is named after the VIF that uses it) may get other labels while they
 * live. Their totals go on under the new ones, so that a new name is neither a spike nor a lost interval.
 */
import type { Entity, Series } from './increments.ts';
import { isComputed, type Labels, type Metric } from './metric.ts';
import type { Naming } from './naming.ts';
import type { Named } from './vet.ts';

/** Whether labels that stand in tags alone have changed: a new name where labels are tags, and only there. */
export function isRetagged({ tags }: Metric, before: Labels, now: Labels): boolean {
  return before !== now && tags !== undefined && tags.some((tag) => before[tag] !== now[tag]);
}

/** What is remembered of a job's entities; the maps are changed in place. */
export interface Remembered {
  /** By series path. */
  readonly known: Map<string, Series>;
  /** By entity key. */
  readonly entities: Map<string, Entity>;
  readonly byOrigin: Map<string, Entity>;
}

export function entityKey(naming: Naming, labelNames: readonly string[], labels: Labels): string {
  return `${labelNames.join(',')} ${naming.entityPath(labelNames, labels)}`;
}

/**
 * Gives each entity whose origin stands under other labels now those labels, and frees what was counted under them
 * before. Returns what was counted under the names that they left: their last values may have to be ended.
 */
export function moveOrigins(
  named: readonly Named[],
  remembered: Remembered,
  naming: Naming,
  run: number,
): { readonly moved: boolean; readonly left: readonly Series[] } {
  const { known, entities, byOrigin } = remembered;
  const moves: { readonly entity: Entity; readonly metric: Metric; readonly labels: Labels }[] = [];
  let last: string | undefined;
  for (const { sample } of named) {
    const { origin, metric, labels } = sample;
    if (origin === undefined || origin === last) continue;
    last = origin;
    const entity = byOrigin.get(origin);
    if (entity === undefined || entity.placedIn === run) continue;
    entity.placedIn = run;
    if (metric.labels.some((name) => entity.labels[name] !== labels[name])) moves.push({ entity, metric, labels });
  }
  if (moves.length === 0) return { moved: false, left: [] };

  const left: Series[] = [];
  const detach = (entity: Entity): void => {
    if (entities.get(entity.key) === entity) entities.delete(entity.key);
    const before = { ...entity };
    for (const series of entity.series.values()) {
      if (known.get(series.path) === series) known.delete(series.path);
      left.push({ ...series, entity: before });
      // It is computed, and claims its new series when it is shown there.
      if (isComputed(series.metric)) entity.series.delete(series.metric.name);
    }
  };
  for (const { entity } of moves) detach(entity);
  for (const { entity, metric, labels } of moves) {
    const key = entityKey(naming, metric.labels, labels);
    const there = entities.get(key);
    if (there !== undefined) {
      // It is not in this reading under these labels, and its name is taken.
      detach(there);
      if (there.origin !== undefined && there.placedIn !== run) byOrigin.delete(there.origin);
    }
    entity.key = key;
    entity.labels = labels;
    entities.set(key, entity);
    for (const series of entity.series.values()) {
      series.path = naming.path(series.metric, labels);
      series.shown = false;
      series.claimed = false;
      known.set(series.path, series);
    }
  }
  return { moved: true, left };
}
