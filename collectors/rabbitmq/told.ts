/** What was told of a queue before, so that what is missing now is known to be unknown, and not gone. */
import type { Scope } from './kept.ts';
import type { QueueName, QueueRecord } from './record.ts';
import { queueKey } from './stuck.ts';

export interface Told {
  /**
   * The series of the queue that are unknown in this run: while the broker gathers its statistics, just after it was
   * declared, or while its node is away, a queue lacks its depth, its consumers, its counts or its state.
   */
  missing(queue: QueueRecord): readonly Scope[];
  /** Forgets all others. */
  retain(queues: readonly QueueName[]): void;
}

/** Series of a queue that have no label but its name: all but its state, type and leader. */
const numbers = { state: undefined, type: undefined, node: undefined };

export function createTold(): Told {
  let before = new Map<string, { consumers: boolean; counts: boolean; state: boolean }>();
  return {
    missing(queue) {
      const key = queueKey(queue);
      const known = before.get(key) ?? { consumers: false, counts: false, state: false };
      before.set(key, known);
      const lacks = (field: keyof typeof known): boolean => {
        if (queue[field] !== undefined) known[field] = true;
        return queue[field] === undefined && known[field];
      };
      const scope = { scope: 'queue', vhost: queue.vhost, queue: queue.name };
      const [consumers, counts, state] = [lacks('consumers'), lacks('counts'), lacks('state')];
      if (state) return [scope];
      return queue.messages === undefined || consumers || counts ? [{ ...scope, ...numbers }] : [];
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
