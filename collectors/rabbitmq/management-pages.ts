/** Details of many queues: pages of those that have such names, until all that are wanted are found. */
import { asFailure, type Failure } from '../../src/errors.ts';
import { type Client, roomOf, spanOf } from './management-client.ts';
import { isMissing, isOurs, isRefused } from './management-failures.ts';
import type { Sight } from './management-list.ts';
import type { Refused } from './management-permission.ts';
import { namedQuery, pagesOf, queuesPath } from './management-rows.ts';
import type { RabbitmqOptions } from './options.ts';
import { queueOf } from './parse.ts';
import { nameFilter } from './patterns.ts';
import { type QueueName, type QueueRecord, queueKey } from './record.ts';
import { scoped } from './scoped.ts';

export interface PagesAsked {
  readonly client: Client;
  readonly options: RabbitmqOptions;
  readonly sight: Sight;
  /** The query that all pages have. */
  readonly details: string;
  readonly timeoutMs: number;
  readonly refused: Refused;
}

export interface InPages {
  readonly queues: QueueRecord[];
  readonly problems: Failure[];
  /** What pages would have cost too much for: better asked for one by one. */
  readonly left: QueueName[];
  /** What a failure left unread. */
  readonly unasked: QueueName[];
  /** One queue of each vhost of which the pages had nothing. */
  readonly hidden: QueueName[];
}

/** Queues that are asked for together. */
interface Part {
  readonly path: string;
  /** Undefined: all vhosts. */
  readonly vhost: string | undefined;
  readonly wanted: readonly QueueName[];
}

/** So many rows for one that is wanted are too many to be read. */
const ROWS_FOR_ONE = 5;

/** As few vhosts are worth a request each, where that spares the broker the other vhosts. */
const FEW_VHOSTS = 4;

/** Rejects where nothing at all could be read. */
export async function readInPages(asked: PagesAsked, wanted: readonly QueueName[]): Promise<InPages> {
  const result: InPages = { queues: [], problems: [], left: [], unasked: [], hidden: [] };
  const leftMs = spanOf(asked.client, asked.timeoutMs);
  let failed: Failure | undefined;
  for (const part of partsOf(asked, wanted)) {
    const missing = new Map(part.wanted.map((queue) => [queueKey(queue), queue]));
    try {
      await readPart(asked, part, missing, leftMs, result);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (isOurs(failure)) throw failure;
      if (part.vhost !== undefined && isMissing(failure)) continue;
      if (part.vhost !== undefined && isRefused(failure)) asked.refused.add(part.vhost);
      else {
        failed = failure;
        const where = part.vhost === undefined ? {} : { vhost: part.vhost };
        result.problems.push(scoped(failure, { scope: 'queue', ...where }));
        result.unasked.push(...missing.values());
      }
    }
  }
  if (failed !== undefined && result.queues.length === 0) throw failed;
  return result;
}

/** What it finds is no more in `missing`. */
async function readPart(
  { client, options, details }: PagesAsked,
  { path, vhost, wanted }: Part,
  missing: Map<string, QueueName>,
  leftMs: () => number,
  { queues, left, hidden }: InPages,
): Promise<void> {
  const named = namedQuery(nameFilter(options));
  const seen = new Set<string>();
  for await (const { records, after, matching } of pagesOf(client, `${path}?${details}&${named}`, queueOf, leftMs)) {
    for (const queue of records) {
      seen.add(queue.vhost);
      if (missing.delete(queueKey(queue))) queues.push(queue);
    }
    if (missing.size === 0) return;
    if (after > 0 && (after > roomOf(client, options) || matching > ROWS_FOR_ONE * wanted.length)) {
      for (const queue of missing.values()) left.push(queue);
      return;
    }
  }
  if (vhost !== undefined) return;
  for (const queue of missing.values()) {
    if (!seen.has(queue.vhost)) hidden.push(queue);
    seen.add(queue.vhost);
  }
}

/** Never a vhost that is not asked for, unless that takes too many requests. */
function partsOf({ client, options, sight }: PagesAsked, wanted: readonly QueueName[]): Part[] {
  const byVhost = new Map<string, QueueName[]>();
  for (const queue of wanted) {
    const others = byVhost.get(queue.vhost);
    if (others === undefined) byVhost.set(queue.vhost, [queue]);
    else others.push(queue);
  }
  const isSome = !(options.vhosts ?? ['*']).includes('*');
  const isFewer = byVhost.size <= FEW_VHOSTS && byVhost.size < sight.vhostsSeen.size;
  if ((isSome || isFewer) && byVhost.size <= roomOf(client, options) / 2)
    return [...byVhost].map(([vhost, queues]) => ({ path: queuesPath(vhost), vhost, wanted: queues }));
  return wanted.length === 0 ? [] : [{ path: queuesPath(), vhost: undefined, wanted }];
}
