/** Which queues are stuck: messages ready, and for longer than a span nobody listens or nothing is acknowledged. */
import type { QueueName, QueueRecord } from './record.ts';

export type StuckReason = 'no_consumer' | 'not_acked';

export interface Verdict {
  readonly stuck: boolean;
  readonly reason: StuckReason | undefined;
}

interface Watched {
  settled: number | undefined;
  /** Since when messages are ready and there is no consumer; undefined: it is not so. */
  unconsumedSinceMs: number | undefined;
  /** Since when messages are ready and nothing was settled. */
  unsettledSinceMs: number | undefined;
  stuck: boolean;
}

export interface StuckWatch {
  /** Undefined: it cannot be told, since the source lacks what it takes. Times are monotonic. */
  look(queue: QueueRecord, readAtMs: number): Verdict | undefined;
  isStuck(queue: QueueName): boolean;
  isKnown(queue: QueueName): boolean;
  /** Forgets all others. */
  retain(queues: readonly QueueName[]): void;
}

export const queueKey = ({ vhost, name }: QueueName): string => JSON.stringify([vhost, name]);

export function createStuckWatch(afterMs: number): StuckWatch {
  let watched = new Map<string, Watched>();

  const watchedOf = (key: string): Watched => {
    let one = watched.get(key);
    if (one === undefined) {
      one = { settled: undefined, unconsumedSinceMs: undefined, unsettledSinceMs: undefined, stuck: false };
      watched.set(key, one);
    }
    return one;
  };

  return {
    look(queue, readAtMs) {
      const one = watchedOf(queueKey(queue));
      const { ready, consumers, counts, type } = queue;
      const settled = counts?.settled;
      // A stream keeps its messages, whoever has read them.
      if (ready === undefined || type === 'stream') return undefined;
      const moved = settled === undefined || settled !== one.settled;
      one.settled = settled;
      if (ready === 0) {
        Object.assign(one, { unconsumedSinceMs: undefined, unsettledSinceMs: undefined, stuck: false });
        return { stuck: false, reason: undefined };
      }
      if (consumers !== undefined)
        one.unconsumedSinceMs = consumers > 0 ? undefined : (one.unconsumedSinceMs ?? readAtMs);
      one.unsettledSinceMs = moved ? readAtMs : (one.unsettledSinceMs ?? readAtMs);

      const isLong = (sinceMs: number | undefined): boolean => sinceMs !== undefined && readAtMs - sinceMs >= afterMs;
      const reason = isLong(one.unconsumedSinceMs)
        ? 'no_consumer'
        : settled !== undefined && isLong(one.unsettledSinceMs)
          ? 'not_acked'
          : undefined;
      one.stuck = reason !== undefined;
      // With consumers, and without a word of what they acknowledge, nobody knows.
      if (reason === undefined && settled === undefined && consumers !== 0) return undefined;
      return { stuck: one.stuck, reason };
    },
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
