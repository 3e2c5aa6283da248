/**
 * The rabbitmq collector on a real broker, run by run as the daemon does it: run → vet → totals → points. Each run is
 * judged:
 * - no increment and no rate is negative, and no increment is more than the broker has counted since it was seen last;
 * - a gauge that was sent, and is not sent again without something that says so, was 0 last (StatsD repeats it for ever);
 * - no two points of a run are of one series, and each line to StatsD is well-formed;
 * - a run that failed sends `up 0`, and nothing else of the broker.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { rabbitmq } from '../../collectors/rabbitmq/index.ts';
import { systemClock } from '../../src/clock.ts';
import type { Verdict } from '../../src/collector.ts';
import type { Failure } from '../../src/errors.ts';
import { localTarget } from '../../src/hosts/local.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import type { Point } from '../../src/point.ts';
import { run } from '../../src/run.ts';
import { agrees, covers } from '../../src/scope.ts';
import { statsdLine } from '../../src/sinks/lines.ts';
import { createClaims } from '../../src/vet.ts';
import { visit } from '../../src/visit.ts';
import type { Broker } from './rabbitmq-broker.ts';
import { eventually } from './statsd.ts';

const BASE = 'edge.hv.rabbitmq.';
const LINE = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+:-?[0-9]+(?:\.[0-9]+)?\|(?:c|g|ms)$/;
const NEVER_NEGATIVE = /^(?:publish|consume|ack)_rate$|^drain_seconds$|_ratio$/;
const TIMEOUT_MS = 20_000;
/** Between two readings that wait for something: a broker that is asked all the time has no time for its counts. */
const PAUSE_MS = 100;

export interface RabbitmqRun {
  /** `queue._.orders.published` → what is sent; a counter's is its increment. */
  readonly values: ReadonlyMap<string, number>;
  /** What StatsD is sent of the broker. */
  readonly lines: readonly string[];
  /** `CODE message` of each problem, or of the failure. */
  readonly told: readonly string[];
  readonly failure: Failure | undefined;
  /** A counter's total; a gauge's value. */
  at(series: string): number | undefined;
}

export interface RabbitmqRuns {
  read(): Promise<RabbitmqRun>;
  /** Reads until a condition holds: the broker tells its counts with a delay. */
  until(holds: (run: RabbitmqRun) => boolean | undefined, what: string, withinMs?: number): Promise<RabbitmqRun>;
  /** What was sent of a series in each run; undefined: nothing. */
  history(series: string): (number | undefined)[];
  /** All increments that were sent of a counter. */
  sent(series: string): number;
  /** What `edgestatd check` says of the job, as `level text`. */
  check(): Promise<string[]>;
  close(): Promise<void>;
}

/** The words that run rabbitmqctl on this broker. */
export const ctlOf = ({ env }: Broker): string[] => [
  'env',
  ...Object.entries(env).flatMap(([name, value]) => (value === process.env[name] ? [] : [`${name}=${value}`])),
  'rabbitmqctl',
];

/** A job of its own on a target of its own: nothing is remembered of earlier ones. Guest asks, if nothing else is said. */
export function rabbitmqRuns(broker: Broker, given: Record<string, unknown> = {}): RabbitmqRuns {
  const target = localTarget('hv');
  const { source = 'management' } = given;
  const guest = source === 'management' && given.user === undefined ? { user: 'guest', password: 'guest' } : {};
  const where = {
    ...(source === 'management' && { urls: [broker.url], host: 'all', ...guest }),
    ...(source === 'prometheus' && { urls: [broker.prometheusUrl] }),
    ...(source === 'rabbitmqctl' && { command: ctlOf(broker) }),
  };
  const options = rabbitmq.options.parse({ ...where, ...given });
  const job = {
    ...{ id: 'rabbitmq@hv', name: 'rabbitmq', collector: rabbitmq, target: 'hv', options },
    ...{ when: { everyMs: 1000 }, intervalMs: 1000, splayMs: 0, timeoutMs: TIMEOUT_MS, fingerprint: '' },
  };
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(job, around);
  const runs: RabbitmqRun[] = [];
  const counted = new Map<string, number>();
  const shown = new Map<string, Point>();

  const judge = (point: Point): void => {
    const { path, value, metric } = point;
    if (value !== undefined) expect(Number.isFinite(value), path).toBe(true);
    const isNonNegative = metric.kind === 'counter' || NEVER_NEGATIVE.test(metric.name);
    if (value !== undefined && isNonNegative) expect(value, path).toBeGreaterThanOrEqual(0);
    if (metric.kind !== 'counter') return;
    const total = Number(point.total);
    const last = counted.get(path);
    counted.set(path, total);
    if (value === undefined) return;
    const most = last === undefined || total < last ? total : total - last;
    expect(value, `${path}: ${value} is sent of ${most}`).toBeLessThanOrEqual(most);
  };
  const expectNothingSticks = (points: readonly Point[], isUnknown: (point: Point) => boolean): void => {
    for (const point of points)
      if (point.metric.kind !== 'counter' && point.value !== undefined) shown.set(point.path, point);
    const sent = new Set(points.map(({ path }) => path));
    const stuck = [...shown.values()].filter(
      (point) =>
        // A ratio without a denominator, and a duration, are not repeated.
        point.metric.kind === 'gauge' && point.value !== 0 && !sent.has(point.path) && !isUnknown(point),
    );
    expect(stuck.map(({ path }) => path)).toEqual([]);
  };

  const read = async (): Promise<RabbitmqRun> => {
    // Without an interval nothing is put off: the runs of a test are not one interval apart.
    const batch = await run({ ...planOf(job, target), intervalMs: undefined }, systemClock);
    const { delivery, problems, failure } = deliveryOf(batch, job, around, memory);
    const own = delivery.points.filter(({ path }) => path.startsWith(BASE));
    const paths = own.map(({ path }) => path);
    expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
    own.forEach(judge);
    const { unread = [] } = batch.reading;
    if (failure === undefined) {
      expectNothingSticks(
        own,
        ({ labels, path }) =>
          problems.some((problem) => covers(problem, labels, path)) || unread.some((scope) => agrees(scope, labels)),
      );
    } else expect(paths).toEqual([]);
    const up = delivery.points.find(({ path }) => path === 'edge.hv.edgestatd.rabbitmq.up');
    expect(up?.value).toBe(failure === undefined ? 1 : 0);
    const lines = own.flatMap((point) => statsdLine(point, 'none')?.split('\n') ?? []);
    expect(lines.filter((line) => !LINE.test(line))).toEqual([]);
    const bySeries = new Map(own.map((point) => [point.path.slice(BASE.length), point]));
    const values = new Map<string, number>();
    for (const [series, { value }] of bySeries) if (value !== undefined) values.set(series, value);
    const one: RabbitmqRun = {
      ...{ values, lines, failure },
      told: (failure === undefined ? problems : [failure]).map(({ code, message }) => `${code} ${message}`),
      at(series) {
        const point = bySeries.get(series);
        const value = point?.total ?? point?.value;
        return value === undefined ? undefined : Number(value);
      },
    };
    runs.push(one);
    return one;
  };
  const history = (series: string): (number | undefined)[] => runs.map(({ values }) => values.get(series));
  return {
    read,
    async until(holds, what, withinMs = 25_000) {
      let last: RabbitmqRun | undefined;
      try {
        return await eventually(
          async () => {
            last = await read();
            if (holds(last) === true) return last;
            await sleep(PAUSE_MS);
            return undefined;
          },
          what,
          withinMs,
        );
      } catch (error) {
        const seen = [...(last?.told ?? []), ...(last?.lines ?? [])].filter((line) => !line.includes('.node.'));
        throw new Error(`${error instanceof Error ? error.message : error}; last: ${seen.slice(0, 80).join('\n')}`);
      }
    },
    history,
    sent: (series) => history(series).reduce<number>((sum, value) => sum + (value ?? 0), 0),
    async check() {
      const verdicts: readonly Verdict[] = await visit(target, TIMEOUT_MS, systemClock, async (host) => {
        const [atMs, readAtMs] = [systemClock.wallMs(), systemClock.monotonicMs()];
        return (await rabbitmq.check?.({ host, options, atMs, readAtMs, elapsedMs: () => 0 })) ?? [];
      });
      return verdicts.map(({ level, text }) => `${level} ${text}`);
    },
    close: () => target.close(),
  };
}
