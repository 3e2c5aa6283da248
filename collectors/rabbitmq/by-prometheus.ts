/**
 * The prometheus plugin. Each URL is one node, and a node knows its own queues alone, so all of them are asked in every
 * run. Two pages of each: `/metrics` (what a node and the broker are; at 10,000 queues about 0.1 s of the node's CPU,
 * since it sums over them, but alarms and rabbitmq_global_* are nowhere else), and `/metrics/detailed` with the families
 * that are cheap by queue. queue_metrics (memory, utilisation of consumers) costs ten times as much, and is not asked.
 */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher, quoted } from '../../src/text.ts';
import { type AskedSource, unknownBy } from './asked-source.ts';
import { accessOf } from './management-client.ts';
import type { RabbitmqOptions } from './options.ts';
import { createQueueTotals, type QueueTotals } from './prometheus-counts.ts';
import { listingOf } from './prometheus-listing.ts';
import { parseQueuePage, type QueuePage } from './prometheus-queues.ts';
import { brokerOf, type Identity, type NodePage, nodeOf, parseNodePage } from './prometheus-status.ts';
import { noDepth, type QueueName, type Status, type VhostRecord } from './record.ts';

/** What outlives a run. */
export interface PrometheusMemory {
  readonly totals: QueueTotals;
  /** By URL: who answered there last, and whether it counts by queue. */
  readonly nodes: Map<string, Identity & { readonly countsByQueue: boolean | undefined }>;
}

export function createPrometheusMemory(): PrometheusMemory {
  return { totals: createQueueTotals(), nodes: new Map() };
}

/** Of several nodes, one that does not answer for so long is given up: what the others say is still in time then. */
const STATUS_PATIENCE_MS = 3000;
const LIST_PATIENCE_MS = 8000;
const AT_ONCE = 4;

const BY_QUEUE = ['queue_delivery_metrics', 'queue_exchange_metrics'];
const BY_CHANNEL = ['channel_queue_metrics', 'channel_queue_exchange_metrics'];

/** What one node said in this run, or why not. */
export interface Answer<Page> {
  readonly url: string;
  /** Its name, where it is known from this run or an earlier one. */
  readonly node: string | undefined;
  readonly page: Page | undefined;
  readonly failure: Failure | undefined;
  /** Another URL is the same node, and its answer is the one that counts. */
  readonly isTwin: boolean;
}

interface StatusPage extends NodePage {
  /** Whether each runs on that node. */
  readonly vhosts: ReadonlyMap<string, boolean>;
}

export const prometheusUrls = ({ urls = ['http://127.0.0.1:15692'] }: RabbitmqOptions): readonly string[] => urls;

export function prometheusSource(host: Host, options: RabbitmqOptions, memory: PrometheusMemory): AskedSource {
  const urls = prometheusUrls(options);
  const access = accessOf(options);
  const asked = options.vhosts ?? ['*'];
  const isAsked = matcher(asked);
  const endpoints = new Map<string, boolean>();
  /** Those that did not answer in this run are not asked again in it: each would cost its patience anew. */
  const gone = new Map<string, Failure>();
  let requests = 0;

  const get = async (url: string, path: string, patience: number): Promise<string> => {
    requests += 1;
    try {
      const text = await host.getText(`${url}${path}`, {
        ...access,
        ...(urls.length > 1 ? { timeoutMs: patience } : {}),
      });
      endpoints.set(url, endpoints.get(url) ?? true);
      return text;
    } catch (thrown) {
      const failure = asFailure(thrown);
      // A page that this version has not is an answer, too.
      if (failure.evidence.status !== 404) endpoints.set(url, false);
      if (failure.code === 'E_CONNECT' || failure.code === 'E_TIMEOUT') gone.set(url, failure);
      throw failure;
    }
  };

  const askAll = async <Page extends { readonly identity: Identity }>(
    ask: (url: string) => Promise<Page>,
  ): Promise<Answer<Page>[]> => {
    const answers = new Map<string, Answer<Page>>();
    const waiting = [...new Set(urls)];
    const work = async (): Promise<void> => {
      for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
        answers.set(url, await answerOf(url, ask));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return withoutTwins(urls.flatMap((url) => answers.get(url) ?? []));
  };
  const answerOf = async <Page extends { readonly identity: Identity }>(
    url: string,
    ask: (url: string) => Promise<Page>,
  ): Promise<Answer<Page>> => {
    try {
      const before = gone.get(url);
      if (before !== undefined) throw before;
      const page = await ask(url);
      const { identity } = page;
      const known = memory.nodes.get(url);
      // Another version may count otherwise: it is found out anew.
      const isSame = known?.node === identity.node && known.version === identity.version;
      memory.nodes.set(url, { ...identity, countsByQueue: isSame ? known.countsByQueue : undefined });
      return { url, node: identity.node, page, failure: undefined, isTwin: false };
    } catch (thrown) {
      return { url, node: memory.nodes.get(url)?.node, page: undefined, failure: asFailure(thrown), isTwin: false };
    }
  };

  const statusPage = async (url: string): Promise<StatusPage> => {
    const page = parseNodePage(await get(url, '/metrics', STATUS_PATIENCE_MS));
    return { ...page, vhosts: await vhostsOf(get(url, detailedPath(['vhost_status'], []), STATUS_PATIENCE_MS)) };
  };

  /** Families by channel are asked for only where the node has none by queue, which its first answer tells. */
  const queuePage = async (url: string, wanted: (queue: QueueName) => boolean): Promise<QueuePage> => {
    const ask = async (families: readonly string[]): Promise<QueuePage> => {
      const path = detailedPath(['queue_coarse_metrics', 'queue_consumer_count', 'vhost_status', ...families], asked);
      const text = await get(url, path, LIST_PATIENCE_MS).catch((thrown: unknown) => {
        throw asOldVersion(asFailure(thrown));
      });
      return parseQueuePage(text, isAsked, wanted);
    };
    const known = memory.nodes.get(url)?.countsByQueue;
    let page = await ask(known === false ? BY_CHANNEL : BY_QUEUE);
    if (known === undefined && !page.countsByQueue) page = await ask(BY_CHANNEL);
    memory.nodes.set(url, { ...page.identity, countsByQueue: page.countsByQueue });
    return page;
  };

  return {
    async status() {
      return statusOf(await askAll(statusPage), isAsked);
    },
    async list(wanted = () => true) {
      const answers = await askAll((url) => queuePage(url, wanted));
      return listingOf(answers, asked, memory.totals);
    },
    get requests() {
      return requests;
    },
    endpoints,
  };
}

/** Two URLs of one node (a balancer, an alias) must not count its queues twice. */
function withoutTwins<Page>(answers: readonly Answer<Page>[]): Answer<Page>[] {
  const seen = new Map<string, string>();
  return answers.map((answer) => {
    const { url, node, page } = answer;
    if (page === undefined || node === undefined) return answer;
    const twin = seen.get(node);
    seen.set(node, twin ?? url);
    if (twin === undefined) return answer;
    const message = `${url} and ${twin} are the same node ${quoted(node)}: give one URL for each node`;
    const failure = new Failure('E_CONFIG', message, { url, labels: { endpoint: url } });
    return { url, node, page: undefined, failure, isTwin: true };
  });
}

function detailedPath(families: readonly string[], vhosts: readonly string[]): string {
  // The server's filter has no globs; a vhost that does not exist is nothing to it, and no error.
  const plain = vhosts.every((vhost) => !/[*?[]/.test(vhost)) ? vhosts : [];
  const parameters = [
    ...families.map((name) => `family=${name}`),
    ...plain.map((name) => `vhost=${encodeURIComponent(name)}`),
  ];
  return `/metrics/detailed?${parameters.join('&')}`;
}

function asOldVersion(failure: Failure): Failure {
  if (failure.evidence.status !== 404) return failure;
  const message =
    'there is no /metrics/detailed, which tells of single queues: it needs RabbitMQ 3.10; use source: management';
  return new Failure('E_NOT_FOUND', message, { ...failure.evidence, cause: failure });
}

/** Without /metrics/detailed (before 3.10) vhosts are unknown, which is no problem of those that ask for no queues. */
async function vhostsOf(text: Promise<string>): Promise<ReadonlyMap<string, boolean>> {
  try {
    return parseQueuePage(
      await text,
      () => false,
      () => false,
    ).vhosts;
  } catch {
    return new Map();
  }
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
  const problems = answers.flatMap(({ url, node, page, failure, isTwin }): Failure[] => {
    const reason = failure ?? page?.problem;
    if (reason === undefined) return [];
    if (isTwin) return [reason];
    const scope = node === undefined ? { scope: 'node' } : { scope: 'node', node };
    return [unknownBy(reason, url, scope), unknownBy(reason, url, { scope: 'broker' })];
  });
  return {
    // A sum without a line that was wrong would be a fall that never was.
    broker: brokerOf(pages, lost.length === 0 && pages.every(({ problem }) => problem === undefined)),
    vhosts: vhostRecords(pages, isAsked),
    nodes: pages.map(nodeOf),
    exchanges: [],
    links: [],
    problems,
  };
}
