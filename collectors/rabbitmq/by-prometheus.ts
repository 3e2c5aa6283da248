/**
 * The prometheus plugin. Each URL is one node, and a node knows its own queues alone, so all of them are asked in every
 * run. Two pages of each: `/metrics` (what a node and the broker are; at 10,000 queues about 0.1 s of the node's CPU,
 * since it sums over them, but alarms and rabbitmq_global_* are nowhere else), and `/metrics/detailed` with the families
 * that are cheap by queue. queue_metrics (memory, utilisation of consumers) costs ten times as much, and is not asked.
 */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher } from '../../src/text.ts';
import { type AskedSource, unknownBy } from './asked-source.ts';
import type { RabbitmqOptions } from './options.ts';
import { createQueueTotals, type QueueTotals } from './prometheus-counts.ts';
import { listingOf } from './prometheus-listing.ts';
import { type Answer, askAll, type KnownNodes } from './prometheus-nodes.ts';
import { parseQueuePage, type QueuePage } from './prometheus-queues.ts';
import { createRequests, type Limit } from './prometheus-requests.ts';
import { brokerOf, type NodePage, nodeOf, parseNodePage, silentPage } from './prometheus-status.ts';
import { noDepth, type QueueName, queueKey, type Status, type VhostRecord } from './record.ts';

/** What outlives a run. */
export interface PrometheusMemory {
  readonly totals: QueueTotals;
  readonly nodes: KnownNodes;
}

export function createPrometheusMemory(): PrometheusMemory {
  return { totals: createQueueTotals(), nodes: new Map() };
}

const STATUS: Limit = { patienceMs: 3000, share: 1 / 2 };
const VHOSTS: Limit = { patienceMs: 3000, share: 1 / 3 };
const LIST: Limit = { patienceMs: 8000, share: 1 };

const BY_QUEUE = ['queue_delivery_metrics', 'queue_exchange_metrics'];
const BY_CHANNEL = ['channel_queue_metrics', 'channel_queue_exchange_metrics'];

/** In bytes: 4.3 refuses a longer expression. */
const MAX_FILTER = 1024;

interface StatusPage extends NodePage {
  /** Whether each runs on that node. */
  readonly vhosts: ReadonlyMap<string, boolean>;
  /** Why that is not known. */
  readonly vhostFailure: Failure | undefined;
}

export const prometheusUrls = ({ urls = ['http://127.0.0.1:15692'] }: RabbitmqOptions): readonly string[] => urls;

/** `leftMs`: milliseconds that the run has left. `only`: these queues alone are of interest, in their vhosts alone. */
export function prometheusSource(
  host: Host,
  options: RabbitmqOptions,
  memory: PrometheusMemory,
  leftMs: () => number = () => Number.POSITIVE_INFINITY,
  only?: readonly QueueName[],
): AskedSource {
  const urls = prometheusUrls(options);
  const asked = only === undefined ? (options.vhosts ?? ['*']) : [...new Set(only.map(({ vhost }) => vhost))];
  const isAsked = only === undefined ? matcher(asked) : (vhost: string): boolean => asked.includes(vhost);
  const names = new Set(only?.map(queueKey));
  const isOurs = (queue: QueueName): boolean => only === undefined || names.has(queueKey(queue));
  const requests = createRequests(host, options, urls, leftMs);
  const { get } = requests;

  /** A page that hangs or breaks leaves its own part unknown, where the other one answers. */
  const statusPage = async (url: string): Promise<StatusPage> => {
    const page = await nodePage(get(url, '/metrics', STATUS));
    if (page instanceof Failure && !isPartial(page)) throw page;
    const beside = await vhostPage(get(url, detailedPath(['vhost_status'], []), VHOSTS));
    if (!(page instanceof Failure)) {
      if (!(beside instanceof Failure)) return { ...page, vhosts: beside.vhosts, vhostFailure: undefined };
      // Without /metrics/detailed (before 3.10) vhosts are unknown, which is no problem of those that ask for no queues.
      return { ...page, vhosts: new Map(), vhostFailure: beside.evidence.status === 404 ? undefined : beside };
    }
    if (beside instanceof Failure) throw page;
    return { ...silentPage(beside.identity, page), vhosts: beside.vhosts, vhostFailure: undefined };
  };

  /** Families by channel are asked for only where the node has none by queue, which its first answer tells. */
  const queuePage = async (url: string, wanted: (queue: QueueName) => boolean): Promise<QueuePage> => {
    const filter = only === undefined ? [] : queueFilter(only, memory.nodes.get(url)?.version);
    const ask = async (families: readonly string[]): Promise<QueuePage> => {
      const all = ['queue_coarse_metrics', 'queue_consumer_count', 'vhost_status', ...families];
      const text = await get(url, detailedPath(all, asked, only === undefined, filter), LIST).catch(
        (thrown: unknown) => {
          throw asOldVersion(asFailure(thrown));
        },
      );
      return parseQueuePage(text, isAsked, wanted);
    };
    const known = memory.nodes.get(url)?.countsByQueue;
    let page = await ask(known === false ? BY_CHANNEL : BY_QUEUE);
    if (known === undefined && page.isSound && !page.countsByQueue) page = await ask(BY_CHANNEL);
    // A page that is cut off may lack what tells it.
    memory.nodes.set(url, { ...page.identity, countsByQueue: page.isSound ? page.countsByQueue : known });
    return page;
  };

  return {
    async status() {
      return statusOf(await askAll(urls, memory.nodes, statusPage), isAsked);
    },
    async list(wanted = () => true) {
      const answers = await askAll(urls, memory.nodes, (url) => queuePage(url, wanted));
      // Of this machine's queues nobody said that the vhosts are there, unless they are configured.
      const expected = only === undefined || options.vhosts !== undefined ? asked : [];
      return listingOf(answers, { expected, isOurs }, memory.totals);
    },
    get requests() {
      return requests.count;
    },
    endpoints: requests.endpoints,
  };
}

/** It may be the page alone that cannot be had; who is not let in, or finds nobody, will not be by another page. */
const isPartial = ({ code }: Failure): boolean =>
  code === 'E_TIMEOUT' || code === 'E_HTTP_STATUS' || code === 'E_OUTPUT_SIZE';

async function nodePage(text: Promise<string>): Promise<NodePage | Failure> {
  try {
    return parseNodePage(await text);
  } catch (thrown) {
    return asFailure(thrown);
  }
}

async function vhostPage(text: Promise<string>): Promise<QueuePage | Failure> {
  const none = (): boolean => false;
  try {
    return parseQueuePage(await text, none, none);
  } catch (thrown) {
    return asFailure(thrown);
  }
}

function detailedPath(
  families: readonly string[],
  vhosts: readonly string[],
  mayBeGlobs = true,
  filter: readonly string[] = [],
): string {
  // The server's filter has no globs; a vhost that does not exist is nothing to it, and no error.
  const plain = !mayBeGlobs || vhosts.every((vhost) => !/[*?[]/.test(vhost)) ? vhosts : [];
  const parameters = [
    ...families.map((name) => `family=${name}`),
    ...plain.map((name) => `vhost=${encodeURIComponent(name)}`),
    ...filter.map((pattern) => `queue=${encodeURIComponent(pattern)}`),
  ];
  return `/metrics/detailed?${parameters.join('&')}`;
}

/** From 4.3 on the server can leave out other queues, by a regular expression. */
function queueFilter(only: readonly QueueName[], version = ''): string[] {
  const [, major = '0', minor = '0'] = /^([0-9]{1,3})\.([0-9]{1,3})/.exec(version) ?? [];
  if (Number(major) * 1000 + Number(minor) < 4003) return [];
  const names = [...new Set(only.map(({ name }) => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')))];
  const pattern = `^(?:${names.join('|')})$`;
  return new TextEncoder().encode(pattern).length > MAX_FILTER ? [] : [pattern];
}

function asOldVersion(failure: Failure): Failure {
  if (failure.evidence.status !== 404) return failure;
  const message =
    'there is no /metrics/detailed, which tells of single queues: it needs RabbitMQ 3.10; use source: management';
  return new Failure('E_NOT_FOUND', message, { ...failure.evidence, cause: failure });
}

/** A vhost runs where it runs on every node. */
function vhostRecords(pages: readonly StatusPage[], isAsked: (vhost: string) => boolean): VhostRecord[] {
  const running = new Map<string, boolean>();
  for (const { vhosts } of pages) {
    for (const [vhost, isUp] of vhosts) if (isAsked(vhost)) running.set(vhost, isUp && (running.get(vhost) ?? true));
  }
  return [...running].map(([vhost, isUp]) => ({ vhost, ...noDepth, counts: undefined, running: isUp }));
}

function statusOf(answers: readonly Answer<StatusPage>[], isAsked: (vhost: string) => boolean): Status {
  const pages = answers.flatMap(({ page }) => page ?? []);
  const lost = answers.filter(({ page, isTwin }) => page === undefined && !isTwin);
  if (pages.length === 0)
    throw lost[0]?.failure ?? new Failure('E_CONNECT', 'no URL of the prometheus plugin answered');
  return {
    // A sum without a line that was wrong would be a fall that never was.
    broker: brokerOf(pages, lost.length === 0 && pages.every(({ problem }) => problem === undefined)),
    vhosts: vhostRecords(pages, isAsked),
    nodes: pages.map(nodeOf),
    exchanges: [],
    links: [],
    problems: answers.flatMap(problemsOf),
  };
}

function problemsOf({ url, node, page, failure, isTwin }: Answer<StatusPage>): Failure[] {
  const ofVhosts = page?.vhostFailure === undefined ? [] : [unknownBy(page.vhostFailure, url, { scope: 'vhost' })];
  const reason = failure ?? page?.problem;
  if (reason === undefined) return ofVhosts;
  if (isTwin) return [reason];
  const scope = node === undefined ? { scope: 'node' } : { scope: 'node', node };
  return [unknownBy(reason, url, scope), unknownBy(reason, url, { scope: 'broker' }), ...ofVhosts];
}
