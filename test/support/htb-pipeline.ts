/**
 * A collector on the testbed, run by run as the daemon does it: run → vet → totals → points. After each run everything
 * that sinks would get is held against what tc says right before and right after it:
 * - a class's total is what the kernel had in between, and its increment is what came since the last run; never less
 *   than nothing, and never more (a spike), under whatever name;
 * - a gauge that StatsD would repeat for ever (it was sent, is not 0, and is not sent again) is a fault.
 */
import { expect } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Collector } from '../../src/collector.ts';
import type { JobConfig } from '../../src/config.ts';
import type { Failure } from '../../src/errors.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import type { Point } from '../../src/point.ts';
import { run } from '../../src/run.ts';
import { createClaims } from '../../src/vet.ts';
import { type Kernel, kernelClasses, totals } from './htb-kernel.ts';
import type { Testbed } from './testbed.ts';
import { watched } from './watched.ts';

const PREFIX = 'edge';

export interface Run {
  /** What the collector itself sent in this run: `device.name.metric` → value; a counter's is its increment. */
  readonly values: ReadonlyMap<string, number>;
  readonly points: readonly Point[];
  readonly problems: readonly Failure[];
  readonly failure: Failure | undefined;
  /** Codes of the problems, each once, sorted. */
  readonly codes: readonly string[];
  readonly durationMs: number;
  /** Names of the classes of a device, by handle. */
  names(device: string): Record<string, string>;
  /** A counter's total, or undefined. */
  total(series: string): number | undefined;
}

export interface Pipeline {
  /** Runs once. Rejects when what would be sent is not what the kernel counted. */
  read(): Promise<Run>;
  /** What a series was in each run; undefined: nothing was sent. */
  history(series: string): (number | undefined)[];
  /** The programs that were run in the last run, word by word. */
  readonly programs: readonly (readonly string[])[];
}

export interface PipelineOptions {
  readonly options?: Record<string, unknown>;
  /** Called before a program is run, as if the world changed in between. */
  readonly before?: (argv: readonly string[]) => Promise<unknown> | undefined;
}

type Argv = readonly [program: string, ...args: string[]];

export function pipelineOf(
  testbed: Testbed,
  collector: Collector,
  { options = {}, before }: PipelineOptions = {},
): Pipeline {
  const programs: Argv[] = [];
  const target = watched(testbed.hv, async (argv) => {
    programs.push(argv);
    await before?.(argv);
  });
  const { name } = collector;
  const job: JobConfig = {
    ...{ id: `${name}@hv`, name, collector, target: 'hv', options: collector.options.parse(options) },
    ...{ when: { everyMs: 10_000 }, intervalMs: 10_000, splayMs: 0, timeoutMs: 8000, fingerprint: '' },
  };
  const around = { prefix: PREFIX, target, claims: createClaims() };
  const memory = freshMemory(job, around);
  const base = `${PREFIX}.${target.name}.${name}.`;
  const runs: Run[] = [];
  const believed = createBelief();
  let last: { readonly from: Kernel; readonly to: Kernel } | undefined;
  let wasStuck: ReadonlySet<string> = new Set();

  return {
    programs,
    history: (series) => runs.map(({ values }) => values.get(series)),
    async read() {
      programs.length = 0;
      const from = await kernelClasses(testbed);
      const batch = await run(planOf(job, target), systemClock);
      const to = await kernelClasses(testbed);
      const { delivery, problems, failure } = deliveryOf(batch, job, around, memory);
      const points = delivery.points.filter(({ path }) => path.startsWith(base));
      const values = new Map<string, number>();
      for (const { path, value } of points) if (value !== undefined) values.set(path.slice(base.length), value);
      const result: Run = {
        ...{ values, points, problems, failure, durationMs: batch.durationMs },
        codes: [...new Set(problems.map(({ code }) => code))].sort(),
        names: (device) => namesIn(points, device),
        total(series) {
          const total = points.find(({ path }) => path === base + series)?.total;
          return total === undefined ? undefined : Number(total);
        },
      };
      runs.push(result);
      for (const point of points) {
        expect(point.value ?? 0, `${point.path} is a number`).toSatisfy(Number.isFinite);
        if (point.metric.kind === 'counter') judge(point, { from, to }, last);
      }
      if (failure === undefined) last = { from, to };
      const stuck = believed.stuck(points);
      // What a problem hides is unknown, and held.
      if (problems.length === 0 && failure === undefined) {
        // The ratio of a class that was made anew is unknown for one run, as a stray packet through it shows.
        const nameOf = (told: string): string => told.split(' ', 1)[0] ?? '';
        const again = stuck.filter((told) => wasStuck.has(nameOf(told)));
        wasStuck = new Set(stuck.map(nameOf));
        expect(again, 'gauges that are repeated for ever').toEqual([]);
      }
      return result;
    },
  };
}

/** What StatsD repeats: the last value of every gauge. */
function createBelief() {
  const last = new Map<string, { readonly value: number; readonly kind: string; silentRuns: number }>();
  return {
    /** Takes a run; returns what is repeated and was not sent again. A ratio may be unknown for one run. */
    stuck(points: readonly Point[]): string[] {
      for (const one of last.values()) one.silentRuns += 1;
      for (const { path, value, metric } of points)
        if (metric.kind !== 'counter' && value !== undefined)
          last.set(path, { value, kind: metric.kind, silentRuns: 0 });
      const isStuck = ({ value, kind, silentRuns }: { value: number; kind: string; silentRuns: number }): boolean =>
        value !== 0 && silentRuns > (kind === 'ratio' ? 1 : 0);
      return [...last].filter(([, one]) => isStuck(one)).map(([path, { value }]) => `${path} = ${value}`);
    },
  };
}

/** A counter of a class, against the kernel: its total in this run, and what came since the last one. */
function judge({ path, value, total, metric, labels }: Point, now: Span, last: Span | undefined): void {
  if (value !== undefined) expect(value, path).toBeGreaterThanOrEqual(0);
  const key = `${labels.device} ${labels.class}`;
  const [from, to] = [now.from.get(key), now.to.get(key)];
  const [least, most] = [from?.[metric.name], to?.[metric.name]];
  // Of a qdisc, or of a class that came or went just now.
  if (from === undefined || to === undefined || least === undefined || most === undefined) return;
  const isSteady = !fell(from, to);
  if (isSteady) expect(total, `${path}: ${total} is not within ${least}…${most}`).toSatisfy(within(least, most));
  if (last === undefined) {
    expect(value, `${path}: an increment in the first run`).toBeUndefined();
    return;
  }
  const [wasFrom, wasTo] = [last.from.get(key), last.to.get(key)];
  const [wasLeast, wasMost] = [wasFrom?.[metric.name], wasTo?.[metric.name]];
  const isSame = isSteady && wasFrom && wasTo && !fell(wasFrom, wasTo) && !fell(wasTo, from);
  if (!isSame || wasLeast === undefined || wasMost === undefined) {
    // It is new, or began anew: at most what it has now.
    if (value !== undefined) expect(value, path).toBeLessThanOrEqual(Math.max(most, least));
    return;
  }
  const context = `${path}: ${value} is not what came: ${wasLeast}…${wasMost} → ${least}…${most}`;
  expect(value, context).toSatisfy(within(least - wasMost, most - wasLeast));
}

const within = (least: number, most: number) => (value: number) => value >= least && value <= most;

/** Any of a class's counters went down: it was made anew. */
function fell(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): boolean {
  return totals.some((name) => (after[name] ?? 0) < (before[name] ?? 0));
}

interface Span {
  readonly from: Kernel;
  readonly to: Kernel;
}

function namesIn(points: readonly Point[], device: string): Record<string, string> {
  const names: Record<string, string> = {};
  for (const { labels, metric } of points) {
    // One that vanished is told of once more, with its last labels.
    if (metric.name !== 'sent_bytes' || labels.device !== device) continue;
    names[labels.class ?? ''] = labels.name ?? '';
  }
  return names;
}
