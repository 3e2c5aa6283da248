import { expect, it } from 'vitest';
import { refusalsAt } from './refusals.ts';

const INTERVAL_MS = 30_000;

it('a vhost that was refused is asked for again after ten runs, and any other at once', () => {
  const since = new Map<string, number>();
  refusalsAt(since, 0, INTERVAL_MS).add('nova');
  const isStanding = (run: number, vhost = 'nova') =>
    refusalsAt(since, run * INTERVAL_MS, INTERVAL_MS).isStanding(vhost);
  expect([1, 5, 9, 10, 11].map((run) => isStanding(run))).toEqual([true, true, true, false, false]);
  expect(isStanding(1, '/')).toBe(false);
});

it('one that was let in is forgotten, and outside of a schedule nothing is left out', () => {
  const since = new Map<string, number>();
  refusalsAt(since, 0, INTERVAL_MS).add('nova');
  expect(refusalsAt(since, 1, undefined).isStanding('nova')).toBe(false);
  refusalsAt(since, INTERVAL_MS, INTERVAL_MS).remove('nova');
  expect(refusalsAt(since, INTERVAL_MS, INTERVAL_MS).isStanding('nova')).toBe(false);
});
