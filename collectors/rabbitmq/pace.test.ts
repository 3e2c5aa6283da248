import { describe, expect, test } from 'vitest';
import { createPace } from './pace.ts';

const INTERVAL = 30_000;

/** The numbers of the runs, of so many, in which it was done, if it takes so long each time. */
function runsOf(share: number, tookMs: number, runs: number, jitterMs: (run: number) => number = () => 0): number[] {
  const pace = createPace(share);
  const done: number[] = [];
  for (let run = 0; run < runs; run++) {
    const readAtMs = run * INTERVAL + jitterMs(run);
    if (!pace.isDue(readAtMs, INTERVAL)) continue;
    pace.tried(readAtMs, tookMs);
    done.push(run);
  }
  return done;
}

describe('a share of 1 % of runs every 30 s', () => {
  test.each([
    ['0 ms: in each run', 0, [0, 1, 2, 3, 4, 5, 6]],
    ['300 ms: in each run', 300, [0, 1, 2, 3, 4, 5, 6]],
    ['301 ms: in every second', 301, [0, 2, 4, 6]],
    ['900 ms: in every third', 900, [0, 3, 6]],
  ])('what takes %s', (_, tookMs, runs) => {
    expect(runsOf(0.01, tookMs, 7)).toEqual(runs);
  });

  test('what takes minutes is still tried every thirtieth run', () => {
    expect(runsOf(0.01, 600_000, 61)).toEqual([0, 30, 60]);
  });

  test('runs that come a little early or late change nothing', () => {
    expect(runsOf(0.01, 900, 7, (run) => (run % 2 === 0 ? 400 : -400))).toEqual([0, 3, 6]);
  });
});

test('without an interval it is always due', () => {
  const pace = createPace(0.01);
  pace.tried(0, 60_000);
  expect(pace.isDue(1, undefined)).toBe(true);
});

test('it is faster again once the broker is', () => {
  const pace = createPace(0.01);
  pace.tried(0, 900);
  expect([1, 2, 3].map((run) => pace.isDue(run * INTERVAL, INTERVAL))).toEqual([false, false, true]);
  pace.tried(3 * INTERVAL, 10);
  expect(pace.isDue(4 * INTERVAL, INTERVAL)).toBe(true);
});

test('the age is of what was done, and not of what was tried', () => {
  const pace = createPace(0.01);
  expect(pace.ageSeconds(5000)).toBeUndefined();
  pace.tried(0, 10);
  // One that never succeeds is as old as its first try.
  expect(pace.ageSeconds(5000)).toBe(5);
  pace.done(5000);
  pace.tried(10_000, 10);
  expect(pace.ageSeconds(12_000)).toBe(7);
});
