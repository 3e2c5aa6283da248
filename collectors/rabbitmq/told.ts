/** What was told of a queue before, so that what is missing now is known to be unknown, and not gone. */
import type { Scope } from './kept.ts';
import { type Counts, type QueueName, type QueueRecord, queueKey } from './record.ts';

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
  /** For how many runs it has had no counts, if it had some before; else 0. */
  countlessRuns(queue: QueueRecord): number;
  forget(queue: QueueName): void;
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

/** What stays away for so many runs is not coming back by itself: its series end. */
const MOST_RUNS = 10;

interface Known {
  /** In how many more runs it may be missing; 0: it was never told, or not for long. */
  consumers: number;
  counts: number;
  state: number;
  /** Since when it is seen with its depth, and without any counts. */
  countlessSinceMs: number | undefined;
}

export function createTold(): Told {
  let before = new Map<string, Known>();
  const knownOf = (queue: QueueRecord): Known => {
    const key = queueKey(queue);
    const known = before.get(key) ?? { consumers: 0, counts: 0, state: 0, countlessSinceMs: undefined };
    before.set(key, known);
    return known;
  };
  return {
    missing(queue) {
      const known = knownOf(queue);
      const lacks = (field: 'consumers' | 'counts' | 'state'): boolean => {
        const isThere = queue[field] !== undefined;
        if (!isThere && known[field] === 0) return false;
        known[field] = isThere ? MOST_RUNS : known[field] - 1;
        return !isThere;
      };
      const scope = { scope: 'queue', vhost: queue.vhost, queue: queue.name };
      const [consumers, counts, state] = [lacks('consumers'), lacks('counts'), lacks('state')];
      if (state) return [scope];
      return queue.messages === undefined || consumers || counts ? [{ ...scope, ...numbers }] : [];
    },
    filled(queue, readAtMs, isWhole) {
      const known = knownOf(queue);
      if (queue.counts !== undefined || known.counts > 0 || queue.messages === undefined || !isWhole) {
        known.countlessSinceMs = undefined;
        return queue;
      }
      known.countlessSinceMs ??= readAtMs;
      return readAtMs - known.countlessSinceMs >= SETTLED_MS ? { ...queue, counts: NOTHING_YET } : queue;
    },
    countlessRuns(queue) {
      const { counts } = knownOf(queue);
      return queue.counts === undefined && counts > 0 ? MOST_RUNS - counts : 0;
    },
    forget: (queue) => before.delete(queueKey(queue)),
    retain(queues) {
      const kept = queues.map(queueKey).flatMap((key) => {
        const known = before.get(key);
        return known === undefined ? [] : [[key, known] as const];
      });
      before = new Map(kept);
    },
  };
}
