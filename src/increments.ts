/** Counters of one entity: totals → increments, with a wrap told from a new entity by its 64-bit siblings. */
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
  before: number | bigint | undefined;
  total: number | bigint | undefined;
  value: number | undefined;
  elapsedSeconds: number | undefined;
  readAtMs: number | undefined;
  seenIn: number;
  /** Runs in a row in which it was missing behind a problem. */
  heldRuns: number;
  /** Not counted yet: its first total decides where it begins. */
  isFresh: boolean;
  /** Sinks have a value of it, which StatsD repeats. */
  shown: boolean;
}

export function newSeries(path: string, metric: Metric, entity: Entity): Series {
  return {
    ...{ path, metric, entity, before: undefined, total: undefined, value: undefined },
    ...{ elapsedSeconds: undefined, readAtMs: undefined, seenIn: 0, heldRuns: 0, shown: false, isFresh: true },
    ...{ claimed: false, vettedIn: 0, vettedAt: 0 },
  };
}

/** All counters of an entity begin anew. */
export function restart({ series }: Entity): void {
  for (const one of series.values()) {
    if (one.metric.kind !== 'counter') continue;
    Object.assign(one, { total: undefined, readAtMs: undefined, isFresh: true });
  }
}

const WRAP_32 = 2 ** 32;

/** Moves a counter to its new total; what went down is left for `settleFallen`, which knows the siblings. */
export function advance(series: Series, total: number | bigint, readAtMs: number, run: number, fallen: Series[]): void {
  series.before = series.total;
  series.total = total;
  series.elapsedSeconds = series.readAtMs === undefined ? undefined : (readAtMs - series.readAtMs) / 1000;
  series.readAtMs = readAtMs;
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
 * no counter has an increment now, and one that could not be read in this run starts again when it is seen.
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
      if (sibling.metric.kind !== 'counter') continue;
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
