/** A queue without counts: of one that never had any nothing has happened yet; of another it is not known any more. */
import type { Counts, QueueRecord } from './record.ts';
import { queueKey } from './stuck.ts';

const NOTHING_YET: Counts = {
  ...{ published: 0, delivered: 0, acked: 0, redelivered: 0, got: 0, settled: 0 },
  ...{ returned: undefined, confirmed: undefined },
};

export interface Counted {
  /**
   * The queue with counts of 0 where it has none, the broker counts messages, and it never had any since edgestatd
   * watches. (The management plugin has no `message_stats` until the first message.) A broker that is started again
   * forgets what it counted: then they are unknown until the next message.
   */
  fill(queue: QueueRecord, countsMessages: boolean | undefined): QueueRecord;
  /** Forgets all others. */
  retain(keys: ReadonlySet<string>): void;
}

export function createCounted(): Counted {
  const hadCounts = new Set<string>();
  return {
    fill(queue, countsMessages) {
      const key = queueKey(queue);
      if (queue.counts !== undefined) {
        hadCounts.add(key);
        return queue;
      }
      // One that lacks its depth too was just declared, or is on a node that does not answer.
      if (countsMessages !== true || queue.messages === undefined || hadCounts.has(key)) return queue;
      return { ...queue, counts: NOTHING_YET };
    },
    retain(keys) {
      for (const key of hadCounts) if (!keys.has(key)) hadCounts.delete(key);
    },
  };
}
