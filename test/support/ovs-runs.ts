/**
 * The ovs collector on the testbed, run by run as the daemon does it: run → vet → totals → points. Each run is judged:
 * - a counter's increment is never more than what was really counted since it was seen last, whatever went away and
 *   came back in between under the same or another bridge (a spike), and never negative;
 * - a gauge that was sent and is not sent again without a problem that says so was 0 last (StatsD repeats it for ever);
 * - no two points of a run are of one series.
 */
import { expect } from 'vitest';
import { ovs } from '../../collectors/ovs/index.ts';
import { systemClock } from '../../src/clock.ts';
import type { Failure } from '../../src/errors.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import type { Point } from '../../src/point.ts';
import { run } from '../../src/run.ts';
import { covers } from '../../src/scope.ts';
import { createClaims } from '../../src/vet.ts';
import { eventually } from './statsd.ts';
import type { Testbed } from './testbed.ts';
import { namespaceTarget } from './testbed-target.ts';
import { watched } from './watched.ts';

const BASE = 'edge.hv.ovs.';

export interface OvsRun {
  /** `xapi0.vif2_1.rx_bytes` → what is sent; a counter's is its increment. */
  readonly values: ReadonlyMap<string, number>;
  readonly problems: readonly Failure[];
  /** `CODE message` of each problem. */
  readonly told: readonly string[];
  readonly failure: Failure | undefined;
  readonly durationMs: number;
  /** A counter's total; a gauge's value. */
  at(series: string): number | undefined;
}

export interface OvsRuns {
  read(): Promise<OvsRun>;
  /** Reads until a condition holds: Open vSwitch writes its statistics every 5 s. */
  until(holds: (run: OvsRun) => boolean, what: string): Promise<OvsRun>;
  /** What was sent of a series in each run; undefined: nothing. */
  history(series: string): (number | undefined)[];
  close(): Promise<void>;
}

export interface RunOptions {
  readonly options?: Record<string, unknown>;
  /** Called before a program is run, as if the world changed in between. */
  readonly before?: (argv: readonly string[]) => Promise<unknown>;
}

/** A job of its own on a target of its own: nothing is remembered of earlier ones. */
export function ovsRuns({ prefix, rundir }: Testbed, { options = {}, before }: RunOptions = {}): OvsRuns {
  const [enter = '', ...into] = prefix;
  const hv = namespaceTarget('hv', [enter, ...into]);
  const target = before === undefined ? hv : watched(hv, before);
  const job = {
    ...{ id: 'ovs@hv', name: 'ovs', collector: ovs, target: 'hv', options: ovs.options.parse({ rundir, ...options }) },
    ...{ when: { everyMs: 10_000 }, intervalMs: 10_000, splayMs: 0, timeoutMs: 8000, fingerprint: '' },
  };
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(job, around);
  const runs: OvsRun[] = [];
  const counted = new Map<string, number>();
  const shown = new Map<string, Point>();

  /** The same counter, wherever its interface is attached. */
  const counterOf = ({ path, labels, metric }: Point): string =>
    labels.interface === undefined ? path : `${labels.interface} ${metric.name}`;
  const judge = (point: Point): void => {
    const { path, value, metric } = point;
    if (value !== undefined) expect(Number.isFinite(value), path).toBe(true);
    if (metric.kind !== 'counter') return;
    const total = Number(point.total);
    const last = counted.get(counterOf(point));
    counted.set(counterOf(point), total);
    if (value === undefined) return;
    expect(value, path).toBeGreaterThanOrEqual(0);
    const most = last === undefined || total < last ? total : total - last;
    expect(value, `${path}: ${value} is sent of ${most}`).toBeLessThanOrEqual(most * (1 + 1e-9) + 1e-9);
  };
  const expectNothingSticks = (points: readonly Point[], problems: readonly Failure[]): void => {
    for (const point of points)
      if (point.metric.kind !== 'counter' && point.value !== undefined) shown.set(point.path, point);
    const sent = new Set(points.map(({ path }) => path));
    const stuck = [...shown.values()].filter(
      ({ path, value, metric, labels }) =>
        value !== 0 &&
        !sent.has(path) &&
        // A ratio without a denominator, and a duration, are not repeated.
        metric.kind === 'gauge' &&
        !problems.some((problem) => covers(problem, labels, path)),
    );
    expect(stuck.map(({ path }) => path)).toEqual([]);
  };

  const read = async (): Promise<OvsRun> => {
    const batch = await run(planOf(job, target), systemClock);
    const { delivery, problems, failure } = deliveryOf(batch, job, around, memory);
    const points = delivery.points.filter(({ path }) => path.startsWith(BASE));
    const paths = points.map(({ path }) => path);
    expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
    points.forEach(judge);
    if (failure === undefined) expectNothingSticks(points, problems);
    const bySeries = new Map(points.map((point) => [point.path.slice(BASE.length), point]));
    const values = new Map<string, number>();
    for (const [series, { value }] of bySeries) if (value !== undefined) values.set(series, value);
    const one: OvsRun = {
      ...{ values, problems, failure, durationMs: batch.durationMs },
      told: problems.map(({ code, message }) => `${code} ${message}`),
      at(series) {
        const point = bySeries.get(series);
        const value = point?.total ?? point?.value;
        return value === undefined ? undefined : Number(value);
      },
    };
    runs.push(one);
    return one;
  };
  return {
    read,
    until: (holds, what) =>
      eventually(async () => {
        const one = await read();
        return holds(one) ? one : undefined;
      }, what),
    history: (series) => runs.map(({ values }) => values.get(series)),
    close: () => target.close(),
  };
}
