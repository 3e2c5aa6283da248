/** The last hour in memory: what it holds, for how long, and how much of it. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';
import type { Collector } from '../src/collector.ts';
import type { Point } from '../src/point.ts';
import { createHistory, type History } from '../src/status/history.ts';
import { newCell, read, STEP_MS, STEPS, stepOf, write } from '../src/status/history-cell.ts';
import { pointsOf, type SceneRow } from './support/page-scene.ts';

/** As `node --expose-gc` has it. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

const START = Date.UTC(2026, 10, 21, 3, 0, 0);
const collectors: readonly Collector[] = [...registry.values()];

function feed(history: History, table: string, rows: readonly SceneRow[], atMs: number, intervalMs = STEP_MS): void {
  const collector = collectors.find(({ tables = [] }) => tables.some(({ name }) => name === table))?.name ?? '';
  for (const [target, points] of pointsOf(collectors, table, rows, intervalMs)) {
    history.see({ job: 'htb', tookMs: 0, collector, target, atMs, intervalMs, points });
  }
}

const vif = (name: string, util: number, more = {}): SceneRow => ({
  labels: { device: 'eth1', name },
  values: { util, ...more },
});
const keyOf = (name: string): string => `edge.hv01.htb.eth1.${name}`;

function lineOf(
  history: History,
  name: string,
  nowMs: number,
  column = 'util',
): readonly (number | null)[] | undefined {
  const document = history.document('vifs', [keyOf(name)], nowMs);
  return document?.series.find((one) => one.column === column)?.values;
}

function started(maxSeries?: number): History {
  const history = createHistory(maxSeries === undefined ? {} : { maxSeries });
  history.use(collectors);
  return history;
}

describe('one series', () => {
  const values = (cell: ReturnType<typeof newCell>, fromMs: number, toMs: number, nowMs = toMs): number[] => {
    const steps: number[] = [];
    for (let step = stepOf(fromMs); step <= stepOf(toMs); step++) steps.push(read(cell, step, nowMs));
    return steps;
  };

  it('is unknown before its first run, and never 0', () => {
    const cell = newCell();
    expect(read(cell, stepOf(START), START)).toBeNaN();
    write(cell, { atMs: START, intervalMs: 10_000 }, 5, false);
    expect(values(cell, START - 20_000, START)).toEqual([Number.NaN, Number.NaN, 5]);
  });

  it('holds a value for its interval, and not for ever', () => {
    const cell = newCell();
    write(cell, { atMs: START, intervalMs: 30_000 }, 5, false);
    write(cell, { atMs: START + 30_000, intervalMs: 30_000 }, 7, false);
    const later = START + 120_000;
    expect(values(cell, START, START + 80_000, later)).toEqual([5, 5, 5, 7, 7, 7, Number.NaN, Number.NaN, Number.NaN]);
    write(cell, { atMs: later, intervalMs: 30_000 }, 9, false);
    expect(values(cell, START + 30_000, later)).toEqual([7, 7, 7, ...Array(6).fill(Number.NaN), 9]);
  });

  it('has no gap where a run falls just over the edge of a step', () => {
    const cell = newCell();
    for (const at of [9900, 19_950, 30_010, 40_020, 49_990]) {
      write(cell, { atMs: START + at, intervalMs: 10_000 }, at, false);
    }
    expect(values(cell, START, START + 40_000)).toEqual([9900, 19_950, 19_950, 30_010, 49_990]);
  });

  it('has the value of a run that is due now, and none of one that is late', () => {
    const cell = newCell();
    write(cell, { atMs: START + 7000, intervalMs: 10_000 }, 5, false);
    expect(read(cell, stepOf(START + 12_000), START + 12_000)).toBe(5);
    expect(read(cell, stepOf(START + 23_000), START + 23_000)).toBeNaN();
  });

  it('keeps the worst of several runs within a step', () => {
    const [high, low] = [newCell(), newCell()];
    for (const [index, value] of [3, 9, 4, Number.NaN].entries()) {
      write(high, { atMs: START + index * 1000, intervalMs: 1000 }, value, false);
      write(low, { atMs: START + index * 1000, intervalMs: 1000 }, value, true);
    }
    expect([read(high, stepOf(START)), read(low, stepOf(START))]).toEqual([9, 3]);
  });

  it('forgets after an hour, and a value of a rare run stands for an hour before it', () => {
    const cell = newCell();
    for (let at = 0; at < 500; at++) write(cell, { atMs: START + at * STEP_MS, intervalMs: STEP_MS }, at, false);
    const now = START + 499 * STEP_MS;
    expect(values(cell, now - (STEPS + 1) * STEP_MS, now).slice(0, 3)).toEqual([Number.NaN, Number.NaN, 140]);
    const rare = newCell();
    write(rare, { atMs: START, intervalMs: 86_400_000 }, 1, false);
    expect(read(rare, stepOf(START + 7_200_000), START + 7_200_000)).toBe(1);
  });

  it('begins anew when the clock was set back, and leaves a gap when it was set forward', () => {
    const cell = newCell();
    write(cell, { atMs: START, intervalMs: 10_000 }, 1, false);
    write(cell, { atMs: START + 9e9, intervalMs: 10_000 }, 2, false);
    expect(values(cell, START + 9e9 - 10_000, START + 9e9)).toEqual([Number.NaN, 2]);
    write(cell, { atMs: START + 20_000, intervalMs: 10_000 }, 3, false);
    expect(values(cell, START, START + 20_000)).toEqual([Number.NaN, Number.NaN, 3]);
  });
});

describe('a history', () => {
  it('has the charted columns alone, counters per second, and null for what is unknown', () => {
    const history = started();
    feed(history, 'vifs', [vif('vif1', 0.5, { sent: 1e6, ceil: 1e7 })], START, 30_000);
    feed(history, 'vifs', [vif('vif1', 0.75)], START + 30_000, 30_000);
    const document = history.document('vifs', [keyOf('vif1'), 'edge.hv01.htb.nobody'], START + 30_000);
    expect(document?.stepSeconds).toBe(10);
    expect(document?.fromSeconds).toBe(START / 1000 + 30 - 359 * 10);
    expect(document?.series.map(({ column }) => column)).toEqual(['util', 'sent', 'drops/s', 'borrowed']);
    expect(document?.series.every(({ values }) => values.length === STEPS)).toBe(true);
    expect(document?.series[0]?.values.slice(-5)).toEqual([null, 0.5, 0.5, 0.5, 0.75]);
    expect(document?.series[1]?.values.slice(-5)).toEqual([null, 1e6, 1e6, 1e6, 1e6]);
    expect(document?.series[2]?.values.every((value) => value === null)).toBe(true);
    expect(history.document('nothing', [], START)).toBeUndefined();
    expect(history.document('bonds', [], START), 'a table without charts').toBeUndefined();
  });

  it('ends a series that ends at once, and lets it go within the hour', () => {
    const history = started();
    const rows = [vif('vif1', 0.5), vif('vif2', 0.4)];
    feed(history, 'vifs', rows, START);
    const ends = [...pointsOf(collectors, 'vifs', [vif('vif1', 0)]).values()].flat();
    const points = ends.map((point): Point => ({ ...point, ends: true }));
    history.see({
      job: 'htb',
      tookMs: 0,
      collector: 'htb',
      target: 'hv01',
      atMs: START + 10_000,
      intervalMs: 10_000,
      points,
    });
    expect(lineOf(history, 'vif1', START + 10_000)?.slice(-2)).toEqual([0.5, null]);
    expect(history.size).toBe(8);
    for (let step = 1; step <= STEPS + 1; step++) feed(history, 'vifs', [vif('vif2', 0.4)], START + step * STEP_MS);
    expect(history.size).toBe(4);
    expect(lineOf(history, 'vif1', START + STEPS * STEP_MS)).toBeUndefined();
  });

  it('takes no end of a name whose labels are tags for the end of a series', () => {
    const history = started();
    feed(history, 'vifs', [vif('vif1', 0.5)], START);
    const points = [...pointsOf(collectors, 'vifs', [vif('vif1', 0)]).values()]
      .flat()
      .map((point): Point => ({ ...point, ends: true, taggedOnly: true }));
    history.see({
      job: 'htb',
      tookMs: 0,
      collector: 'htb',
      target: 'hv01',
      atMs: START + 1000,
      intervalMs: 10_000,
      points,
    });
    expect(lineOf(history, 'vif1', START + 1000)?.at(-1)).toBe(0.5);
  });

  it('is bounded: the worst rows are charted, and one that was bad lately is not thrown out by noise', () => {
    const history = started(40);
    const many = (worst: number): SceneRow[] =>
      Array.from({ length: 200 }, (_, at) => vif(`vif${at}`, at === worst ? 1 : at / 1000));
    feed(history, 'vifs', many(-1), START);
    expect(history.size).toBe(40);
    feed(history, 'vifs', many(0), START + 10_000);
    feed(history, 'vifs', many(0), START + 20_000);
    expect(history.size).toBe(40);
    for (const name of ['vif0', 'vif199', 'vif191']) {
      expect(lineOf(history, name, START + 20_000)?.at(-1), name).toBeTypeOf('number');
    }
    expect(lineOf(history, 'vif100', START + 20_000)).toBeUndefined();
    // vif0 is idle now, and stays for what it was.
    feed(history, 'vifs', many(-1), START + 30_000);
    expect(lineOf(history, 'vif0', START + 30_000)?.slice(-2)).toEqual([1, 0]);
    for (let step = 4; step < 140; step++) feed(history, 'vifs', many(-1), START + step * STEP_MS);
    expect(lineOf(history, 'vif0', START + 140 * STEP_MS)).toBeUndefined();
  });

  it('gives a table that comes later its share', () => {
    const history = started(400);
    const many = Array.from({ length: 500 }, (_, at) => vif(`vif${at}`, at / 1000));
    feed(history, 'vifs', many, START);
    expect(history.size).toBe(400);
    const queue = (name: string, growth: number): SceneRow => ({
      labels: { cluster: 'c', scope: 'queue', vhost: '/', queue: name },
      values: { 'growth/s': growth, depth: 3 },
    });
    feed(history, 'queues', [queue('a', -5), queue('b', 4)], START);
    const keys = ['edge.hv01.rabbitmq.c.queue._.a', 'edge.hv01.rabbitmq.c.queue._.b'];
    expect(history.document('queues', keys, START)?.series).toHaveLength(8);
    expect(history.size).toBeLessThanOrEqual(400);
  });

  it('keeps what it has when the same collectors are taken into use, and forgets those that are gone', () => {
    const history = started();
    feed(history, 'vifs', [vif('vif1', 0.5)], START);
    history.use(collectors);
    expect(lineOf(history, 'vif1', START)?.at(-1)).toBe(0.5);
    history.use(collectors.filter(({ name }) => name !== 'htb'));
    expect([history.size, history.document('vifs', [], START)]).toEqual([0, undefined]);
  });

  it('keeps nothing more for a run of what it knows', () => {
    const history = started();
    const rows = Array.from({ length: 400 }, (_, at) =>
      vif(`vif${at}`, at / 1000, { sent: 5, 'drops/s': 1, borrowed: 0 }),
    );
    const [[, points = []] = []] = pointsOf(collectors, 'vifs', rows);
    const see = (step: number): void =>
      history.see({
        job: 'htb',
        tookMs: 0,
        collector: 'htb',
        target: 'hv01',
        atMs: START + step * STEP_MS,
        intervalMs: STEP_MS,
        points,
      });
    for (let step = 0; step < 200; step++) see(step);
    collectGarbage();
    const before = process.memoryUsage();
    for (let step = 200; step < 400; step++) see(step);
    collectGarbage();
    const after = process.memoryUsage();
    // 320,000 values: an object for each would be 10 MB and more.
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(100_000);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(1_000_000);
    expect(history.size).toBe(1600);
  });
});
