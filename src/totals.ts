/**
 * Totals → increments, computed metrics, vanished series: the only memory in the pipeline, one per job.
 *
 * StatsD wants increments; kernels and brokers give totals. The rules, each tested by its name:
 * - first sight sends nothing; an entity that appeared after the job's first run starts from zero, unless it is old;
 * - a 32-bit counter that went down while a 64-bit sibling went up has wrapped: its increment is modulo 2^32;
 * - any other counter that went down means that the entity was re-created: all its counters start again from
 *   what they show now, and nothing is sent for them in this run;
 * - what has an origin is the same entity under whatever labels: its totals go on when it is named anew, and one that
 *   takes a name from another does not continue that one's totals;
 * - a series that vanished gets one final 0 if it is a gauge or computed (StatsD repeats a silent gauge for ever);
 * - what a problem covers is unknown, not vanished; a run that failed is not applied, so it changes nothing;
 * - what was left unread is unknown for as long as it is; what is new when it is read again is new since the last run
 *   that read it.
 */

import type { Applied } from './applied.ts';
import { computedOf } from './derived.ts';
import { advance, type Entity, level, newEntity, newSeries, restart, type Series, settleFallen } from './increments.ts';
import type { Labels, Metric } from './metric.ts';
import type { Naming } from './naming.ts';
import { entityKey, isRetagged, moveOrigins } from './origins.ts';
import type { Point } from './point.ts';
import { anyAgrees, isUnknown, isUnsent } from './scope.ts';
import { beforeAll, type Sight, sightOf, withSight } from './sight.ts';
import type { Named, SeriesNaming } from './vet.ts';

export interface Totals {
  /** Names series as `createTotals` was told to; those that are remembered need not be put together again. */
  readonly naming: SeriesNaming;
  /** Takes one reading, and returns what sinks get. */
  apply(reading: Applied): Point[];
  /** The options changed: what appears in the next run may be old, so it does not start from zero. */
  rebase(): void;
  /** The job ends: a final 0 for each gauge that sinks would repeat. */
  retire(): Point[];
  /** How many series are remembered. */
  readonly size: number;
}

/** Behind a lasting problem a missing series is kept this many runs, so that churn there is bounded. */
const MAX_HELD_RUNS = 60;

interface TotalsOptions {
  /** What the very first run shows began at zero (the daemon's own counters). */
  readonly startsFromZero?: boolean;
  readonly onForget?: (path: string) => void;
  /** Asked before a computed metric's series is made: false where another job has it. */
  readonly mayShow?: (path: string) => boolean;
  /** Told what the function of a derived metric threw; there is no value then. */
  readonly onBroken?: (metric: Metric, labels: Labels, thrown: unknown) => void;
}

export function createTotals(naming: Naming, options: TotalsOptions = {}): Totals {
  const known = new Map<string, Series>();
  const entities = new Map<string, Entity>();
  const byOrigin = new Map<string, Entity>();
  let run = 0;
  let past: readonly Sight[] = options.startsFromZero === true ? [beforeAll] : [];

  // A collector gives all samples of an entity one labels object, so the last answer is mostly the next one.
  let lastNames: readonly string[] | undefined;
  let lastLabels: Labels | undefined;
  let lastEntity: Entity | undefined;
  const knownEntity = (names: readonly string[], labels: Labels): Entity | undefined => {
    if (labels === lastLabels && names === lastNames) return lastEntity;
    lastEntity = entities.get(entityKey(naming, names, labels));
    [lastNames, lastLabels] = [names, labels];
    return lastEntity;
  };
  const mayStart = (labels: Labels): boolean => sightOf(past, labels) !== undefined;

  const entityOf = ({ labels: names }: Metric, labels: Labels, origin?: string): Entity => {
    const key = entityKey(naming, names, labels);
    const before = entities.get(key);
    if (before !== undefined) return before;
    const entity = newEntity({ key, labels, origin, fromZero: mayStart(labels) }, run);
    entities.set(key, entity);
    lastLabels = undefined;
    if (origin !== undefined) byOrigin.set(origin, entity);
    return entity;
  };

  /** Another thing has this entity's name now: its counters begin anew, and its gauges just go on. */
  const takeOver = (entity: Entity, origin: string, labels: Labels): void => {
    if (entity.origin !== undefined && byOrigin.get(entity.origin) === entity) byOrigin.delete(entity.origin);
    Object.assign(entity, { origin, labels, bornIn: run, placedIn: run, fromZero: mayStart(labels) });
    byOrigin.set(origin, entity);
    restart(entity, run);
  };

  const remember = (path: string, metric: Metric, labels: Labels, origin?: string): Series => {
    const entity = entityOf(metric, labels, origin);
    const series = newSeries(path, metric, entity);
    entity.series.set(metric.name, series);
    known.set(path, series);
    return series;
  };

  /** A counter of an entity that appeared within our sight began at zero, unless it is known to be older. */
  const begin = (series: Series, old: true | undefined): void => {
    const { entity, path } = series;
    series.isFresh = false;
    const isNew = entity.fromZero && entity.bornIn === run && old !== true;
    const sight = isNew ? sightOf(past, entity.labels, path) : undefined;
    if (sight === undefined) return;
    series.total = 0;
    series.readAtMs = sight.readAtMs;
  };

  const forget = (series: Series): void => {
    const { entity } = series;
    known.delete(series.path);
    entity.series.delete(series.metric.name);
    if (entity.series.size === 0) {
      entities.delete(entity.key);
      lastLabels = undefined;
      if (entity.origin !== undefined) byOrigin.delete(entity.origin);
    }
    options.onForget?.(series.path);
  };

  const point = (series: Series, value: number | undefined): Point => {
    const { path, metric, entity } = series;
    const own = { path, base: naming.base, metric, labels: entity.labels, value };
    if (metric.kind !== 'counter') return own;
    const { total, elapsedSeconds = 0 } = series;
    if (value === undefined || elapsedSeconds <= 0) return { ...own, total };
    return { ...own, total, elapsedSeconds };
  };
  const last = (series: Series): Point => ({ ...point(series, 0), ends: true });

  /** Final zeros of names that end because a tag or the kind has changed, and nothing else. */
  let ended: Point[] = [];
  const endTags = (entity: Entity): void => {
    for (const series of entity.series.values()) if (series.shown) ended.push({ ...last(series), taggedOnly: true });
  };

  /** The series of a sample; what it counted before may have been another's, or have stood elsewhere. */
  const seriesOf = ({ path, sample: { metric, labels, origin }, known: found }: Named, moved: boolean): Series => {
    // What was found before entities moved may be another's by now.
    let before = moved || found === undefined ? known.get(path) : (found as Series);
    if (before !== undefined && before.metric.kind !== metric.kind) {
      // Declared otherwise by a reload: another thing, of an entity that is as old as it was.
      before.entity.series.delete(metric.name);
      if (before.shown) ended.push(last(before));
      before = undefined;
    }
    if (before !== undefined && before.entity.origin !== origin && origin !== undefined) {
      if (isRetagged(metric, before.entity.labels, labels)) endTags(before.entity);
      takeOver(before.entity, origin, labels);
    }
    const series = before ?? remember(path, metric, labels, origin);
    const { entity } = series;
    if (isRetagged(metric, entity.labels, labels)) endTags(entity);
    entity.labels = labels;
    return series;
  };

  const newComputed = (metric: Metric, { labels }: Entity): Series | undefined => {
    const path = naming.path(metric, labels);
    return options.mayShow?.(path) === false ? undefined : remember(path, metric, labels);
  };

  const measureComputed = (metrics: readonly Metric[], points: Point[]): void => {
    for (const metric of metrics) {
      for (const entity of entities.values()) {
        const value = computedOf(metric, entity, run, options.onBroken);
        if (value === 'none') continue;
        const shown = entity.series.get(metric.name);
        if (value === 'unknown') {
          if (shown !== undefined) shown.seenIn = run;
          continue;
        }
        const series = shown ?? newComputed(metric, entity);
        if (series === undefined) continue;
        series.seenIn = run;
        series.shown = true;
        points.push(point(series, value));
      }
    }
  };

  const dropVanished = ({ problems, unread = [], unsent }: Applied, points: Point[]): void => {
    const isUnread = anyAgrees(unread);
    for (const series of known.values()) {
      if (series.seenIn === run || isUnread(series.entity.labels)) continue;
      const hidden = problems.some((problem) => isUnknown(series, problem, naming)) || isUnsent(series, unsent, naming);
      if (hidden && series.heldRuns < MAX_HELD_RUNS) {
        series.heldRuns += 1;
        continue;
      }
      if (series.shown) points.push(last(series));
      forget(series);
    }
  };

  return {
    naming: { ...naming, find: ({ name, labels: names }, labels) => knownEntity(names, labels)?.series.get(name) },
    apply(reading) {
      const { named, problems, unread = [], unsent, ratios, readAtMs } = reading;
      run += 1;
      const { moved, left } = moveOrigins(named, { known, entities, byOrigin }, naming, run);
      lastLabels = undefined;
      const [fallen, seen]: [Series[], Series[]] = [[], []];
      const at = { readAtMs, countedAtMs: undefined as number | undefined };
      for (const one of named) {
        const { sample } = one;
        const series = seriesOf(one, moved);
        [series.seenIn, series.heldRuns, at.countedAtMs] = [run, 0, sample.countedAtMs];
        if (sample.metric.kind === 'counter' && series.isFresh) begin(series, sample.old);
        if (sample.metric.kind === 'counter') advance(series, sample.value, at, run, fallen);
        else level(series, Number(sample.value), at);
        if (sample.quiet !== true) seen.push(series);
      }
      settleFallen(fallen, run);
      const points: Point[] = ended;
      ended = [];
      for (const series of seen) {
        if (series.metric.kind === 'gauge') series.shown = true;
        points.push(point(series, series.value));
      }
      measureComputed(ratios, points);
      dropVanished(reading, points);
      for (const series of left) {
        const there = known.get(series.path);
        if (there === undefined) {
          if (series.shown) points.push(last(series));
          options.onForget?.(series.path);
        } else if (series.shown && isRetagged(series.metric, series.entity.labels, there.entity.labels))
          points.push({ ...last(series), taggedOnly: true });
      }
      past = withSight(past, { problems, unread, unsent, readAtMs });
      return points;
    },
    rebase() {
      past = [];
    },
    retire() {
      const zeros = [...known.values()].filter((series) => series.shown).map(last);
      for (const series of [...known.values()]) forget(series);
      return zeros;
    },
    get size() {
      return known.size;
    },
  };
}
