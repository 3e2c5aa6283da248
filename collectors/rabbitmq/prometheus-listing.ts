/** The queues of a broker, put together of what each of its nodes says. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { missingVhost, unknownBy } from './asked-source.ts';
import { EVENT_INDEX, type EventName, type EventRows, type QueueTotals } from './prometheus-counts.ts';
import type { PageQueue, QueuePage } from './prometheus-queues.ts';
import type { Counts, Listing, QueueRecord } from './record.ts';

/** What one node said, or why not. */
export interface PageAnswer {
  readonly url: string;
  readonly page: QueuePage | undefined;
  readonly failure: Failure | undefined;
  /** Another URL is the same node, and its answer is the one that counts. */
  readonly isTwin: boolean;
}

/** `asked`: names or globs of vhosts. `totals` takes what the nodes counted in this run. */
export function listingOf(answers: readonly PageAnswer[], asked: readonly string[], totals: QueueTotals): Listing {
  const pages = answers.flatMap(({ page }) => page ?? []);
  const isWhole = answers.every(({ page, isTwin }) => page !== undefined || isTwin);
  totals.add(new Map<string, EventRows>(pages.map(({ identity, rows }) => [identity.node, rows])));
  const chosen = leadersOf(pages);
  if (isWhole) totals.retain((key) => chosen.has(key));
  const isCounted = isWhole && pages.length > 0 && pages.every((page) => page.countsByQueue || page.countsByChannel);
  const queues = [...chosen].map(([key, { queue, node }]) =>
    recordOf(queue, node, isCounted ? countsOf(totals.of(key)) : undefined),
  );
  const doubled = [...chosen.values()].filter(({ queue }) => queue.isDoubled);
  return {
    queues,
    problems: [...answers.flatMap(unread), ...doubled.map(({ queue }) => doubt(queue)), ...missingVhosts(pages, asked)],
  };
}

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
  const { vhost, name, messages, ready, unacked, consumers, type, isDoubled } = queue;
  const depth = isDoubled
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

/** Which queues a silent node has, nobody else knows; and what went through its channels is missing in every queue. */
function unread({ url, page, failure, isTwin }: PageAnswer): Failure[] {
  if (failure !== undefined && isTwin) return [failure];
  const reason = failure ?? page?.problem;
  if (reason === undefined) return [];
  return ['queue', 'group'].map((scope) => unknownBy(reason, url, { scope }));
}

function doubt({ vhost, name }: PageQueue): Failure {
  const message = `queue ${quoted(name)} in vhost ${quoted(vhost)}: two samples of one number; expected one, so both are left out`;
  return new Failure('E_PARSE', message, { labels: { scope: 'queue', vhost, queue: name } });
}

function missingVhosts(pages: readonly QueuePage[], asked: readonly string[]): Failure[] {
  const there = new Set(pages.flatMap(({ vhosts }) => [...vhosts.keys()]));
  if (there.size === 0) return [];
  return asked.filter((vhost) => !/[*?[]/.test(vhost) && !there.has(vhost)).map(missingVhost);
}
