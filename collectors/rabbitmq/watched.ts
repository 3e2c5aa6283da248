/** Queues that are sent by name → samples: stuck or not, the changes of that, and what is unknown of them. */
import { CHANGES, type Change } from './changes.ts';
import type { Scope } from './kept.ts';
import { keyOf, type Measure, measureQueue } from './measure.ts';
import type { Memory } from './memory.ts';
import { brokerMetrics } from './metrics-broker.ts';
import { type QueueRecord, queueKey } from './record.ts';

/** Whoever asks for its own queues alone does not see nodes. */
const OWN_CHANGES: readonly Change[] = ['alarm_raised', 'alarm_cleared', 'queue_stuck', 'queue_unstuck'];

/** Answers which series of these queues were not told in this run. */
export function measureWatched(
  to: Measure,
  queues: readonly QueueRecord[],
  memory: Memory,
  readAtMs: number,
  cluster: string | undefined,
): Scope[] {
  const untold: Scope[] = [];
  const counts = memory.countsMessages === true && memory.isWhole;
  // Whoever asks for its own queues alone does not see whether a node is silent.
  const isWhole = counts && memory.own !== true;
  for (const one of queues) {
    for (const scope of memory.told.missing(one)) untold.push(scope);
    const queue = memory.told.filled(one, readAtMs, isWhole);
    const countlessRuns = memory.told.countlessRuns(one);
    const verdict = memory.stuck.look(queue, readAtMs, counts && countlessRuns === 0);
    // It may be that the broker was told not to count any more; asking costs more than the queue, so it is asked once.
    if (countlessRuns === 1 && memory.own === true) memory.countsMessages = undefined;
    memory.changes.see('queue_stuck', 'queue_unstuck', queueKey(queue), verdict?.stuck);
    measureQueue(to, queue, verdict, cluster);
  }
  return untold;
}

/** What was not read now may be there still: only a full list tells that a queue is gone. */
export function forgetOthers(memory: Memory): void {
  memory.stuck.retain(memory.kept);
  memory.told.retain(memory.kept);
  memory.changes.retain('queue_stuck', new Set(memory.kept.map(queueKey)));
  const labels = memory.kept.map(({ vhost, name }) => keyOf({ scope: 'queue', vhost, queue: name }));
  memory.heights.retain(new Set([...labels, ...memory.sums]));
}

export function measureChanges(to: Measure, memory: Memory, cluster: string | undefined): void {
  const seen = memory.own === true ? OWN_CHANGES : CHANGES;
  const counts = memory.changes.counts();
  for (const change of seen)
    to.add(brokerMetrics.state_changes, counts.get(change), { cluster, scope: 'broker', change });
}
