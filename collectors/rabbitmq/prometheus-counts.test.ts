import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createQueueTotals, EVENT_INDEX, EVENTS, type EventRow } from './prometheus-counts.ts';

const row = (published: number): EventRow => {
  const values = new Float64Array(EVENTS.length);
  values[EVENT_INDEX.published] = published;
  return { queue: 'q', values };
};
const of = (total: Float64Array | undefined): number | undefined => total?.[EVENT_INDEX.published];

test('a total never falls, whatever opens, closes and restarts', () => {
  const reading = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.nat(1000));
  const run = fc.dictionary(fc.constantFrom('n1', 'n2'), reading);
  fc.assert(
    fc.property(fc.array(run, { maxLength: 20 }), (runs) => {
      const totals = createQueueTotals();
      let last = 0;
      for (const nodes of runs) {
        const rowsOf = (channels: Record<string, number>) =>
          new Map(Object.entries(channels).map(([channel, value]) => [channel, row(value)]));
        totals.add(new Map(Object.entries(nodes).map(([node, channels]) => [node, rowsOf(channels)])));
        const now = of(totals.of('q')) ?? 0;
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
      }
    }),
  );
});

test('a node that says nothing for a run goes on where it was', () => {
  const totals = createQueueTotals();
  totals.add(
    new Map([
      ['n1', new Map([['a', row(10)]])],
      ['n2', new Map([['b', row(5)]])],
    ]),
  );
  totals.add(new Map([['n1', new Map([['a', row(11)]])]]));
  totals.add(
    new Map([
      ['n1', new Map([['a', row(11)]])],
      ['n2', new Map([['b', row(7)]])],
    ]),
  );
  expect(of(totals.of('q'))).toBe(18);
});

test('forgets a queue that is listed no more, but not while it has a row', () => {
  const totals = createQueueTotals();
  totals.add(new Map([['n1', new Map([['a', row(10)]])]]));
  totals.retain(() => false);
  expect(of(totals.of('q'))).toBe(10);
  totals.add(new Map([['n1', new Map()]]));
  totals.retain(() => false);
  expect([totals.of('q'), totals.size]).toEqual([undefined, 0]);
});
