/** Totals that belong to an origin go on under whatever labels it has: `src/origins.ts` through `src/totals.ts`. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { counter, gauge, ratio, type Sample, sample } from '../src/metric.ts';
import { createNaming } from '../src/naming.ts';
import type { Point } from '../src/point.ts';
import { statsdLine } from '../src/sinks/lines.ts';
import { seriesLines } from '../src/sinks/series.ts';
import { createTotals } from '../src/totals.ts';

const about = { unit: 'x', labels: ['name'], tags: ['class'], help: 'h', source: 's' } as const;
const bytes = counter('bytes', about);
const packets = counter('packets', about);
const backlog = gauge('backlog', about);
const ceil = gauge('ceil', about);
const utilisation = ratio('utilisation_ratio', { numerator: bytes, denominator: [ceil], help: 'h' });

function job() {
  const naming = createNaming('b');
  const forgotten: string[] = [];
  const shown = new Set<string>();
  const totals = createTotals(naming, {
    onForget: (path) => {
      forgotten.push(path.slice(2));
      shown.delete(path);
    },
    mayShow: (path) => shown.add(path) !== undefined,
  });
  let nowMs = 0;
  return {
    totals,
    forgotten,
    shown,
    /** What one run sends, as `name.metric → value`. */
    run(samples: readonly Sample[], problems: readonly Failure[] = []) {
      nowMs += 10_000;
      const named = samples.map((one) => ({ path: naming.path(one.metric, one.labels), sample: one }));
      const points = totals.apply({ named, problems, ratios: [utilisation], readAtMs: nowMs });
      const byPath = points.filter(({ taggedOnly }) => taggedOnly !== true);
      const values = Object.fromEntries(byPath.map(({ path, value }) => [path.slice(2), value]));
      expect(Object.keys(values), 'no series is sent twice').toHaveLength(byPath.length);
      return { values, points };
    },
  };
}

/** A class as the kernel counts it, under the name that it has now. */
function reading(origin: string, name: string, total: number, level = 1): Sample[] {
  const labels = { name, class: origin };
  return [
    { ...sample(bytes, total, labels), origin },
    { ...sample(packets, total / 10, labels), origin },
    { ...sample(backlog, level, labels), origin },
    { ...sample(ceil, 100, labels), origin },
  ];
}

it('a new name continues the totals: no spike, no lost interval, and the old name ends', () => {
  const { run, forgotten, shown } = job();
  run(reading('1:1', 'one', 1_000_000));
  run(reading('1:1', 'one', 1_000_100));
  const { values } = run(reading('1:1', 'vif2', 1_000_150));
  expect(values).toEqual({
    'vif2.bytes': 50,
    'vif2.packets': 5,
    'vif2.backlog': 1,
    'vif2.ceil': 100,
    'vif2.utilisation_ratio': 0.05,
    // StatsD repeats a silent gauge for ever.
    'one.backlog': 0,
    'one.ceil': 0,
    'one.utilisation_ratio': 0,
  });
  expect(forgotten.sort()).toEqual(['one.backlog', 'one.bytes', 'one.ceil', 'one.packets', 'one.utilisation_ratio']);
  expect([...shown]).toEqual(['b.vif2.utilisation_ratio']);
  expect(run(reading('1:1', 'vif2', 1_000_250)).values).toMatchObject({ 'vif2.bytes': 100, 'vif2.backlog': 1 });
});

it('two that swap their names keep their own totals, and no name ends', () => {
  const { run } = job();
  run([...reading('1:1', 'a', 1000), ...reading('1:2', 'b', 5_000_000)]);
  const { values } = run([...reading('1:1', 'b', 1010), ...reading('1:2', 'a', 5_000_020)]);
  expect(values).toEqual({
    ...{ 'b.bytes': 10, 'b.packets': 1, 'b.backlog': 1, 'b.ceil': 100, 'b.utilisation_ratio': 0.01 },
    ...{ 'a.bytes': 20, 'a.packets': 2, 'a.backlog': 1, 'a.ceil': 100, 'a.utilisation_ratio': 0.02 },
  });
});

it('a name that another thing takes over does not continue the totals of the one before', () => {
  const { run, totals } = job();
  run(reading('1:1', 'vif2', 1_000_000));
  // It appeared within our sight, so it began at zero.
  expect(run(reading('1:7', 'vif2', 30)).values).toMatchObject({ 'vif2.bytes': 30, 'vif2.packets': 3 });
  expect(run(reading('1:7', 'vif2', 40)).values).toMatchObject({ 'vif2.bytes': 10, 'vif2.packets': 1 });
  expect(totals.size).toBe(5);
});

it('one taken over behind a problem may be old, so it does not start from zero', () => {
  const { run } = job();
  run(reading('1:1', 'vif2', 1_000_000));
  run([], [new Failure('E_CONNECT', 'nothing is known')]);
  const { values } = run(reading('1:7', 'vif2', 9_000_000));
  expect(values['vif2.bytes']).toBeUndefined();
  expect(run(reading('1:7', 'vif2', 9_000_010)).values['vif2.bytes']).toBe(10);
});

it('one that takes the name of another which is still there under a new one', () => {
  const { run } = job();
  run([...reading('1:1', 'a', 1000)]);
  const { values } = run([...reading('1:2', 'a', 70), ...reading('1:1', 'b', 1010)]);
  expect(values).toMatchObject({ 'a.bytes': 70, 'b.bytes': 10 });
});

it('a name of something that is hidden behind a problem can be taken', () => {
  const { run } = job();
  run([...reading('1:1', 'a', 1000), ...reading('1:2', 'b', 2000)]);
  const hidden = new Failure('E_CONNECT', 'half is unknown', { labels: { name: 'a' } });
  expect(run([...reading('1:2', 'a', 2010)], [hidden]).values).toMatchObject({ 'a.bytes': 10, 'b.backlog': 0 });
});

it('one that vanishes and comes back is a new one', () => {
  const { run } = job();
  run(reading('1:1', 'a', 1000));
  expect(run([]).values).toEqual({ 'a.backlog': 0, 'a.ceil': 0 });
  expect(run(reading('1:1', 'b', 20)).values).toMatchObject({ 'b.bytes': 20 });
});

it('tags follow what is known now, and a name that only tags made is ended where labels are tags', () => {
  const { run } = job();
  const named = (name: string, tag: string) => ({ name, class: tag });
  const told = ({ points }: ReturnType<typeof run>) =>
    points.map(({ path, value, labels, taggedOnly }) => [path, value, labels.class, taggedOnly === true]);
  const of = (level: number, labels: { name: string; class: string }) => {
    return [{ ...sample(backlog, level, labels), origin: 'x' }];
  };
  expect(told(run(of(1, named('a', 'old'))))).toEqual([['b.a.backlog', 1, 'old', false]]);
  const retagged = run(of(2, named('a', 'new')));
  expect(told(retagged)).toEqual([
    ['b.a.backlog', 0, 'old', true],
    ['b.a.backlog', 2, 'new', false],
  ]);
  const lines = (style: 'none' | 'graphite') => retagged.points.flatMap((point) => statsdLine(point, style) ?? []);
  expect(lines('none')).toEqual(['b.a.backlog:2|g']);
  expect(lines('graphite')).toEqual(['b.backlog;name=a;class=old:0|g', 'b.backlog;name=a;class=new:2|g']);
  expect(seriesLines(retagged.points)).toEqual(['b.a.backlog 2 gauge x']);
  expect(told(run(of(3, named('a', 'new'))))).toEqual([['b.a.backlog', 3, 'new', false]]);
  expect(told(run(of(4, named('c', 'newer'))))).toEqual([
    ['b.c.backlog', 4, 'newer', false],
    ['b.a.backlog', 0, 'new', false],
  ]);
});

it.each<[string, [string, string][], [string, string][]]>([
  ['another class takes the name', [['1:a', 'v']], [['1:b', 'v']]],
  [
    'another takes it and the first has a new one',
    [['1:a', 'v']],
    [
      ['1:b', 'v'],
      ['1:a', 'w'],
    ],
  ],
  [
    'two exchange names',
    [
      ['1:a', 'v'],
      ['1:b', 'w'],
    ],
    [
      ['1:a', 'w'],
      ['1:b', 'v'],
    ],
  ],
])('where labels are tags, every gauge that ends has its final 0: %s', (_, first, second) => {
  const { run } = job();
  const read = (all: [string, string][]) => run(all.flatMap(([origin, name]) => reading(origin, name, 10))).points;
  const lines = (points: readonly Point[]) => points.flatMap((point) => statsdLine(point, 'graphite') ?? []);
  const gauges = (points: readonly Point[]) => lines(points).filter((line) => line.endsWith('|g'));
  const named = (all: readonly string[]) => new Set(all.map((line) => line.split(':1|')[0]?.split(':100|')[0]));
  const before = named(gauges(read(first)));
  const after = gauges(read(second));
  for (const name of before) expect(after.filter((line) => line.startsWith(`${name}:`))).toEqual([`${name}:0|g`]);
});

it('what is told to be old has no increment at first, however new its entity is', () => {
  const { run } = job();
  run(reading('1:1', 'a', 1000));
  const old = reading('7:1', 'b', 9e12).map((one): Sample => ({ ...one, old: true }));
  expect(run([...reading('1:1', 'a', 1010), ...old]).values).toMatchObject({ 'a.bytes': 10, 'b.bytes': undefined });
  expect(run([...reading('1:1', 'a', 1010), ...reading('7:1', 'b', 9e12 + 5)]).values['b.bytes']).toBe(5);
});

it('a name that is taken over by gauges alone does not count from zero afterwards, also behind a problem', () => {
  const { run } = job();
  run(reading('1:1', 'v', 1000));
  const gaugesOnly = reading('1:7', 'v', 9e12).filter(({ metric }) => metric.kind === 'gauge');
  run(gaugesOnly, [new Failure('E_PARSE', 'half is unknown')]);
  expect(run(reading('1:7', 'v', 9e12)).values['v.bytes']).toBeUndefined();
  expect(run(reading('1:7', 'v', 9e12 + 4)).values['v.bytes']).toBe(4);
});

it('whatever is renamed, the increments of each name add up to what its origins counted meanwhile', () => {
  const names = ['a', 'b', 'c', 'd'];
  const order = fc.shuffledSubarray(names, { minLength: 1 });
  fc.assert(
    fc.property(fc.array(order, { minLength: 2, maxLength: 8 }), (turns) => {
      const { run, totals } = job();
      const totalsOf = new Map<string, number>();
      let seen = new Set<string>();
      for (const [turn, placed] of turns.entries()) {
        // The origin at each place counts by its own amount; who is absent starts again when it returns.
        const present = placed.map((name, index) => ({ name, origin: `o${index}`, by: (index + 1) * 10 }));
        for (const { origin, by } of present)
          totalsOf.set(origin, (seen.has(origin) ? (totalsOf.get(origin) ?? 0) : 0) + by);
        const { values } = run(present.flatMap(({ name, origin }) => reading(origin, name, totalsOf.get(origin) ?? 0)));
        for (const { name, by } of present) expect(values[`${name}.bytes`]).toBe(turn === 0 ? undefined : by);
        seen = new Set(present.map(({ origin }) => origin));
        expect(totals.size).toBe(present.length * (turn === 0 ? 4 : 5));
      }
    }),
  );
});
