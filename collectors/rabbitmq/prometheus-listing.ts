/** The queues of a broker, put together of what each of its nodes says. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { missingVhost, unknownBy } from './asked-source.ts';
import { EVENT_INDEX, type EventName, type EventRows, type QueueTotals } from './prometheus-counts.ts';
import type { PageQueue, QueuePage } from './prometheus-queues.ts';
import type { Counts, Listing, QueueName, QueueRecord } from './record.ts';
import { NOTHING } from './scoped.ts';

/** What one node said, or why not. */
export interface PageAnswer {
  readonly url: string;
  readonly page: QueuePage | undefined;
  readonly failure: Failure | undefined;
  /** Another URL is the same node, and its answer is the one that counts. */
  readonly isTwin: boolean;
}

export interface Interest {
  /** Names and globs of vhosts: a name that the broker does not have is told. */
  readonly expected: readonly string[];
  /** Queues whose problems are of interest. */
  isOurs(queue: QueueName): boolean;
}

/** `totals` takes what the nodes counted in this run. */
export function listingOf(
  answers: readonly PageAnswer[],
  { expected, isOurs }: Interest,
  totals: QueueTotals,
): Listing {
  const pages = answers.flatMap(({ page }) => page ?? []);
  const isWhole = answers.every(({ page, isTwin }) => page?.isSound === true || isTwin);
  // Rows that stand behind a cut would begin anew with the next page.
  const sound = pages.filter((page) => page.isSound);
  totals.add(new Map<string, EventRows>(sound.map(({ identity, rows }) => [identity.node, rows])));
  const chosen = leadersOf(pages);
  if (isWhole) totals.retain((key) => chosen.has(key));
  const isCounted = isWhole && pages.length > 0 && pages.every((page) => page.countsByQueue || page.countsByChannel);
  const uncounted = new Map(pages.flatMap((page) => [...page.uncounted]));
  const queues = [...chosen].map(([key, { queue, node }]) =>
    recordOf(queue, node, isCounted && !uncounted.has(key) ? countsOf(totals.of(key)) : undefined),
  );
  const doubts = [...chosen].flatMap(([key, { queue }]) => {
    if (queue.doubt !== undefined) return [doubtful(queue, queue.doubt)];
    return uncounted.has(key) ? [doubtful(queue, UNCOUNTED)] : [];
  });
  return {
    queues,
    problems: [
      ...answers.flatMap(unread),
      ...doubts.filter(({ queue }) => isOurs(queue)).map(({ problem }) => problem),
      ...missingVhosts(pages, expected),
    ],
  };
}

const UNCOUNTED =
  'what was counted of it cannot be read, since this version does not escape names; an exchange has a quote or line feed in its name';

interface Chosen {
  readonly queue: PageQueue;
  readonly node: string;
}

/**
 * A queue that moved is on two pages until its old node has cleared away what it knew. The one that calls itself the
 * leader is right (4.1 and later); of two that do not say so, the first is taken.
 */
function leadersOf(pages: readonly QueuePage[]): Map<string, Chosen> {
  const chosen = new Map<string, Chosen>();
  for (const { queues, identity } of pages) {
    for (const [key, queue] of queues) {
      if (chosen.has(key) && queue.membership !== 'leader') continue;
      chosen.set(key, { queue, node: identity.node });
    }
  }
  return chosen;
}

function recordOf(queue: PageQueue, node: string, counts: Counts | undefined): QueueRecord {
  const { vhost, name, messages, ready, unacked, consumers, type, doubt } = queue;
  const depth =
    doubt !== undefined
      ? { messages: undefined, ready: undefined, unacked: undefined, consumers: undefined }
      : { messages, ready, unacked, consumers };
  return {
    vhost,
    name,
    ...depth,
    consumerUtilisation: undefined,
    memoryBytes: undefined,
    state: undefined,
    type,
    leader: node,
    counts,
  };
}

/** One that never had a row had no event that this broker counted since counting began: 0. */
function countsOf(total: Float64Array | undefined): Counts {
  const of = (...events: readonly EventName[]): number =>
    events.reduce((sum, event) => sum + (total?.[EVENT_INDEX[event]] ?? 0), 0);
  return {
    published: of('published'),
    delivered: of('deliverAck', 'deliverAuto'),
    acked: of('acked'),
    redelivered: of('redelivered'),
    got: of('getAck', 'getAuto'),
    returned: undefined,
    confirmed: undefined,
    settled: of('acked', 'deliverAuto', 'getAuto'),
  };
}

/**
 * Which queues a silent node has, nobody else knows; and what went through its channels is missing in every queue. Single
 * wrong lines are those of single queues, which say so themselves where they can be named.
 */
function unread({ url, page, failure, isTwin }: PageAnswer): Failure[] {
  if (failure !== undefined && isTwin) return [failure];
  const reason = failure ?? page?.problem;
  if (reason === undefined) return [];
  if (page?.isSound === true) return [unknownBy(reason, url, NOTHING)];
  return ['queue', 'group'].map((scope) => unknownBy(reason, url, { scope }));
}

function doubtful(queue: PageQueue, doubt: string): { readonly queue: QueueName; readonly problem: Failure } {
  const { vhost, name } = queue;
  const message = `queue ${quoted(name)} in vhost ${quoted(vhost)}: ${doubt}`;
  return { queue, problem: new Failure('E_PARSE', message, { labels: { scope: 'queue', vhost, queue: name } }) };
}

function missingVhosts(pages: readonly QueuePage[], asked: readonly string[]): Failure[] {
  const there = new Set(pages.flatMap(({ vhosts }) => [...vhosts.keys()]));
  if (there.size === 0) return [];
  return asked.filter((vhost) => !/[*?[]/.test(vhost) && !there.has(vhost)).map(missingVhost);
}
