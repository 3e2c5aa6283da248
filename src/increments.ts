/** Series of one entity from one reading to the next: totals → increments, with a wrap told from a new entity. */
import type { Labels, Metric } from './metric.ts';
import type { Known } from './vet.ts';

/** All series of the job with the same labels: one measured thing. */
export interface Entity {
  key: string;
  labels: Labels;
  bornIn: number;
  /** Its counters began at zero within the job's sight. */
  fromZero: boolean;
  /** What is counted, where that is told apart from its labels. */
  origin: string | undefined;
  /** The run in which its origin was found under its labels. */
  placedIn: number;
  readonly series: Map<string, Series>;
  advancedIn: number;
  recreatedIn: number;
}

export interface Series extends Known {
  path: string;
  readonly metric: Metric;
  readonly entity: Entity;
  /** Counters: the total before; gauges: the value before, of the same thing. */
  before: number | bigint | undefined;
  total: number | bigint | undefined;
  value: number | undefined;
  elapsedSeconds: number | undefined;
  readAtMs: number | undefined;
  /** By the clock of the source, where it told. */
  countedAtMs: number | undefined;
  seenIn: number;
  /** Runs in a row in which it was missing behind a problem. */
  heldRuns: number;
  /** Not counted yet: its first total decides where it begins. */
  isFresh: boolean;
  /** Sinks have a value of it, which StatsD repeats. */
  shown: boolean;
}

export function newEntity(of: Pick<Entity, 'key' | 'labels' | 'origin' | 'fromZero'>, run: number): Entity {
  return { ...of, bornIn: run, placedIn: run, series: new Map(), advancedIn: 0, recreatedIn: 0 };
}

export function newSeries(path: string, metric: Metric, entity: Entity): Series {
  return {
    ...{ path, metric, entity, before: undefined, total: undefined, value: undefined },
    ...{ elapsedSeconds: undefined, readAtMs: undefined, countedAtMs: undefined, seenIn: 0, heldRuns: 0 },
    ...{ shown: false, isFresh: true, claimed: false, vettedIn: 0, vettedAt: 0 },
  };
}

/** All counters of an entity begin anew, and no gauge has grown since what was there before. */
export function restart({ series }: Entity, run: number): void {
  for (const one of series.values()) {
    if (one.metric.kind !== 'counter') breakLevel(one, run);
    else Object.assign(one, { total: undefined, readAtMs: undefined, countedAtMs: undefined, isFresh: true });
  }
}

/** When something was read, on the monotonic clock, and counted, on that of its source. */
export interface At {
  readonly readAtMs: number;
  readonly countedAtMs: number | undefined;
}

/** Not more than 0: nothing was counted since, or the clock of the source was set back. */
function elapse(series: Series, { readAtMs, countedAtMs }: At): void {
  const counted = countedAtMs !== undefined && series.countedAtMs !== undefined;
  const [now, before] = counted ? [countedAtMs, series.countedAtMs] : [readAtMs, series.readAtMs];
  series.elapsedSeconds = before === undefined ? undefined : (now - before) / 1000;
  series.readAtMs = readAtMs;
  series.countedAtMs = countedAtMs;
}

/** Moves a gauge to its new value. */
export function level(series: Series, value: number, at: At): void {
  series.before = series.readAtMs === undefined ? undefined : series.value;
  series.value = value;
  elapse(series, at);
}

/** What a gauge showed before this run was another thing's. */
function breakLevel(series: Series, run: number): void {
  series.before = undefined;
  series.elapsedSeconds = undefined;
  if (series.seenIn !== run) Object.assign(series, { readAtMs: undefined, countedAtMs: undefined });
}

const WRAP_32 = 2 ** 32;

/** Moves a counter to its new total; what went down is left for `settleFallen`, which knows the siblings. */
export function advance(series: Series, total: number | bigint, at: At, run: number, fallen: Series[]): void {
  series.before = series.total;
  series.total = total;
  elapse(series, at);
  series.value = undefined;
  if (series.before === undefined) return;
  const increment = difference(total, series.before);
  if (increment < 0) {
    fallen.push(series);
  } else {
    series.value = increment;
    if (increment > 0 && series.metric.bits !== 32) series.entity.advancedIn = run;
  }
}

/**
 * Decides what each counter that went down means: a wrap of 32 bits, or an entity that was re-created. Of the latter
 * no counter has an increment now and no gauge a change, and one that could not be read in this run starts again when
 * it is seen.
 */
export function settleFallen(fallen: readonly Series[], run: number): void {
  for (const series of fallen) {
    const increment = WRAP_32 + difference(series.total ?? 0, series.before ?? 0);
    // More than half the range in one interval is no wrap that anybody could tell from a new entity.
    const wrapped = series.entity.advancedIn === run && increment >= 0 && increment < WRAP_32 / 2;
    if (series.metric.bits === 32 && wrapped) series.value = increment;
    else series.entity.recreatedIn = run;
  }
  for (const { entity } of fallen) {
    if (entity.recreatedIn !== run) continue;
    for (const sibling of entity.series.values()) {
      if (sibling.metric.kind !== 'counter') {
        breakLevel(sibling, run);
        continue;
      }
      sibling.value = undefined;
      if (sibling.seenIn !== run) sibling.total = undefined;
    }
  }
}

function difference(a: number | bigint, b: number | bigint): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : Number(whole(a) - whole(b));
}

function whole(total: number | bigint): bigint {
  return typeof total === 'bigint' ? total : BigInt(Math.trunc(total));
}
