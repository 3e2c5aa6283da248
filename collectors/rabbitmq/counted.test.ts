import { expect, test } from 'vitest';
import { createCounted } from './counted.ts';
import type { Counts, QueueRecord } from './record.ts';
import { queueKey } from './stuck.ts';

const counts: Counts = {
  ...{ published: 7, delivered: 6, acked: 5, redelivered: 0, got: 0, settled: 5, returned: undefined },
  confirmed: undefined,
};
const queue = (more: Partial<QueueRecord> = {}): QueueRecord => ({
  ...{ vhost: '/', name: 'compute.hv01', messages: 0, ready: 0, unacked: 0, consumers: 1, memoryBytes: undefined },
  ...{ consumerUtilisation: undefined, state: undefined, type: undefined, leader: undefined, counts: undefined },
  ...more,
});

test('nothing has happened yet in a queue that never had counts', () => {
  expect(createCounted().fill(queue(), true).counts).toEqual({
    ...{ published: 0, delivered: 0, acked: 0, redelivered: 0, got: 0, settled: 0 },
    ...{ returned: undefined, confirmed: undefined },
  });
});

test('counts that are there stay as they are', () => {
  expect(createCounted().fill(queue({ counts }), true).counts).toBe(counts);
});

test.each([
  ['the broker does not count', queue(), false],
  ['it is not known whether the broker counts', queue(), undefined],
  ['the depth is unknown too: just declared, or on a node that is down', queue({ messages: undefined }), true],
])('no 0 is invented where %s', (_, one, countsMessages) => {
  expect(createCounted().fill(one, countsMessages).counts).toBeUndefined();
});

test('counts that were there and are gone are unknown: the broker was started again', () => {
  const counted = createCounted();
  counted.fill(queue({ counts }), true);
  expect(counted.fill(queue(), true).counts).toBeUndefined();
  // The same name in another vhost is another queue.
  expect(counted.fill(queue({ vhost: 'nova' }), true).counts?.published).toBe(0);
});

test('a queue that was deleted and comes again begins at 0, and one that stayed does not', () => {
  const counted = createCounted();
  for (const name of ['a', 'b']) counted.fill(queue({ name, counts }), true);
  counted.retain(new Set([queueKey(queue({ name: 'b' }))]));
  expect(counted.fill(queue({ name: 'a' }), true).counts?.published).toBe(0);
  expect(counted.fill(queue({ name: 'b' }), true).counts).toBeUndefined();
});
