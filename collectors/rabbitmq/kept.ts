/** The queues that are sent by name, from one list to the next. */
import type { Failure } from '../../src/errors.ts';
import { cannotBeAsked as noUrlFor } from './management-rows.ts';
import { type Listing, type QueueName, type QueueRecord, queueKey } from './record.ts';

export type Scope = Readonly<Record<string, string | undefined>>;

/** A queue that lists cannot tell of for so long is taken for gone. */
const MOST_LISTS = 10;

/** Whether one of the problems leaves this unknown. */
export function isCovered(scope: Scope, problems: readonly Failure[]): boolean {
  return problems.some(({ evidence }) =>
    Object.entries(evidence.labels ?? {}).every(([label, value]) => scope[label] === value),
  );
}

/**
 * Queues that were kept, and of which the list cannot tell whether they are gone: they are still asked for. `lost`
 * counts for how many lists it has been so, and there are never more than `most` of them.
 */
export function lostSight(
  before: readonly QueueName[],
  listed: readonly QueueName[],
  problems: readonly Failure[],
  lost: Map<string, number>,
  most: number,
): QueueName[] {
  const seen = new Set(listed.map(queueKey));
  const missing = before.filter(
    (queue) =>
      !seen.has(queueKey(queue)) && isCovered({ scope: 'queue', vhost: queue.vhost, queue: queue.name }, problems),
  );
  const counted = missing.map((queue) => [queue, (lost.get(queueKey(queue)) ?? 0) + 1] as const);
  const still = counted.filter(([, lists]) => lists <= MOST_LISTS).slice(0, most);
  lost.clear();
  for (const [queue, lists] of still) lost.set(queueKey(queue), lists);
  return still.map(([queue]) => queue);
}

const cannotBeAsked = ({ vhost, name }: QueueName): boolean => noUrlFor(vhost) || noUrlFor(name);

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
  { queues: details, unasked = [] }: Pick<Listing, 'queues' | 'unasked'>,
  listed: readonly QueueRecord[] | undefined,
): Found {
  const wanted = new Set(kept.map(queueKey));
  const queues = details.filter((queue) => wanted.has(queueKey(queue)));
  const found = new Set(queues.map(queueKey));
  const inList = new Map(listed?.map((queue) => [queueKey(queue), queue]));
  const notAsked = new Set(unasked.map(queueKey));
  const unread: Scope[] = [];
  for (const queue of kept) {
    const key = queueKey(queue);
    if (found.has(key)) continue;
    const record = inList.get(key);
    // One whose depth was listed was deleted since, unless it has a name that no request can carry.
    if (record !== undefined && (record.messages === undefined || cannotBeAsked(queue))) queues.push(record);
    else if (listed === undefined || notAsked.has(key))
      unread.push({ scope: 'queue', vhost: queue.vhost, queue: queue.name });
  }
  return { queues, unread };
}
