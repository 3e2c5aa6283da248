/** Which queues are stuck: messages ready, and for longer than a span nobody listens or nothing is acknowledged. */
import { type QueueName, type QueueRecord, queueKey } from './record.ts';

export type StuckReason = 'no_consumer' | 'not_acked';

export interface Verdict {
  readonly stuck: boolean;
  readonly reason: StuckReason | undefined;
}

interface Watched {
  settled: number | undefined;
  /** Since when messages are ready and there is no consumer; undefined: it is not so. */
  unconsumedSinceMs: number | undefined;
  /** Since when messages are ready and nothing was settled: by our clock, and by that of the broker, where it tells. */
  unsettledSinceMs: number | undefined;
  unsettledSinceCountedMs: number | undefined;
  stuck: boolean;
}

export interface StuckWatch {
  /** Undefined: it cannot be told, since the source lacks what it takes. Times are monotonic. */
  look(queue: QueueRecord, readAtMs: number, countsMessages?: boolean): Verdict | undefined;
  isStuck(queue: QueueName): boolean;
  isKnown(queue: QueueName): boolean;
  /** It is gone: one of that name is another. */
  forget(queue: QueueName): void;
  /** Forgets all others. */
  retain(queues: readonly QueueName[]): void;
}

const notWaiting = {
  unconsumedSinceMs: undefined,
  unsettledSinceMs: undefined,
  unsettledSinceCountedMs: undefined,
};

export function createStuckWatch(afterMs: number): StuckWatch {
  let watched = new Map<string, Watched>();

  const watchedOf = (key: string): Watched => {
    const one = watched.get(key) ?? { settled: undefined, stuck: false, ...notWaiting };
    watched.set(key, one);
    return one;
  };

  const isLong = (sinceMs: number | undefined, nowMs: number): boolean =>
    sinceMs !== undefined && nowMs - sinceMs >= afterMs;

  /** `countedAtMs`: null where the broker does not tell, undefined where nothing is known of what is settled. */
  const reasonOf = (
    one: Watched,
    readAtMs: number,
    countedAtMs: number | null | undefined,
  ): StuckReason | undefined => {
    if (isLong(one.unconsumedSinceMs, readAtMs)) return 'no_consumer';
    if (countedAtMs === undefined || !isLong(one.unsettledSinceMs, readAtMs)) return undefined;
    // What the broker has not counted yet may have been settled all the same.
    const { unsettledSinceCountedMs: since } = one;
    return countedAtMs === null || since === undefined || isLong(since, countedAtMs) ? 'not_acked' : undefined;
  };

  return {
    look(queue, readAtMs, countsMessages) {
      const one = watchedOf(queueKey(queue));
      const { ready, consumers, counts, type } = queue;
      // A stream keeps its messages, whoever has read them.
      if (ready === undefined || type === 'stream') return undefined;
      // Of a queue without counts in a broker that counts nothing has been settled yet.
      const settled = counts?.settled ?? (countsMessages === true ? 0 : undefined);
      const moved = settled === undefined || settled !== one.settled;
      one.settled = settled;
      if (ready === 0) {
        Object.assign(one, { stuck: false, ...notWaiting });
        return { stuck: false, reason: undefined };
      }
      if (consumers !== undefined)
        one.unconsumedSinceMs = consumers > 0 ? undefined : (one.unconsumedSinceMs ?? readAtMs);
      if (moved || one.unsettledSinceMs === undefined) {
        one.unsettledSinceMs = readAtMs;
        one.unsettledSinceCountedMs = counts?.countedAtMs;
      }
      const reason = reasonOf(one, readAtMs, settled === undefined ? undefined : (counts?.countedAtMs ?? null));
      one.stuck = reason !== undefined;
      // With consumers, and without a word of what they acknowledge, nobody knows.
      if (reason === undefined && settled === undefined && consumers !== 0) return undefined;
      return { stuck: one.stuck, reason };
    },
    forget: (queue) => watched.delete(queueKey(queue)),
    isStuck: (queue) => watched.get(queueKey(queue))?.stuck === true,
    isKnown: (queue) => watched.has(queueKey(queue)),
    retain(queues) {
      const before = watched;
      watched = new Map();
      for (const queue of queues) {
        const key = queueKey(queue);
        const one = before.get(key);
        if (one !== undefined) watched.set(key, one);
      }
    },
  };
}
