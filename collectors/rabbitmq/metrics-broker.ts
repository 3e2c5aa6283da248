/** The broker, its vhosts, nodes, exchanges and links, and what asking it costs. */
import { counter, duration, gauge, ratio } from '../../src/metric.ts';

const broker = ['cluster', 'scope'] as const;
const node = ['cluster', 'scope', 'node'] as const;

const overview = '/api/overview';
const nodes = '/api/nodes';

const brokerGauge = (name: string, unit: string, source: string, help: string) =>
  gauge(name, { unit, labels: broker, source: `${overview}: ${source}`, help });
const churn = (name: string, unit: string, help: string) =>
  counter(name, { unit, labels: broker, source: `${overview}: churn_rates; /metrics`, help });
const nodeGauge = (name: string, unit: string, source: string, help: string) =>
  gauge(name, { unit, labels: node, source: `${nodes}: ${source}`, help });
const share = (name: string, used: ReturnType<typeof nodeGauge>, total: ReturnType<typeof nodeGauge>, help: string) =>
  ratio(name, { numerator: used, denominator: [total], help });
const flag = (name: string, source: string, help: string) => nodeGauge(name, 'boolean', source, help);

const fdUsed = nodeGauge('fd_used', 'descriptors', 'fd_used', 'Open files of the node.');
const fdTotal = nodeGauge('fd_limit', 'descriptors', 'fd_total', 'The most that it may open.');
const socketsUsed = nodeGauge('sockets_used', 'sockets', 'sockets_used', 'Sockets in use; 4.x does not tell.');
const socketsTotal = nodeGauge('sockets_limit', 'sockets', 'sockets_total', 'The most that it may use.');
const processesUsed = nodeGauge('processes_used', 'processes', 'proc_used', 'Erlang processes.');
const processesTotal = nodeGauge('processes_limit', 'processes', 'proc_total', 'The most that there may be.');
const memoryUsed = nodeGauge('memory_used_bytes', 'bytes', 'mem_used', 'Memory that the node uses.');
const memoryLimit = nodeGauge(
  'memory_limit_bytes',
  'bytes',
  'mem_limit',
  'Above this (vm_memory_high_watermark) publishers are blocked.',
);

export const brokerMetrics = {
  alarm: gauge('alarm', {
    unit: 'boolean',
    labels: broker,
    source: '/api/health/checks/alarms; /metrics: rabbitmq_alarms_*',
    help: '1: an alarm is in force on a node, and publishers are blocked.',
  }),
  counts_messages: brokerGauge(
    'counts_messages',
    'boolean',
    'rates_mode, disable_stats',
    '0: the broker does not count messages by queue, so there are no rates.',
  ),
  connections: brokerGauge('connections', 'connections', 'object_totals', 'Connections of clients.'),
  channels: brokerGauge('channels', 'channels', 'object_totals', 'Channels of clients.'),
  exchanges: brokerGauge('exchanges', 'exchanges', 'object_totals', 'Exchanges.'),
  connections_opened: churn('connections_opened', 'connections', 'Connections opened: churn.'),
  connections_closed: churn('connections_closed', 'connections', 'Connections closed.'),
  channels_opened: churn('channels_opened', 'channels', 'Channels opened: churn.'),
  channels_closed: churn('channels_closed', 'channels', 'Channels closed.'),
  queues_declared: churn('queues_declared', 'queues', 'Queues declared, whether they existed or not.'),
  queues_created: churn('queues_created', 'queues', 'Queues created: churn.'),
  queues_deleted: churn('queues_deleted', 'queues', 'Queues deleted.'),
  version_info: gauge('version_info', {
    unit: 'boolean',
    labels: [...broker, 'version'],
    source: `${overview}: rabbitmq_version`,
    help: '1, with the version that runs.',
  }),
  vhost_running: gauge('vhost_running', {
    unit: 'boolean',
    labels: [...broker, 'vhost'],
    source: '/api/vhosts: cluster_state',
    help: '1: the vhost runs on every node that runs.',
  }),

  running: flag('running', 'running', '1: the node runs.'),
  memory_alarm: flag('memory_alarm', 'mem_alarm', '1: the node uses more memory than its limit.'),
  disk_alarm: flag('disk_alarm', 'disk_free_alarm', '1: the node has less free disk than its limit.'),
  partitions: nodeGauge(
    'partitions',
    'nodes',
    'partitions',
    'Nodes that it lost sight of: above 0 the cluster is split.',
  ),
  drained: flag('drained', 'being_drained', '1: the node is drained for maintenance.'),
  fd_used: fdUsed,
  fd_limit: fdTotal,
  fd_ratio: share('fd_ratio', fdUsed, fdTotal, 'Open files over their limit.'),
  sockets_used: socketsUsed,
  sockets_limit: socketsTotal,
  sockets_ratio: share('sockets_ratio', socketsUsed, socketsTotal, 'Sockets over their limit.'),
  processes_used: processesUsed,
  processes_limit: processesTotal,
  processes_ratio: share('processes_ratio', processesUsed, processesTotal, 'Erlang processes over their limit.'),
  memory_used_bytes: memoryUsed,
  memory_limit_bytes: memoryLimit,
  memory_ratio: share('memory_ratio', memoryUsed, memoryLimit, 'Memory over its limit: at 1 publishers are blocked.'),
  disk_free_bytes: nodeGauge('disk_free_bytes', 'bytes', 'disk_free', 'Free disk.'),
  disk_limit_bytes: nodeGauge('disk_limit_bytes', 'bytes', 'disk_free_limit', 'Below this publishers are blocked.'),
  run_queue: nodeGauge('run_queue', 'processes', 'run_queue', 'Erlang processes that wait for a CPU.'),
  uptime_seconds: nodeGauge('uptime_seconds', 'seconds', 'uptime', 'How long the node has run.'),
  schema_ram_transactions: counter('schema_ram_transactions', {
    unit: 'transactions',
    labels: node,
    source: `${nodes}: mnesia_ram_tx_count`,
    help: 'Transactions of the schema (Mnesia) in memory; a node with Khepri has none.',
  }),
  schema_disk_transactions: counter('schema_disk_transactions', {
    unit: 'transactions',
    labels: node,
    source: `${nodes}: mnesia_disk_tx_count`,
    help: 'Transactions of the schema (Mnesia) on disk: declarations of durable things.',
  }),
  peer_sent_bytes: counter('peer_sent_bytes', {
    unit: 'bytes',
    labels: [...node, 'peer'],
    source: `${nodes}: cluster_links`,
    help: 'Sent to another node of the cluster.',
  }),
  peer_received_bytes: counter('peer_received_bytes', {
    unit: 'bytes',
    labels: [...node, 'peer'],
    source: `${nodes}: cluster_links`,
    help: 'Received from another node of the cluster.',
  }),

  published_in: counter('published_in', {
    unit: 'messages',
    labels: [...broker, 'vhost', 'exchange'],
    source: '/api/exchanges: message_stats.publish_in',
    help: 'Messages published into the exchange.',
  }),
  published_out: counter('published_out', {
    unit: 'messages',
    labels: [...broker, 'vhost', 'exchange'],
    source: '/api/exchanges: message_stats.publish_out',
    help: 'Messages that the exchange put into queues or other exchanges.',
  }),
  link_running: gauge('link_running', {
    unit: 'boolean',
    labels: [...broker, 'vhost', 'link'],
    source: '/api/federation-links; /api/shovels',
    help: '1: the federation link, or the shovel, runs.',
  }),

  endpoint_up: gauge('endpoint_up', {
    unit: 'boolean',
    labels: [...broker, 'endpoint'],
    source: 'the requests of this run',
    help: '1: this URL answered; 0: it did not. Absent: it was not asked.',
  }),
  requests: gauge('requests', {
    unit: 'requests',
    labels: broker,
    source: 'this run',
    help: 'Requests, or programs started.',
  }),
  source_seconds: duration('source_seconds', {
    labels: [...broker, 'part'],
    source: 'this run',
    help: 'How long it took to list the queues (list), or to ask for their counts (details).',
  }),
  source_age_seconds: gauge('source_age_seconds', {
    unit: 'seconds',
    labels: [...broker, 'part'],
    source: 'this run',
    help: 'How old that is: above 0 it was too slow to be asked in each run.',
  }),
  queues_left_out: gauge('queues_left_out', {
    unit: 'queues',
    labels: broker,
    source: 'maxQueues',
    help: 'Queues that would be sent by name, but are more than maxQueues.',
  }),
  queues_unknown: gauge('queues_unknown', {
    unit: 'queues',
    labels: broker,
    source: '/api/queues without messages',
    help: 'Queues of which the broker does not tell the messages: just declared, or on a node that is down.',
  }),
  state_changes: counter('state_changes', {
    unit: 'events',
    labels: [...broker, 'change'],
    source: 'two runs beside each other',
    help: 'Changes of state since edgestatd watches: alarm_raised, alarm_cleared, partitioned, healed, queue_stuck, queue_unstuck, node_down, node_up.',
  }),
};
