import { expect, test } from 'vitest';
import { createHeights } from './heights.ts';
import type { Counts } from './record.ts';

const counts = (published: number, acked = published): Counts => ({
  ...{ published, delivered: acked, acked, redelivered: 0, got: 0, settled: acked },
  ...{ returned: undefined, confirmed: undefined },
});
const generations = (...all: readonly Counts[]): number[] => {
  const heights = createHeights();
  return all.map((one) => heights.generation('q', one));
};

test('totals that grow, and those that begin again, are counted on', () => {
  expect(generations(counts(10), counts(20), counts(30))).toEqual([0, 0, 0]);
  expect(generations(counts(1000), counts(3), counts(5))).toEqual([0, 0, 0]);
});

test('one that is back where it fell from begins anew, whichever it is', () => {
  expect(generations(counts(3000), counts(2000), counts(3002), counts(3003))).toEqual([0, 0, 1, 1]);
  expect(generations(counts(3000), counts(3001, 0), counts(3002, 3001))).toEqual([0, 0, 1]);
});

test('one that stayed low for some readings has begun again by itself', () => {
  const low = [100, 200, 300, 400, 500, 600].map((total) => counts(total));
  expect(generations(counts(1000), ...low, counts(1500)).at(-1)).toBe(0);
});

test('what is not told has not fallen', () => {
  const heights = createHeights();
  expect([counts(5), undefined, counts(6)].map((one) => heights.generation('q', one))).toEqual([0, 0, 0]);
});
