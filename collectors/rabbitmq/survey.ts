/** Every queue of the broker → those sent by name, and the sums of the others. Pure. */
import { matcher } from '../../src/text.ts';
import type { RabbitmqOptions } from './options.ts';
import { type Depth, type QueueName, type QueueRecord, queueKey } from './record.ts';

/** What queues have together; undefined: of one of them it is unknown. */
export interface Sums extends Depth {
  readonly queues: number;
  readonly consumers: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Queues with messages ready and no consumer; undefined: consumers are not told. */
  readonly unconsumed: number | undefined;
}

export interface GroupSums extends Sums {
  readonly vhost: string;
  readonly group: string;
}

export interface VhostSums extends Sums {
  readonly vhost: string;
}

export interface Survey {
  readonly kept: readonly QueueRecord[];
  readonly groups: readonly GroupSums[];
  /** Over all queues of the vhost, also those that are left out. */
  readonly vhosts: readonly VhostSums[];
  readonly all: Sums;
  /** More than maxQueues. */
  readonly leftOut: number;
  /** Queues whose messages the source does not tell. */
  readonly unknown: number;
}

/** What is known from before, so that queues do not come and go with each run. */
export interface Before {
  isKept(queue: QueueName): boolean;
  isStuck(queue: QueueName): boolean;
}

/** By name, in the sum of a group, or not at all. */
export type Place = 'kept' | 'left' | { readonly group: string };

export function placer({ keep, groups, include, exclude }: RabbitmqOptions): (name: string) => Place {
  const [isExcluded, isKept, isIncluded] = [matcher(exclude), matcher(keep), matcher(include)];
  const grouped = groups.map(({ name, match }) => ({ place: { group: name }, fits: matcher(match) }));
  return (name) => {
    if (isExcluded(name)) return 'left';
    if (isKept(name)) return 'kept';
    for (const { place, fits } of grouped) if (fits(name)) return place;
    return isIncluded(name) ? 'kept' : 'left';
  };
}

export function survey(queues: readonly QueueRecord[], options: RabbitmqOptions, before: Before): Survey {
  const placeOf = placer(options);
  const all = createSums();
  const vhosts = new Map<string, SumsSoFar>();
  const groups = new Map<string, { readonly vhost: string; readonly group: string; readonly sums: SumsSoFar }>();
  const candidates: QueueRecord[] = [];
  let unknown = 0;

  for (const queue of queues) {
    if (queue.messages === undefined) unknown += 1;
    add(all, queue);
    add(sumsAt(vhosts, queue.vhost), queue);
    const place = placeOf(queue.name);
    if (place === 'left') continue;
    if (place === 'kept') {
      candidates.push(queue);
      continue;
    }
    const key = JSON.stringify([queue.vhost, place.group]);
    let group = groups.get(key);
    if (group === undefined) {
      group = { vhost: queue.vhost, group: place.group, sums: createSums() };
      groups.set(key, group);
    }
    add(group.sums, queue);
  }
  const kept = candidates.length <= options.maxQueues ? candidates : largest(candidates, options.maxQueues, before);
  return {
    kept,
    groups: [...groups.values()].map(({ vhost, group, sums }) => ({ vhost, group, ...sums })),
    vhosts: [...vhosts].map(([vhost, sums]) => ({ vhost, ...sums })),
    all,
    leftOut: candidates.length - kept.length,
    unknown,
  };
}

/** The stuck, then the largest; one that was kept stays until another is twice as large. */
function largest(queues: readonly QueueRecord[], most: number, { isKept, isStuck }: Before): QueueRecord[] {
  const ranked = queues.map((queue) => {
    const wasKept = isKept(queue);
    const size = (queue.messages ?? 0) * (wasKept ? 2 : 1);
    return { queue, wasKept, size, isStuck: isStuck(queue) };
  });
  ranked.sort(
    (a, b) =>
      Number(b.isStuck) - Number(a.isStuck) ||
      b.size - a.size ||
      Number(b.wasKept) - Number(a.wasKept) ||
      (queueKey(a.queue) < queueKey(b.queue) ? -1 : 1),
  );
  return ranked.slice(0, most).map(({ queue }) => queue);
}

type SumsSoFar = { -readonly [Key in keyof Sums]: Sums[Key] };

/** Of no queue the sum is 0; one of which something is unknown makes that unknown. */
function createSums(): SumsSoFar {
  return { queues: 0, messages: 0, ready: 0, unacked: 0, consumers: 0, memoryBytes: 0, unconsumed: 0 };
}

function sumsAt(all: Map<string, SumsSoFar>, vhost: string): SumsSoFar {
  const sums = all.get(vhost) ?? createSums();
  all.set(vhost, sums);
  return sums;
}

const plus = (sum: number | undefined, value: number | undefined): number | undefined =>
  sum === undefined || value === undefined ? undefined : sum + value;

function add(sums: SumsSoFar, { messages, ready, unacked, consumers, memoryBytes }: QueueRecord): void {
  sums.queues += 1;
  sums.messages = plus(sums.messages, messages);
  sums.ready = plus(sums.ready, ready);
  sums.unacked = plus(sums.unacked, unacked);
  sums.consumers = plus(sums.consumers, consumers);
  sums.memoryBytes = plus(sums.memoryBytes, memoryBytes);
  const isKnown = consumers !== undefined && ready !== undefined;
  sums.unconsumed = plus(sums.unconsumed, isKnown ? Number(consumers === 0 && ready > 0) : undefined);
}
