/** The queues that are sent by name, from one list to the next. */
import type { Failure } from '../../src/errors.ts';
import type { QueueName, QueueRecord } from './record.ts';
import { queueKey } from './stuck.ts';

export type Scope = Readonly<Record<string, string | undefined>>;

/** Queues that were kept, and of which the list cannot tell whether they are gone: they are still asked for. */
export function lostSight(
  before: readonly QueueName[],
  listed: readonly QueueName[],
  problems: readonly Failure[],
): QueueName[] {
  if (problems.length === 0) return [];
  const seen = new Set(listed.map(queueKey));
  const covers = ({ evidence }: Failure, { vhost, name }: QueueName): boolean => {
    const labels: Scope = { scope: 'queue', vhost, queue: name };
    return Object.entries(evidence.labels ?? {}).every(([label, value]) => labels[label] === value);
  };
  return before.filter((queue) => !seen.has(queueKey(queue)) && problems.some((problem) => covers(problem, queue)));
}

export interface Found {
  readonly queues: readonly QueueRecord[];
  /** Queues of which this run cannot tell whether they are there. */
  readonly unread: readonly Scope[];
}

/**
 * What the details lack: a queue on a node that is down answers as one that was never there, and only a list tells them
 * apart. `listed`: the list of this run; undefined: there was none.
 */
export function withLost(
  kept: readonly QueueName[],
  details: readonly QueueRecord[],
  listed: readonly QueueRecord[] | undefined,
): Found {
  const wanted = new Set(kept.map(queueKey));
  const queues = details.filter((queue) => wanted.has(queueKey(queue)));
  const found = new Set(queues.map(queueKey));
  const inList = new Map(listed?.map((queue) => [queueKey(queue), queue]));
  const unread: Scope[] = [];
  for (const queue of kept) {
    const key = queueKey(queue);
    if (found.has(key)) continue;
    const record = inList.get(key);
    // One whose depth was listed was deleted since, unless it has a name that no request can carry.
    if (record !== undefined && (record.messages === undefined || isFolder(queue.name))) queues.push(record);
    else if (listed === undefined) unread.push({ scope: 'queue', vhost: queue.vhost, queue: queue.name });
  }
  return { queues, unread };
}

/** No URL can carry these two, however they are encoded: they would be taken for folders. */
export function isFolder(name: string): boolean {
  return name === '.' || name === '..';
}
