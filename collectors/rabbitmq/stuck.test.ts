import { describe, expect, test } from 'vitest';
import type { Counts, QueueRecord } from './record.ts';
import { createStuckWatch } from './stuck.ts';

const AFTER = 60_000;
const none = {
  ...{ published: 0, delivered: 0, acked: 0, redelivered: 0, got: 0, returned: undefined, confirmed: undefined },
} as const;
const settled = (count: number | undefined): Counts => ({ ...none, settled: count });

/** A queue with ten messages ready, a consumer and something acknowledged, unless said otherwise. */
const queue = (more: Partial<QueueRecord> = {}): QueueRecord => ({
  ...{ vhost: '/', name: 'compute.hv01', messages: 10, ready: 10, unacked: 0, consumers: 1, memoryBytes: undefined },
  ...{ consumerUtilisation: undefined, state: undefined, type: undefined, leader: undefined, counts: settled(5) },
  ...more,
});
const fine = { stuck: false, reason: undefined };

describe('a queue with messages ready is stuck', () => {
  test.each([
    ['no_consumer', { consumers: 0 }],
    ['not_acked', { consumers: 1 }],
    ['not_acked', { consumers: undefined }],
    ['no_consumer', { consumers: 0, counts: undefined }],
  ] as const)('%s: %o, from exactly stuckAfter on', (reason, state) => {
    const watch = createStuckWatch(AFTER);
    watch.look(queue(state), 1000);
    expect(watch.look(queue(state), 1000 + AFTER - 1)?.stuck).toBe(false);
    expect(watch.isStuck(queue())).toBe(false);
    expect(watch.look(queue(state), 1000 + AFTER)).toEqual({ stuck: true, reason });
    expect(watch.isStuck(queue())).toBe(true);
  });

  test('no_consumer is told before not_acked, where both are so', () => {
    const watch = createStuckWatch(AFTER);
    watch.look(queue({ consumers: 0 }), 0);
    expect(watch.look(queue({ consumers: 0 }), AFTER)).toEqual({ stuck: true, reason: 'no_consumer' });
    // A consumer has come, and acknowledges nothing: that has lasted as long.
    expect(watch.look(queue({ consumers: 1 }), AFTER + 1000)).toEqual({ stuck: true, reason: 'not_acked' });
  });

  test('a consumer that was there for a moment begins no_consumer again', () => {
    const watch = createStuckWatch(AFTER);
    const [with0, with1] = [queue({ consumers: 0, counts: undefined }), queue({ consumers: 1, counts: undefined })];
    watch.look(with0, 0);
    watch.look(with1, 50_000);
    watch.look(with0, 55_000);
    expect(watch.look(with0, AFTER + 54_999)).toEqual(fine);
    expect(watch.look(with0, AFTER + 55_000)).toEqual({ stuck: true, reason: 'no_consumer' });
  });

  test('and another is not: each is watched for itself, also of one name in two vhosts', () => {
    const watch = createStuckWatch(AFTER);
    for (const atMs of [0, AFTER]) {
      watch.look(queue({ consumers: 0 }), atMs);
      expect(watch.look(queue({ vhost: 'nova', counts: settled(atMs) }), atMs)).toEqual(fine);
    }
    expect([watch.isStuck(queue()), watch.isStuck(queue({ vhost: 'nova' }))]).toEqual([true, false]);
  });
});

describe('it is not, or not any more', () => {
  const stuck = () => {
    const watch = createStuckWatch(AFTER);
    watch.look(queue(), 0);
    expect(watch.look(queue(), AFTER)?.stuck).toBe(true);
    return watch;
  };

  test('once something was settled', () => {
    expect(stuck().look(queue({ counts: settled(6) }), AFTER + 1)).toEqual(fine);
  });

  test('once nothing is ready, and counting begins again then', () => {
    const watch = stuck();
    expect(watch.look(queue({ ready: 0 }), AFTER + 1)).toEqual(fine);
    expect(watch.isStuck(queue())).toBe(false);
    expect(watch.look(queue(), AFTER + 2)).toEqual(fine);
    expect(watch.look(queue(), 2 * AFTER + 2)).toEqual({ stuck: true, reason: 'not_acked' });
  });

  test('once what is settled falls: the queue or its node was started again', () => {
    expect(stuck().look(queue({ counts: settled(0) }), AFTER + 1)).toEqual(fine);
  });

  test('while consumers need not acknowledge: what is handed to them is settled', () => {
    const watch = createStuckWatch(AFTER);
    const autoAck = (count: number): QueueRecord => queue({ counts: { ...none, acked: 0, settled: count } });
    watch.look(autoAck(1), 0);
    expect(watch.look(autoAck(2), AFTER)).toEqual(fine);
    expect(watch.look(autoAck(2), 2 * AFTER)).toEqual({ stuck: true, reason: 'not_acked' });
  });

  test('while all that is there is delivered and nothing is ready', () => {
    const watch = createStuckWatch(AFTER);
    const busy = queue({ messages: 10, ready: 0, unacked: 10 });
    watch.look(busy, 0);
    expect(watch.look(busy, AFTER)).toEqual(fine);
  });
});

describe('it cannot be told', () => {
  test.each([
    ['how many are ready', { ready: undefined, consumers: 0 }],
    ['what is acknowledged, while there are consumers', { counts: undefined }],
    ['what is acknowledged, nor whether there are consumers', { counts: undefined, consumers: undefined }],
    ['what is settled of the counts', { counts: settled(undefined) }],
  ])('without knowing %s', (_, state) => {
    const watch = createStuckWatch(AFTER);
    watch.look(queue(state), 0);
    expect(watch.look(queue(state), 2 * AFTER)).toBeUndefined();
    expect(watch.isStuck(queue())).toBe(false);
  });

  test('of a stream, which keeps its messages, whoever has read them', () => {
    const watch = createStuckWatch(AFTER);
    for (const consumers of [0, 1]) {
      watch.look(queue({ type: 'stream', consumers }), 0);
      expect(watch.look(queue({ type: 'stream', consumers }), 2 * AFTER)).toBeUndefined();
    }
    expect(watch.isStuck(queue())).toBe(false);
  });

  test('a reading without the depth ends nothing: what was stuck still is, once it is known again', () => {
    const watch = createStuckWatch(AFTER);
    watch.look(queue({ consumers: 0 }), 0);
    expect(watch.look(queue({ ready: undefined }), 30_000)).toBeUndefined();
    expect(watch.look(queue({ consumers: 0 }), AFTER)).toEqual({ stuck: true, reason: 'no_consumer' });
  });

  test('a reading without counts begins not_acked again, since nothing was seen meanwhile', () => {
    const watch = createStuckWatch(AFTER);
    watch.look(queue(), 0);
    watch.look(queue({ counts: undefined }), 30_000);
    expect(watch.look(queue(), AFTER)).toEqual(fine);
    expect(watch.look(queue(), 2 * AFTER)).toEqual({ stuck: true, reason: 'not_acked' });
  });
});

test('what is forgotten begins again, and what is retained goes on', () => {
  const watch = createStuckWatch(AFTER);
  const [one, other] = [queue({ name: 'one' }), queue({ name: 'other' })];
  for (const each of [one, other]) watch.look(each, 0);
  watch.retain([one]);
  expect([watch.isKnown(one), watch.isKnown(other)]).toEqual([true, false]);
  expect(watch.look(one, AFTER)?.stuck).toBe(true);
  expect(watch.look(other, AFTER)?.stuck).toBe(false);
});

describe('not_acked', () => {
  const counted = (count: number, countedAtMs: number): QueueRecord =>
    queue({ counts: { ...settled(count), countedAtMs } });

  test('needs that the broker has counted for so long: what it has not counted yet may be acknowledged', () => {
    const watch = createStuckWatch(2000);
    // The broker counts every five seconds, and is asked every two.
    const seen = [0, 2, 4, 6, 8, 10, 12].map((second) => {
      const slot = Math.floor(second / 5);
      return watch.look(counted(slot, 1_000_000 + slot * 5000), second * 1000)?.stuck;
    });
    expect(seen).toEqual(seen.map(() => false));
    expect(watch.look(counted(2, 1_015_000), 15_000)).toEqual({ stuck: true, reason: 'not_acked' });
  });

  test('of a queue without counts, in a broker that counts, nothing is settled yet', () => {
    const watch = createStuckWatch(AFTER);
    watch.look(queue({ counts: undefined }), 0, true);
    expect(watch.look(queue({ counts: undefined }), AFTER, true)).toEqual({ stuck: true, reason: 'not_acked' });
  });
});

test('a queue that is gone takes nothing along: one of its name is another', () => {
  const watch = createStuckWatch(AFTER);
  watch.look(queue({ consumers: 0 }), 0);
  watch.forget(queue());
  expect(watch.look(queue({ consumers: 0 }), 2 * AFTER)).toEqual(fine);
});
