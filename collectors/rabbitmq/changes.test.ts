import { expect, test } from 'vitest';
import { CHANGES, createChanges } from './changes.ts';

test('every change is counted from the beginning on, with 0', () => {
  expect(createChanges().counts()).toEqual(new Map(CHANGES.map((change) => [change, 0])));
});

test('what is first seen has not changed', () => {
  const changes = createChanges();
  expect(changes.see('node_down', 'node_up', 'rabbit@broker1', true)).toBeUndefined();
  expect(changes.counts().get('node_down')).toBe(0);
});

test('each change is counted once, by its kind and direction', () => {
  const changes = createChanges();
  const seen = [false, true, true, false, true].map((now) => changes.see('node_down', 'node_up', 'n1', now)?.change);
  expect(seen).toEqual([undefined, 'node_down', undefined, 'node_up', 'node_down']);
  expect([changes.counts().get('node_down'), changes.counts().get('node_up')]).toEqual([2, 1]);
  expect(changes.counts().get('healed')).toBe(0);
});

test('what is unknown in a run has not changed, and is compared with when it was known last', () => {
  const changes = createChanges();
  const see = (now: boolean | undefined) => changes.see('alarm_raised', 'alarm_cleared', 'broker', now)?.change;
  expect([false, undefined, false, undefined, true].map(see)).toEqual([
    ...[undefined, undefined, undefined, undefined],
    'alarm_raised',
  ]);
});

test('things are apart, and one thing’s kinds of change are', () => {
  const changes = createChanges();
  changes.see('node_down', 'node_up', 'n1', false);
  expect(changes.see('node_down', 'node_up', 'n2', true)).toBeUndefined();
  expect(changes.see('partitioned', 'healed', 'n1', true)).toBeUndefined();
  expect(changes.see('node_down', 'node_up', 'n1', true)).toEqual({ change: 'node_down', of: 'n1' });
});

test('a queue that was deleted while stuck and comes again is new, and what was counted stays', () => {
  const changes = createChanges();
  const see = (of: string, now: boolean) => changes.see('queue_stuck', 'queue_unstuck', of, now)?.change;
  for (const queue of ['a', 'b']) see(queue, false);
  for (const queue of ['a', 'b']) see(queue, true);
  changes.retain('queue_stuck', new Set(['b']));
  expect([see('a', false), see('b', false)]).toEqual([undefined, 'queue_unstuck']);
  expect([changes.counts().get('queue_stuck'), changes.counts().get('queue_unstuck')]).toEqual([2, 1]);
});
