/** What `top` and the status page are told: the last values of all tables. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Collector, defineCollector } from '../src/collector.ts';
import type { Failure } from '../src/errors.ts';
import { counter, gauge, type Labels, type Metric } from '../src/metric.ts';
import { createNaming } from '../src/naming.ts';
import type { Point } from '../src/point.ts';
import { createBoard } from '../src/status/board.ts';
import { questionOf, statusRoutes } from '../src/status/routes.ts';
import type { Table } from '../src/table.ts';
import { fakeClock } from './support/fake-clock.ts';

const about = { unit: 'things', labels: ['vif'], tags: ['vm'], help: 'For tests.', source: 'test' } as const;
const use = gauge('use_ratio', about);
const sent = counter('sent_bytes', about);
const spare = gauge('spare', about);
const other = gauge('other', about);
const vifs: Table = {
  ...{ name: 'vifs', title: 'VIFs', labels: ['vif'], tags: ['vm'], sortBy: 'use' },
  columns: [
    { title: 'use', metric: use, form: 'ratio', warnAt: 0.8, badAt: 0.95, chart: true },
    { title: 'sent', metric: sent, form: 'bits' },
    { title: 'spare', metric: spare, form: 'number', below: true, badAt: 1 },
  ],
};
const collectorOf = (...tables: Table[]): Collector =>
  defineCollector({
    name: 'shaper',
    options: z.strictObject({}),
    metrics: { use, sent, spare, other },
    tables,
    collect: async () => ({ samples: [] }),
  });

const naming = (target: string) => createNaming(`edge.${target}.shaper`);
const point = (
  metric: Metric,
  labels: Labels,
  value: number | undefined,
  more: Partial<Point> = {},
  target = 'hv1',
) => ({
  ...{ path: naming(target).path(metric, labels), base: naming(target).base, metric, labels, value },
  ...more,
});

function board(maxRows?: number) {
  const clock = fakeClock();
  const made = createBoard(clock, maxRows);
  made.use([collectorOf(vifs)]);
  const see = (
    points: readonly Point[],
    { target = 'hv1', job = 'shaper', intervalMs = 10_000, tookMs = 0 } = {},
  ): void => made.see({ collector: 'shaper', job, target, atMs: clock.wallMs(), intervalMs, tookMs, points });
  const rows = (question = {}, table = 'vifs') =>
    made.table(table, question)?.entries.map(({ target, names, values }) => [target, ...names, ...values]);
  return {
    ...{ clock, board: made, see, rows },
    gauges: (of: Record<string, number | undefined>) => {
      see(Object.entries(of).map(([vif, value]) => point(use, { vif }, value)));
    },
  };
}

describe('a table', () => {
  it('has gauges as they are, counters per second, and null for what is not known', () => {
    const { see, rows } = board();
    const labels = { vif: 'vif1', vm: 'web' };
    see([
      point(use, labels, 0.5),
      point(sent, labels, 500, { elapsedSeconds: 10 }),
      point(other, labels, 7),
      point(sent, { vif: 'vif2' }, undefined, { total: 9 }),
    ]);
    expect(rows()).toEqual([
      ['hv1', 'vif1', 'web', 0.5, 50, null],
      ['hv1', 'vif2', null, null, null, null],
    ]);
  });

  it('says what it has, by which series each row is named, and when it was read', () => {
    const { see, board: made, clock } = board();
    see([point(use, { vif: 'vif1' }, 0.5)]);
    const head = {
      ...{ name: 'vifs', title: 'VIFs', collector: 'shaper', labels: ['vif'], tags: ['vm'], sortBy: 'use', rows: 1 },
      columns: [
        {
          title: 'use',
          metric: 'use_ratio',
          unit: 'things',
          help: 'For tests.',
          form: 'ratio',
          warnAt: 0.8,
          badAt: 0.95,
          chart: true,
        },
        { title: 'sent', metric: 'sent_bytes', unit: 'things', help: 'For tests.', form: 'bits' },
        { title: 'spare', metric: 'spare', unit: 'things', help: 'For tests.', form: 'number', badAt: 1, below: true },
      ],
    };
    expect(made.tables()).toEqual({ format: 1, tables: [head] });
    expect(made.table('vifs', {})).toEqual({
      ...{ format: 1, ...head, nowMs: clock.wallMs(), found: 1 },
      entries: [
        {
          key: 'edge.hv1.shaper.vif1',
          target: 'hv1',
          names: ['vif1', null],
          values: [0.5, null, null],
          atMs: clock.wallMs(),
        },
      ],
    });
    expect(made.table('queues', {})).toBeUndefined();
  });

  it('loses a cell that has ended, and a row of which nothing is read any more', () => {
    const { see, rows } = board();
    const first = { vif: 'vif1' };
    see([point(use, first, 0.5), point(spare, first, 3), point(use, { vif: 'vif2' }, 0.1)]);
    see([
      point(use, first, 0.6),
      point(spare, first, 0, { ends: true }),
      point(use, { vif: 'vif2' }, 0, { ends: true }),
    ]);
    expect(rows()).toEqual([['hv1', 'vif1', null, 0.6, null, null]]);
  });

  it('goes on with a row of which only a tag has changed', () => {
    const { see, rows } = board();
    see([point(use, { vif: 'vif1', vm: 'old' }, 0.5)]);
    see([
      point(use, { vif: 'vif1', vm: 'old' }, 0, { ends: true, taggedOnly: true }),
      point(use, { vif: 'vif1', vm: 'new' }, 0.7),
    ]);
    expect(rows()).toEqual([['hv1', 'vif1', 'new', 0.7, null, null]]);
  });

  it('leaves out a row that was not seen for three intervals of its job, by the monotonic clock', async () => {
    const { gauges, rows, clock } = board();
    gauges({ vif1: 1, vif2: 2 });
    await clock.advance(20_000);
    gauges({ vif1: 1 });
    clock.jumpWall(86_400_000);
    expect(rows()).toHaveLength(2);
    await clock.advance(10_001);
    expect(rows()).toEqual([['hv1', 'vif1', null, 1, null, null]]);
    await clock.advance(20_000);
    expect(rows()).toEqual([]);
  });

  it('takes a cell for unknown that was not read for three intervals, while its row lives', async () => {
    const { see, rows, clock } = board();
    const labels = { vif: 'vif1' };
    see([point(use, labels, 0.5), point(spare, labels, 3)]);
    await clock.advance(30_000);
    see([point(use, labels, 0.6)]);
    expect(rows()).toEqual([['hv1', 'vif1', null, 0.6, null, 3]]);
    await clock.advance(10_000);
    see([point(use, labels, 0.6)]);
    expect(rows()).toEqual([['hv1', 'vif1', null, 0.6, null, null]]);
  });

  it('keeps the worst rows where there are more than it may have, and says how many are left out', () => {
    const { gauges, rows, board: made } = board(3);
    gauges({ vif1: 0.1, vif2: 0.9, vif3: 0.5, vif4: undefined, vif5: 0.7 });
    expect(rows()?.map(([, vif]) => vif)).toEqual(['vif2', 'vif5', 'vif3']);
    expect(made.tables().tables[0]).toMatchObject({ rows: 3, omitted: 2 });
    gauges({ vif1: 0.95, vif2: 0.1, vif3: 0.5, vif5: 0.7 });
    expect(rows()?.map(([, vif]) => vif)).toEqual(['vif1', 'vif5', 'vif3']);
    expect(made.tables().tables[0]).toMatchObject({ rows: 3, omitted: 1 });
  });

  it('tells the machines apart whose rows have one name', () => {
    const { see, rows } = board();
    see([point(use, { vif: 'vif1' }, 0.1)]);
    see([point(use, { vif: 'vif1' }, 0.9, {}, 'hv2')], { target: 'hv2' });
    expect(rows()).toEqual([
      ['hv2', 'vif1', null, 0.9, null, null],
      ['hv1', 'vif1', null, 0.1, null, null],
    ]);
    expect(rows({ target: 'hv1' })).toHaveLength(1);
  });

  it('has the cells of two jobs, each for as long as its own job says', async () => {
    const { see, rows, clock } = board();
    const quick = { job: 'quick', intervalMs: 1000 };
    const slow = { job: 'slow', intervalMs: 60_000 };
    see([point(spare, { vif: 'vif1' }, 7)], slow);
    see([point(use, { vif: 'vif1' }, 0.5)], quick);
    for (let second = 0; second < 50; second++) {
      await clock.advance(1000);
      see([point(use, { vif: 'vif1' }, 0.5)], quick);
    }
    expect(rows()).toEqual([['hv1', 'vif1', null, 0.5, null, 7]]);
    // The quick one fails: what it had said is not shown as if it were so now.
    await clock.advance(3001);
    expect(rows()).toEqual([['hv1', 'vif1', null, null, null, 7]]);
    await clock.advance(180_000);
    expect(rows()).toEqual([]);
  });

  it('loses with a job what that job read, and nothing of another one', () => {
    const { see, rows } = board();
    const labels = { vif: 'vif1' };
    see([point(spare, labels, 7)], { job: 'other' });
    see([point(use, labels, 0.5), point(sent, labels, 50, { elapsedSeconds: 1 })]);
    see([point(use, labels, 0, { ends: true })]);
    expect(rows()).toEqual([['hv1', 'vif1', null, null, null, 7]]);
    see([point(spare, labels, 0, { ends: true })], { job: 'other' });
    expect(rows()).toEqual([]);
  });

  it('keeps the rows of a run that takes longer than its interval until the next one can be there', async () => {
    const { see, rows, clock } = board();
    see([point(use, { vif: 'vif1' }, 0.5)], { intervalMs: 1000, tookMs: 50_000 });
    await clock.advance(51_000);
    expect(rows()).toHaveLength(1);
    await clock.advance(2001);
    expect(rows()).toHaveLength(0);
  });

  it('follows rows that change their order, come and go, and share their labels', () => {
    const { see, rows, clock } = board();
    const shared = ['a', 'b', 'c', 'd', 'e'].map((vif) => ({ vif }));
    const seen = (order: string, target: string, level: number): void => {
      const some = [...order].map((vif) => shared.find((one) => one.vif === vif) ?? { vif });
      see(
        [
          ...some.map((one) => point(spare, one, level, {}, target)),
          ...some.map((one) => point(use, one, level, {}, target)),
        ],
        { target },
      );
    };
    let level = 0;
    for (const order of ['abcde', 'edcba', 'ace', 'bdabcde', 'eabxd', 'x']) {
      seen(order, 'hv1', ++level);
      seen(order, 'hv2', level + 0.5);
      for (const [target, vif, , inUse, , left] of rows() ?? []) {
        if (!order.includes(String(vif))) continue;
        const wanted = target === 'hv1' ? level : level + 0.5;
        expect([target, vif, inUse, left]).toEqual([target, vif, wanted, wanted]);
      }
    }
    expect(rows()).toHaveLength(12);
    expect(clock.timers).toBe(0);
  });

  it('does not say for ever how many rows a machine had that is measured no more', async () => {
    const { see, board: made, clock } = board(1);
    see([point(use, { vif: 'a' }, 0.1, {}, 'hv2'), point(use, { vif: 'b' }, 0.2, {}, 'hv2')], { target: 'hv2' });
    expect(made.tables().tables[0]).toMatchObject({ omitted: 1 });
    for (let at = 0; at < 4; at++) {
      await clock.advance(10_000);
      see([point(use, { vif: 'c' }, 0.9)]);
    }
    expect(made.tables().tables[0]).toMatchObject({ rows: 1 });
    expect(made.tables().tables[0]).not.toHaveProperty('omitted');
  });

  it('goes on over a reload that has left it as it is, and is forgotten where its collector is gone', () => {
    const { gauges, rows, board: made } = board();
    gauges({ vif1: 1 });
    made.use([collectorOf(vifs)]);
    expect(rows()).toHaveLength(1);
    made.use([collectorOf({ ...vifs })]);
    expect(rows()).toHaveLength(0);
    made.use([]);
    expect(made.tables().tables).toEqual([]);
    gauges({ vif1: 1 });
    expect(rows()).toBeUndefined();
  });
});

describe('the order of rows', () => {
  const filled = () => {
    const all = board();
    const row = (vif: string, inUse: number | undefined, left: number | undefined, vm?: string): Point[] => [
      point(use, { vif, vm }, inUse),
      point(spare, { vif, vm }, left),
    ];
    all.see([
      ...row('c', 0.5, 9, 'db'),
      ...row('a', 0.9, 5),
      ...row('b', undefined, 1, 'Web'),
      ...row('d', 0.5, undefined),
    ]);
    return (question: object) => all.rows(question)?.map(([, vif]) => vif);
  };

  it('has the worst above: the largest, or with `below` the least; unknown last; alike in their order', () => {
    const order = filled();
    expect(order({})).toEqual(['a', 'c', 'd', 'b']);
    expect(order({ order: 'best' })).toEqual(['c', 'd', 'a', 'b']);
    expect(order({ sort: 'spare' })).toEqual(['b', 'a', 'c', 'd']);
    expect(order({ sort: 'spare', order: 'best' })).toEqual(['c', 'a', 'b', 'd']);
  });

  it('may be that of a label, a tag or the target', () => {
    const order = filled();
    expect(order({ sort: 'vif' })).toEqual(['a', 'b', 'c', 'd']);
    expect(order({ sort: 'vif', order: 'best' })).toEqual(['d', 'c', 'b', 'a']);
    expect(order({ sort: 'vm' })).toEqual(['b', 'c', 'a', 'd']);
    expect(order({ sort: 'target' })).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is of those that fit: in target, labels and tags, in any case, the first so many', () => {
    const order = filled();
    expect(order({ filter: 'WEB' })).toEqual(['b']);
    expect(order({ filter: 'hv1' })).toHaveLength(4);
    expect(order({ filter: 'nothing' })).toEqual([]);
    expect(order({ limit: 2 })).toEqual(['a', 'c']);
  });

  it('by a column that there is not names those that there are', () => {
    const fault = (question: object) => {
      try {
        filled()(question);
      } catch (thrown) {
        return `${(thrown as Failure).code}: ${(thrown as Failure).message}`;
      }
      return undefined;
    };
    expect(fault({ sort: 'usee' })).toBe('E_CONFIG: sort: the table vifs has no column "usee"; did you mean "use"?');
    expect(fault({ sort: 'x\n\u001b[2J' })).toBe(
      'E_CONFIG: sort: the table vifs has no column "x\\u000a\\u001b[2J"; expected one of use, sent, spare, vif, vm, target',
    );
  });

  it('is worked out once until something was seen: with 5,000 rows an answer again costs next to nothing', () => {
    const { see, board: made } = board();
    const all = (): Point[] =>
      Array.from({ length: 5000 }, (_, index) => point(use, { vif: `vif${index}` }, (index * 7919) % 5000));
    see(all());
    const ask = () => made.table('vifs', { filter: 'vif', limit: 50 })?.entries;
    const first = ask();
    expect(ask()).toBe(first);
    const beganMs = performance.now();
    for (let time = 0; time < 200; time++) ask();
    // Once is 0.01 ms; the bound is for a machine that has much else to do.
    expect((performance.now() - beganMs) / 200).toBeLessThan(1);
    see(all());
    expect(ask()).not.toBe(first);
    expect(ask()).toEqual(first);
  });
});

describe('the routes', () => {
  const told = (query: string) => questionOf(new URLSearchParams(query));
  it('read a question, and name what is wrong in one', () => {
    expect(told('sort=use&order=best&filter=x&target=hv1&limit=50')).toEqual({
      ...{ sort: 'use', order: 'best', filter: 'x', target: 'hv1', limit: 50 },
    });
    expect(told('')).toEqual({});
    expect(() => told('limit=0')).toThrow('limit: found "0"; expected a whole number from 1 to 999999');
    expect(() => told('limit=1e3')).toThrow('limit: found "1e3"');
    expect(() => told('order=up')).toThrow('order: found "up"; expected worst or best');
    expect(() => told('sorted=use')).toThrow('unknown parameter "sorted"; expected one of sort, order');
    expect(() => told(`filter=${'x'.repeat(201)}`)).toThrow('filter: expected at most 200 characters');
  });

  it('give a table as the board has it', () => {
    const { board: made, gauges } = board();
    gauges({ vif1: 0.5, 'b"\u001b\\': 0.1 });
    const routes = statusRoutes(() => ({ format: 1 }) as never, made);
    const answer = routes.get('/tables/')?.(new URLSearchParams('limit=1'), 'vifs');
    expect(JSON.parse(String(answer?.body))).toEqual(made.table('vifs', { limit: 1 }));
    expect(routes.get('/tables/')?.(new URLSearchParams(), 'vif')).toMatchObject({
      status: 404,
      body: '{"error":"there is no table \\"vif\\"; expected one of vifs"}\n',
    });
  });
});
