/** Records → samples. Pure. What is undefined is left out. */
import type { Metric, Sample } from '../../src/metric.ts';
import type { Heights } from './heights.ts';
import { messageMetrics as metrics } from './metrics.ts';
import { brokerMetrics } from './metrics-broker.ts';
import { exchangeName } from './patterns.ts';
import type { Counts, Depth, ExchangeRecord, LinkRecord, NodeRecord, QueueRecord, Status } from './record.ts';
import type { Verdict } from './stuck.ts';
import type { GroupSums, Sums } from './survey.ts';

type Named = Readonly<Record<string, string | undefined>>;

/** The states and types that brokers have had; any other is `other`, so that nothing unbounded becomes a series. */
const STATES: ReadonlySet<string> = new Set([
  ...['running', 'idle', 'flow', 'down', 'stopped', 'crashed', 'minority', 'terminated', 'live', 'unresponsive'],
]);
const TYPES: ReadonlySet<string> = new Set(['classic', 'quorum', 'stream']);

/** What the numbers of one queue, vhost or broker have in common. */
interface About {
  readonly countedAtMs?: number | undefined;
  /** Whose counts these are, where a sum over other nodes is not to be compared with it. */
  readonly origin?: string | undefined;
}

type Add = (metric: Metric, value: number | boolean | undefined, labels: Named, about?: About) => void;

/** Adds samples to a list, and skips what is unknown. */
export interface Measure {
  readonly samples: readonly Sample[];
  readonly add: Add;
  /** A total of something that may be older than our sight of it: counting begins with it. */
  readonly count: Add;
  /** The same, which is sent as no series of its own, but as a part of others. */
  readonly feed: Add;
  /** Whose counts the numbers of a queue, vhost or broker are; undefined: they are compared with those before. */
  originOf(labels: Named): string | undefined;
  /** To be called before anything of the same labels is added. */
  note(labels: Named, counts: Counts | undefined): void;
}

interface Comparison {
  /** The nodes whose counts are in sums, where there are several. */
  readonly nodes?: string;
  /** When the broker counted can be compared with the run before. */
  readonly dated?: boolean;
  readonly heights?: Heights;
}

export function createMeasure({ nodes = '', dated = true, heights }: Comparison = {}): Measure {
  const samples: Sample[] = [];
  const generations = new Map<string, number>();
  const push = (
    metric: Metric,
    value: number | boolean | undefined,
    labels: Named,
    about: About,
    more: object,
  ): void => {
    if (value === undefined) return;
    const { countedAtMs, origin } = about;
    const one = { metric, value: Number(value), labels, ...(origin === undefined ? {} : { origin }), ...more };
    samples.push(countedAtMs === undefined || !dated ? one : { ...one, countedAtMs });
  };
  return {
    samples,
    originOf(labels) {
      const key = keyOf(labels);
      const generation = generations.get(key) ?? 0;
      // Mostly there is nothing that could be missing in a sum.
      return nodes === '' && generation === 0 ? undefined : JSON.stringify([key, nodes, generation]);
    },
    note(labels, counts) {
      const generation = heights?.generation(keyOf(labels), counts) ?? 0;
      if (generation > 0) generations.set(keyOf(labels), generation);
    },
    add: (metric, value, labels, about = {}) => push(metric, value, labels, about, {}),
    count: (metric, value, labels, about = {}) => push(metric, value, labels, about, { old: true }),
    feed: (metric, value, labels, about = {}) => push(metric, value, labels, about, { old: true, quiet: true }),
  };
}

/** One queue, vhost or broker, whatever else is measured. */
export function keyOf({ scope, vhost, queue }: Named): string {
  return JSON.stringify([scope, vhost ?? null, queue ?? null]);
}

function measureDepth(to: Measure, { messages, ready, unacked, countedAtMs }: Depth, labels: Named): void {
  const about = { countedAtMs, origin: to.originOf(labels) };
  to.add(metrics.messages, messages, labels, about);
  to.add(metrics.ready, ready, labels, about);
  to.add(metrics.unacked, unacked, labels, about);
}

function measureCounts(to: Measure, counts: Counts | undefined, labels: Named): void {
  if (counts === undefined) return;
  const { count } = to;
  const about = { countedAtMs: counts.countedAtMs, origin: to.originOf(labels) };
  count(metrics.published, counts.published, labels, about);
  count(metrics.delivered, counts.delivered, labels, about);
  count(metrics.acked, counts.acked, labels, about);
  count(metrics.redelivered, counts.redelivered, labels, about);
  count(metrics.got, counts.got, labels, about);
  count(metrics.returned, counts.returned, labels, about);
  count(metrics.confirmed, counts.confirmed, labels, about);
  to.feed(metrics.settled, counts.settled, labels, about);
}

export function measureQueue(
  to: Measure,
  queue: QueueRecord,
  verdict: Verdict | undefined,
  cluster: string | undefined,
): void {
  const labels = { cluster, scope: 'queue', vhost: queue.vhost, queue: queue.name };
  to.note(labels, queue.counts);
  measureDepth(to, queue, labels);
  measureCounts(to, queue.counts, labels);
  const about = { origin: to.originOf(labels) };
  to.add(metrics.consumers, queue.consumers, labels, about);
  to.add(metrics.consumer_utilisation, queue.consumerUtilisation, labels, about);
  to.add(metrics.memory_bytes, queue.memoryBytes, labels, about);
  to.add(metrics.stuck, verdict?.stuck, labels, about);
  const { state, type, leader } = queue;
  if (verdict?.reason !== undefined) to.add(metrics.stuck_reason, true, { ...labels, reason: verdict.reason });
  if (state !== undefined) to.add(metrics.state, true, { ...labels, state: STATES.has(state) ? state : 'other' });
  if (type !== undefined) to.add(metrics.type, true, { ...labels, type: TYPES.has(type) ? type : 'other' });
  if (leader !== undefined) to.add(metrics.leader, true, { ...labels, node: leader });
}

export function measureGroup(to: Measure, group: GroupSums, cluster: string | undefined): void {
  const labels = { cluster, scope: 'group', vhost: group.vhost, queue: group.group };
  const about = { origin: to.originOf(labels) };
  measureDepth(to, group, labels);
  to.add(metrics.consumers, group.consumers, labels, about);
  to.add(metrics.memory_bytes, group.memoryBytes, labels, about);
  to.add(metrics.queues, group.queues, labels, about);
  to.add(metrics.unconsumed_queues, group.unconsumed, labels, about);
}

/** Sums over the listed queues; of the whole broker, and of each vhost, where the list had all of them. */
export interface ListSums {
  readonly all: Sums | undefined;
  readonly vhosts: ReadonlyMap<string, Sums>;
}

/** Just after a start the broker's own sums are 0 for some seconds, while its queues already tell their messages. */
function totalDepth(told: Depth, summed: Depth | undefined): Depth {
  if (summed === undefined) return told;
  const isBehind = told.messages === 0 && (summed.messages ?? 0) > 0;
  return told.messages === undefined || isBehind ? summed : told;
}

/**
 * The status, with the sums over the listed queues where the broker itself gave none. It has every vhost that this user
 * may see; only of those that are `wanted` vhosts and exchanges are sent.
 */
export function measureStatus(
  to: Measure,
  status: Status,
  sums: ListSums | undefined,
  cluster: string | undefined,
  wanted: (vhost: string) => boolean = () => true,
): void {
  for (const one of status.vhosts) {
    if (!wanted(one.vhost)) continue;
    const labels = { cluster, scope: 'vhost', vhost: one.vhost, queue: undefined };
    const summed = sums?.vhosts.get(one.vhost);
    to.note(labels, one.counts);
    measureDepth(to, totalDepth(one, summed), labels);
    measureCounts(to, one.counts, labels);
    to.add(metrics.queues, summed?.queues, labels, { origin: to.originOf(labels) });
    to.add(brokerMetrics.vhost_running, one.running, { cluster, scope: 'vhost', vhost: one.vhost });
  }
  for (const one of status.nodes) measureNode(to, one, cluster);
  for (const one of status.exchanges) if (wanted(one.vhost)) measureExchange(to, one, cluster);
  measureLinks(to, status.links, cluster);
  if (status.broker === undefined) return;
  const { broker } = status;
  const labels = { cluster, scope: 'broker' };
  const whole = { ...labels, vhost: undefined, queue: undefined };
  to.note(whole, broker.counts);
  measureDepth(to, totalDepth(broker, sums?.all), whole);
  measureCounts(to, broker.counts, whole);
  const about = { origin: to.originOf(whole) };
  to.add(metrics.consumers, broker.consumers, whole, about);
  to.add(metrics.queues, broker.queues ?? sums?.all?.queues, whole, about);
  to.add(brokerMetrics.alarm, broker.alarm, labels);
  to.add(brokerMetrics.counts_messages, broker.countsMessages, labels);
  to.add(brokerMetrics.connections, broker.connections, labels);
  to.add(brokerMetrics.channels, broker.channels, labels);
  to.add(brokerMetrics.exchanges, broker.exchanges, labels);
  to.count(brokerMetrics.connections_opened, broker.churn?.connectionsOpened, labels);
  to.count(brokerMetrics.connections_closed, broker.churn?.connectionsClosed, labels);
  to.count(brokerMetrics.channels_opened, broker.churn?.channelsOpened, labels);
  to.count(brokerMetrics.channels_closed, broker.churn?.channelsClosed, labels);
  to.count(brokerMetrics.queues_declared, broker.churn?.queuesDeclared, labels);
  to.count(brokerMetrics.queues_created, broker.churn?.queuesCreated, labels);
  to.count(brokerMetrics.queues_deleted, broker.churn?.queuesDeleted, labels);
  if (broker.version !== undefined)
    to.add(brokerMetrics.version_info, true, { ...labels, version: broker.version.slice(0, 40) });
}

function measureNode(to: Measure, one: NodeRecord, cluster: string | undefined): void {
  const labels = { cluster, scope: 'node', node: one.node };
  to.add(brokerMetrics.running, one.running, labels);
  to.add(brokerMetrics.memory_alarm, one.memoryAlarm, labels);
  to.add(brokerMetrics.disk_alarm, one.diskAlarm, labels);
  to.add(brokerMetrics.partitions, one.partitions, labels);
  to.add(brokerMetrics.drained, one.drained, labels);
  to.add(brokerMetrics.fd_used, one.fdUsed, labels);
  to.add(brokerMetrics.fd_limit, one.fdTotal, labels);
  to.add(brokerMetrics.sockets_used, one.socketsUsed, labels);
  to.add(brokerMetrics.sockets_limit, one.socketsTotal, labels);
  to.add(brokerMetrics.processes_used, one.processesUsed, labels);
  to.add(brokerMetrics.processes_limit, one.processesTotal, labels);
  to.add(brokerMetrics.memory_used_bytes, one.memoryUsedBytes, labels);
  to.add(brokerMetrics.memory_limit_bytes, one.memoryLimitBytes, labels);
  to.add(brokerMetrics.disk_free_bytes, one.diskFreeBytes, labels);
  to.add(brokerMetrics.disk_limit_bytes, one.diskFreeLimitBytes, labels);
  to.add(brokerMetrics.run_queue, one.runQueue, labels);
  to.add(brokerMetrics.uptime_seconds, one.uptimeSeconds, labels);
  to.count(brokerMetrics.schema_ram_transactions, one.schemaRamTransactions, labels);
  to.count(brokerMetrics.schema_disk_transactions, one.schemaDiskTransactions, labels);
  for (const { peer, sentBytes, receivedBytes } of one.peers) {
    to.count(brokerMetrics.peer_sent_bytes, sentBytes, { ...labels, scope: 'peer', peer });
    to.count(brokerMetrics.peer_received_bytes, receivedBytes, { ...labels, scope: 'peer', peer });
  }
}

function measureExchange(to: Measure, one: ExchangeRecord, cluster: string | undefined): void {
  const labels = { cluster, scope: 'exchange', vhost: one.vhost, exchange: exchangeName(one.exchange) };
  to.count(brokerMetrics.published_in, one.publishedIn, labels);
  to.count(brokerMetrics.published_out, one.publishedOut, labels);
}

/** Several links of one name (federation on several nodes) are one, that runs where all do. */
function measureLinks(to: Measure, links: readonly LinkRecord[], cluster: string | undefined): void {
  const running = new Map<string, { readonly labels: Named; running: boolean }>();
  for (const { kind, vhost, name, running: runs } of links) {
    const key = JSON.stringify([kind, vhost, name]);
    const known = running.get(key);
    if (known === undefined) {
      const labels = { cluster, scope: kind, vhost: vhost === '' ? undefined : vhost, link: name };
      running.set(key, { labels, running: runs });
    } else known.running &&= runs;
  }
  for (const one of running.values()) to.add(brokerMetrics.link_running, one.running, one.labels);
}
