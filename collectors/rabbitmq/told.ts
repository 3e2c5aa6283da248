/** What was told of a queue before, so that what is missing now is known to be unknown, and not gone. */
import type { Scope } from './kept.ts';
import type { Counts, QueueName, QueueRecord } from './record.ts';
import { queueKey } from './stuck.ts';

export interface Told {
  /**
   * The series of the queue that are unknown in this run: while the broker gathers its statistics, just after it was
   * declared, or while its node is away, a queue lacks its depth, its consumers, its counts or its state.
   */
  missing(queue: QueueRecord): readonly Scope[];
  /**
   * The queue with counts of 0, if it has never had any while edgestatd watched, and has had none for some seconds in a
   * broker that counts: nothing has happened to it yet. (The management plugin has no `message_stats` until then.)
   * `isWhole`: all nodes tell their statistics. Times are monotonic.
   */
  filled(queue: QueueRecord, readAtMs: number, isWhole: boolean): QueueRecord;
  /** Forgets all others. */
  retain(queues: readonly QueueName[]): void;
}

/** Series of a queue that have no label but its name: all but its state, type and leader. */
const numbers = { state: undefined, type: undefined, node: undefined };

/** Twice as long as a broker usually takes to count: what it has counted by then it tells. */
const SETTLED_MS = 10_000;

const NOTHING_YET: Counts = {
  ...{ published: 0, delivered: 0, acked: 0, redelivered: 0, got: 0, settled: 0 },
  ...{ returned: undefined, confirmed: undefined },
};

interface Known {
  consumers: boolean;
  counts: boolean;
  state: boolean;
  /** Since when it is seen with its depth, and without any counts. */
  countlessSinceMs: number | undefined;
}

export function createTold(): Told {
  let before = new Map<string, Known>();
  const knownOf = (queue: QueueRecord): Known => {
    const key = queueKey(queue);
    const known = before.get(key) ?? { consumers: false, counts: false, state: false, countlessSinceMs: undefined };
    before.set(key, known);
    return known;
  };
  return {
    missing(queue) {
      const known = knownOf(queue);
      const lacks = (field: 'consumers' | 'counts' | 'state'): boolean => {
        if (queue[field] !== undefined) known[field] = true;
        return queue[field] === undefined && known[field];
      };
      const scope = { scope: 'queue', vhost: queue.vhost, queue: queue.name };
      const [consumers, counts, state] = [lacks('consumers'), lacks('counts'), lacks('state')];
      if (state) return [scope];
      return queue.messages === undefined || consumers || counts ? [{ ...scope, ...numbers }] : [];
    },
    filled(queue, readAtMs, isWhole) {
      const known = knownOf(queue);
      if (queue.counts !== undefined || known.counts || queue.messages === undefined || !isWhole) {
        known.countlessSinceMs = undefined;
        return queue;
      }
      known.countlessSinceMs ??= readAtMs;
      return readAtMs - known.countlessSinceMs >= SETTLED_MS ? { ...queue, counts: NOTHING_YET } : queue;
    },
    retain(queues) {
      const kept = queues.map(queueKey).flatMap((key) => {
        const known = before.get(key);
        return known === undefined ? [] : [[key, known] as const];
      });
      before = new Map(kept);
    },
  };
}
