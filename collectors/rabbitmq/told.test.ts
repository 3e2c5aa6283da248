import { expect, test } from 'vitest';
import type { QueueRecord } from './record.ts';
import { createTold } from './told.ts';

const counts = {
  ...{ published: 1, delivered: 1, acked: 1, redelivered: 0, got: 0, settled: 1 },
  ...{ returned: undefined, confirmed: undefined },
};
const whole: QueueRecord = {
  ...{ vhost: '/', name: 'a', messages: 1, ready: 1, unacked: 0, consumers: 1, counts, state: 'running' },
  ...{ consumerUtilisation: 1, memoryBytes: 1, type: 'classic', leader: 'rabbit@broker1' },
};
const numbers = { scope: 'queue', vhost: '/', queue: 'a', state: undefined, type: undefined, node: undefined };

test('of a queue that tells all nothing is missing, and what a source never tells is not missed', () => {
  expect(createTold().missing(whole)).toEqual([]);
  const told = createTold();
  const bare = { ...whole, consumers: undefined, counts: undefined, state: undefined };
  expect([told.missing(bare), told.missing(bare)]).toEqual([[], []]);
});

test.each([
  ['messages', numbers],
  ['consumers', numbers],
  ['counts', numbers],
  ['state', { scope: 'queue', vhost: '/', queue: 'a' }],
])('%s that was told before and is not now leaves the queue unknown, until it is told again', (field, scope) => {
  const told = createTold();
  told.missing(whole);
  expect(told.missing({ ...whole, [field]: undefined })).toEqual([scope]);
  expect(told.missing(whole)).toEqual([]);
});

test('a queue that was forgotten has told nothing', () => {
  const told = createTold();
  told.missing(whole);
  told.retain([]);
  expect(told.missing({ ...whole, counts: undefined })).toEqual([]);
});

test('a queue without counts has counted nothing, once it is known that long, and never if it had counts', () => {
  const told = createTold();
  const idle = { ...whole, counts: undefined };
  const published = (readAtMs: number, one: QueueRecord = idle, isWhole = true) =>
    told.filled(one, readAtMs, isWhole).counts?.published;
  expect([0, 5000, 9999, 10_000].map((readAtMs) => published(readAtMs))).toEqual([undefined, undefined, undefined, 0]);
  // A reading without a node's statistics says nothing, and neither does one without the depth.
  expect(published(20_000, idle, false)).toBeUndefined();
  expect([published(21_000), published(31_000)]).toEqual([undefined, 0]);
  expect(published(32_000, { ...idle, messages: undefined })).toBeUndefined();
  told.missing(whole);
  expect([published(40_000, whole), published(50_000), published(90_000)]).toEqual([1, undefined, undefined]);
});
