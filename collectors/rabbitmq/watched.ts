/** Queues that are sent by name → samples: filled counts, stuck or not, and the changes of that. */
import { CHANGES, type Change } from './changes.ts';
import { type Measure, measureQueue } from './measure.ts';
import type { Memory } from './memory.ts';
import { brokerMetrics } from './metrics-broker.ts';
import type { QueueRecord } from './record.ts';
import { queueKey } from './stuck.ts';

/** Whoever asks for its own queues alone does not see nodes. */
const OWN_CHANGES: readonly Change[] = ['alarm_raised', 'alarm_cleared', 'queue_stuck', 'queue_unstuck'];

export function measureWatched(
  to: Measure,
  queues: readonly QueueRecord[],
  memory: Memory,
  readAtMs: number,
  cluster: string | undefined,
): void {
  for (const one of queues) {
    const queue = memory.counted.fill(one, memory.countsMessages);
    const verdict = memory.stuck.look(queue, readAtMs);
    memory.changes.see('queue_stuck', 'queue_unstuck', queueKey(queue), verdict?.stuck);
    measureQueue(to, queue, verdict, cluster);
  }
}

/**
 * Label scopes of queues that are there, and whose depth the broker does not tell now: just declared, on a node that is
 * down, or not looked at since a start. They are unknown, and not gone; their state is known all the same.
 */
export function untold(queues: readonly QueueRecord[]): Readonly<Record<string, string | undefined>>[] {
  const known = { state: undefined, type: undefined, node: undefined };
  return queues
    .filter(({ messages }) => messages === undefined)
    .map(({ vhost, name }) => ({ scope: 'queue', vhost, queue: name, ...known }));
}

/** What was not read now may be there still: only a full list tells that a queue is gone. */
export function forgetOthers(memory: Memory): void {
  const keys = new Set(memory.kept.map(queueKey));
  memory.stuck.retain(memory.kept);
  memory.counted.retain(keys);
  memory.changes.retain('queue_stuck', keys);
}

export function measureChanges(to: Measure, memory: Memory, cluster: string | undefined): void {
  const seen = memory.own === true ? OWN_CHANGES : CHANGES;
  const counts = memory.changes.counts();
  for (const change of seen)
    to.add(brokerMetrics.state_changes, counts.get(change), { cluster, scope: 'broker', change });
}
