/** Answers of the management plugin (HTTP API, 2.x to 4.x) → records. Pure. */
import { amount, type Fields, fieldsOf, flagIn, isFields, listOf, sumOf, textIn } from './json.ts';
import type {
  BrokerRecord,
  Churn,
  Counts,
  Depth,
  ExchangeRecord,
  LinkRecord,
  NodeRecord,
  QueueRecord,
  VhostRecord,
} from './record.ts';

/**
 * The broker counts every five seconds (`collect_statistics_interval`), so what it says at any moment is up to so old.
 * Asked for samples (`msg_rates_age`, `lengths_age`), it also says when: each `*_details` has the newest first.
 */
function sampledAt(
  fields: Fields,
  keys: readonly string[],
): { readonly atMs: number | undefined; readonly fields: Fields } {
  const samples = keys.map((key) => [key, newestOf(fieldsOf(fields[`${key}_details`]))] as const);
  const atMs = samples.reduce<number | undefined>((newest, [, one]) => {
    return one !== undefined && (newest === undefined || one.atMs > newest) ? one.atMs : newest;
  }, undefined);
  if (atMs === undefined) return { atMs, fields };
  const sampled = samples.flatMap(([key, one]) => (one?.atMs === atMs ? [[key, one.value] as const] : []));
  return { atMs, fields: { ...fields, ...Object.fromEntries(sampled) } };
}

function newestOf({ samples }: Fields): { readonly atMs: number; readonly value: number } | undefined {
  const newest = fieldsOf(listOf(samples)[0]);
  const [atMs, value] = [amount(newest, 'timestamp'), amount(newest, 'sample')];
  return atMs === undefined || value === undefined ? undefined : { atMs, value };
}

const DEPTHS = ['messages', 'messages_ready', 'messages_unacknowledged'];

function depthOf(from: Fields): Depth {
  const { fields, atMs } = sampledAt(from, DEPTHS);
  const ready = amount(fields, 'messages_ready');
  const unacked = amount(fields, 'messages_unacknowledged');
  return { messages: amount(fields, 'messages'), ready, unacked, countedAtMs: atMs };
}

const COUNTED = ['publish', 'deliver_get', 'deliver', 'deliver_no_ack', 'ack', 'get', 'get_no_ack'];
const EVENTS = [...COUNTED, 'redeliver', 'return_unroutable', 'confirm'];

/** `message_stats` is absent, `{}` or `[]` until something happens, and lacks what did not happen. */
export function countsOf(fields: Fields): Counts | undefined {
  if (!isFields(fields.message_stats)) return undefined;
  const { fields: stats, atMs } = sampledAt(fields.message_stats, EVENTS);
  // With rates_mode none there are disk reads and writes alone, and nothing is known of messages.
  if (!COUNTED.some((key) => amount(stats, key) !== undefined)) return undefined;
  const or0 = (...keys: readonly string[]): number => sumOf(stats, ...keys) ?? 0;
  return {
    published: or0('publish'),
    delivered: or0('deliver', 'deliver_no_ack'),
    acked: or0('ack'),
    redelivered: or0('redeliver'),
    got: or0('get', 'get_no_ack'),
    returned: or0('return_unroutable', 'return'),
    confirmed: or0('confirm'),
    settled: or0('ack', 'deliver_no_ack', 'get_no_ack'),
    countedAtMs: atMs,
  };
}

/**
 * Of a single queue's depth the broker dates the newest sample up to five seconds ahead (`range_ceil`): it is what the
 * queue says now, under a time that is not come yet. The one before it is dated right; but where it is 0 it may stand for
 * a time in which nothing was known, as just after a start.
 */
function queueDepthOf(from: Fields): Depth {
  const past = Object.fromEntries(
    DEPTHS.map((key) => [`${key}_details`, withoutNewest(fieldsOf(from[`${key}_details`]))]),
  );
  const depth = depthOf({ ...from, ...past });
  const now = amount(from, 'messages');
  return depth.countedAtMs === undefined || (depth.messages === 0 && now !== 0) ? depthOf(undated(from)) : depth;
}

function withoutNewest({ samples, ...rest }: Fields): Fields {
  return { ...rest, samples: listOf(samples).slice(1) };
}

function undated(from: Fields): Fields {
  return { ...from, ...Object.fromEntries(DEPTHS.map((key) => [`${key}_details`, undefined])) };
}

/** Undefined: it is no queue. One that is on a node that is down has little more than its name. */
export function queueOf(value: unknown): QueueRecord | undefined {
  const fields = fieldsOf(value);
  const vhost = textIn(fields, 'vhost');
  const name = typeof fields.name === 'string' ? fields.name : undefined;
  if (vhost === undefined || name === undefined) return undefined;
  const consumers = amount(fields, 'consumers');
  return {
    ...{ vhost, name, ...queueDepthOf(fields), consumers },
    // Without consumers it is 0, null, "" or absent, and says nothing.
    consumerUtilisation: consumers === 0 ? undefined : amount(fields, 'consumer_utilisation'),
    memoryBytes: amount(fields, 'memory'),
    state: textIn(fields, 'state'),
    type: textIn(fields, 'type'),
    leader: textIn(fields, 'leader') ?? textIn(fields, 'node'),
    counts: queueCounts(fields),
  };
}

/** What is returned or confirmed is counted by channel and exchange, and never by queue. */
function queueCounts(fields: Fields): Counts | undefined {
  const counts = countsOf(fields);
  return counts === undefined ? undefined : { ...counts, returned: undefined, confirmed: undefined };
}

export function vhostOf(value: unknown): VhostRecord | undefined {
  const fields = fieldsOf(value);
  const vhost = textIn(fields, 'name');
  if (vhost === undefined) return undefined;
  const states = Object.values(fieldsOf(fields.cluster_state));
  const running = states.length === 0 ? undefined : states.every((state) => state === 'running');
  return { vhost, ...depthOf(fields), counts: countsOf(fields), running };
}

export function overviewOf(value: unknown, alarm: boolean | undefined): BrokerRecord {
  const fields = fieldsOf(value);
  const totals = fieldsOf(fields.object_totals);
  const mode = textIn(fields, 'rates_mode');
  const disabled = flagIn(fields, 'disable_stats');
  return {
    ...depthOf(fieldsOf(fields.queue_totals)),
    // 2.x has that of the plugin alone, which is the same.
    version: textIn(fields, 'rabbitmq_version') ?? textIn(fields, 'management_version'),
    counts: countsOf(fields),
    churn: churnOf(fields.churn_rates),
    connections: amount(totals, 'connections'),
    channels: amount(totals, 'channels'),
    consumers: amount(totals, 'consumers'),
    exchanges: amount(totals, 'exchanges'),
    queues: amount(totals, 'queues'),
    alarm,
    statistics: disabled === undefined ? undefined : !disabled,
    countsMessages: disabled === true ? false : mode === undefined ? undefined : mode !== 'none',
  };
}

function churnOf(value: unknown): Churn | undefined {
  if (!isFields(value) || Object.keys(value).length === 0) return undefined;
  return {
    connectionsOpened: amount(value, 'connection_created'),
    connectionsClosed: amount(value, 'connection_closed'),
    channelsOpened: amount(value, 'channel_created'),
    channelsClosed: amount(value, 'channel_closed'),
    queuesDeclared: amount(value, 'queue_declared'),
    queuesCreated: amount(value, 'queue_created'),
    queuesDeleted: amount(value, 'queue_deleted'),
  };
}

/** A node that does not run has its name and type alone. */
export function nodeOf(value: unknown): NodeRecord | undefined {
  const fields = fieldsOf(value);
  const node = textIn(fields, 'name');
  if (node === undefined) return undefined;
  const sockets = amount(fields, 'sockets_total');
  const uptimeMs = amount(fields, 'uptime');
  const hasSockets = sockets !== undefined && sockets > 0;
  return {
    node,
    running: flagIn(fields, 'running'),
    memoryAlarm: flagIn(fields, 'mem_alarm'),
    diskAlarm: flagIn(fields, 'disk_free_alarm'),
    partitions: Array.isArray(fields.partitions) ? fields.partitions.length : undefined,
    fdUsed: amount(fields, 'fd_used'),
    fdTotal: amount(fields, 'fd_total'),
    socketsUsed: hasSockets ? amount(fields, 'sockets_used') : undefined,
    socketsTotal: hasSockets ? sockets : undefined,
    processesUsed: amount(fields, 'proc_used'),
    processesTotal: amount(fields, 'proc_total'),
    memoryUsedBytes: amount(fields, 'mem_used'),
    memoryLimitBytes: amount(fields, 'mem_limit'),
    diskFreeBytes: amount(fields, 'disk_free'),
    diskFreeLimitBytes: amount(fields, 'disk_free_limit'),
    runQueue: amount(fields, 'run_queue'),
    uptimeSeconds: uptimeMs === undefined ? undefined : uptimeMs / 1000,
    schemaRamTransactions: amount(fields, 'mnesia_ram_tx_count'),
    schemaDiskTransactions: amount(fields, 'mnesia_disk_tx_count'),
    drained: flagIn(fields, 'being_drained'),
    peers: listOf(fields.cluster_links).flatMap((link) => {
      const one = fieldsOf(link);
      const peer = textIn(one, 'name');
      const stats = fieldsOf(one.stats);
      const [sentBytes, receivedBytes] = [amount(stats, 'send_bytes'), amount(stats, 'recv_bytes')];
      return peer === undefined ? [] : [{ peer, sentBytes, receivedBytes }];
    }),
  };
}

export function exchangeOf(value: unknown): ExchangeRecord | undefined {
  const fields = fieldsOf(value);
  const vhost = textIn(fields, 'vhost');
  const exchange = typeof fields.name === 'string' ? fields.name : undefined;
  if (vhost === undefined || exchange === undefined) return undefined;
  const stats = fieldsOf(fields.message_stats);
  return { vhost, exchange, publishedIn: amount(stats, 'publish_in'), publishedOut: amount(stats, 'publish_out') };
}

/** `/api/federation-links`: one for each upstream of each exchange or queue. */
export function federationOf(value: unknown): LinkRecord | undefined {
  const fields = fieldsOf(value);
  const vhost = textIn(fields, 'vhost');
  const status = textIn(fields, 'status');
  if (vhost === undefined || status === undefined) return undefined;
  const of = textIn(fields, 'exchange') ?? textIn(fields, 'queue') ?? '';
  const name = `${textIn(fields, 'upstream') ?? ''} ${of}`.trim();
  return { kind: 'federation', vhost, name, running: status === 'running' };
}

/** `/api/shovels`; static ones have no vhost. */
export function shovelOf(value: unknown): LinkRecord | undefined {
  const fields = fieldsOf(value);
  const name = textIn(fields, 'name');
  const state = textIn(fields, 'state');
  if (name === undefined || state === undefined) return undefined;
  return { kind: 'shovel', vhost: textIn(fields, 'vhost') ?? '', name, running: state === 'running' };
}
