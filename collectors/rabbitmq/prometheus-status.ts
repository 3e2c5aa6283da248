/** Records of a node and a broker, made of what `/metrics` of each node says. Pure. */
import { Failure } from '../../src/errors.ts';
import { labelOf, readPrometheusText } from './prometheus-text.ts';
import type { BrokerRecord, Churn, Counts, NodeRecord, PeerRecord } from './record.ts';

/** Who answered: every page of the plugin ends with it. */
export interface Identity {
  readonly node: string;
  readonly version: string | undefined;
}

export interface NodePage {
  readonly identity: Identity;
  /** By family, summed over its samples: protocols and queue types; objects, where the page is one by object. */
  readonly sums: ReadonlyMap<string, number>;
  readonly peers: readonly PeerRecord[];
  readonly problem: Failure | undefined;
}

/** Collects who answered while a page is read; `known()` throws E_PARSE where it was no page of RabbitMQ, or half of one. */
export function identityReader() {
  let node: string | undefined;
  let version: string | undefined;
  return {
    take(family: string, labels: readonly string[]): void {
      if (family === 'rabbitmq_identity_info') node = labelOf(labels, 'rabbitmq_node');
      else if (family === 'rabbitmq_build_info') version = labelOf(labels, 'rabbitmq_version');
    },
    known(problem: Failure | undefined): Identity {
      if (node !== undefined && node !== '') return { node, version };
      if (problem !== undefined) throw problem;
      const expected = 'expected rabbitmq_identity_info: is this the prometheus plugin of RabbitMQ?';
      throw new Failure('E_PARSE', `the text does not say which node it is of; ${expected}`);
    },
  };
}

/** `/metrics`, of 3.8 to 4.x. Throws E_PARSE where that is not what the text is. */
export function parseNodePage(text: string): NodePage {
  const sums = new Map<string, number>();
  const identity = identityReader();
  const peers = new Map<string, { sent: number | undefined; received: number | undefined }>();
  const { problem } = readPrometheusText(text, (family, labels, value) => {
    identity.take(family, labels);
    if (!Number.isFinite(value)) return;
    if (family.startsWith('rabbitmq_')) sums.set(family, (sums.get(family) ?? 0) + value);
    else if (family.startsWith('erlang_vm_dist_')) {
      const isReceived = family === 'erlang_vm_dist_recv_bytes';
      if (!isReceived && family !== 'erlang_vm_dist_send_bytes') return;
      const name = labelOf(labels, 'peer') ?? '';
      const peer = peers.get(name) ?? { sent: undefined, received: undefined };
      peers.set(name, peer);
      peer[isReceived ? 'received' : 'sent'] = value;
    }
  });
  const links = [...peers].filter(([peer]) => peer !== '');
  return {
    identity: identity.known(problem),
    sums,
    peers: links.map(([peer, { sent, received }]) => ({ peer, sentBytes: sent, receivedBytes: received })),
    problem,
  };
}

/** A node whose `/metrics` could not be had, and who it is all the same. */
export function silentPage(identity: Identity, problem: Failure): NodePage {
  return { identity, sums: new Map(), peers: [], problem };
}

type Family = (name: string) => number | undefined;

/** Names are those of 3.8 to 4.3; what a version lacks (sockets from 4.0 on) is unknown. */
export function nodeOf({ identity, sums, peers }: NodePage): NodeRecord {
  const of: Family = (name) => sums.get(`rabbitmq_${name}`);
  const flag = (name: string): boolean | undefined => {
    const value = of(name);
    return value === undefined ? undefined : value > 0;
  };
  return {
    node: identity.node,
    running: true,
    memoryAlarm: flag('alarms_memory_used_watermark'),
    diskAlarm: flag('alarms_free_disk_space_watermark'),
    partitions: of('unreachable_cluster_peers_count'),
    fdUsed: of('process_open_fds'),
    fdTotal: of('process_max_fds'),
    socketsUsed: of('process_open_tcp_sockets'),
    socketsTotal: of('process_max_tcp_sockets') || undefined,
    processesUsed: of('erlang_processes_used'),
    processesTotal: of('erlang_processes_limit'),
    memoryUsedBytes: of('process_resident_memory_bytes'),
    memoryLimitBytes: of('resident_memory_limit_bytes'),
    diskFreeBytes: of('disk_space_available_bytes'),
    diskFreeLimitBytes: of('disk_space_available_limit_bytes'),
    runQueue: of('erlang_scheduler_run_queue'),
    uptimeSeconds: of('erlang_uptime_seconds'),
    schemaRamTransactions: of('schema_db_ram_tx_total'),
    schemaDiskTransactions: of('schema_db_disk_tx_total'),
    drained: undefined,
    peers,
  };
}

/** Sums over the nodes; unknown unless `isWhole`: a sum without one of them would be a fall that never was. */
export function brokerOf(pages: readonly NodePage[], isWhole: boolean): BrokerRecord {
  const of: Family = (name) => {
    let sum = isWhole && pages.length > 0 ? 0 : undefined;
    for (const { sums } of pages) {
      const value = sums.get(`rabbitmq_${name}`);
      sum = sum === undefined || value === undefined ? undefined : sum + value;
    }
    return sum;
  };
  return {
    version: pages.find(({ identity }) => identity.version !== undefined)?.identity.version,
    messages: of('queue_messages'),
    ready: of('queue_messages_ready'),
    unacked: of('queue_messages_unacked'),
    counts: countsOf(of),
    churn: churnOf(of),
    connections: of('connections'),
    channels: of('channels'),
    consumers: of('consumers'),
    exchanges: undefined,
    queues: of('queues'),
    alarm: alarmOf(pages, isWhole),
    countsMessages: undefined,
  };
}

/** One alarm anywhere blocks publishers everywhere; that there is none is known only of all nodes. */
function alarmOf(pages: readonly NodePage[], isWhole: boolean): boolean | undefined {
  const values = pages.flatMap(({ sums }) => [
    sums.get('rabbitmq_alarms_memory_used_watermark'),
    sums.get('rabbitmq_alarms_free_disk_space_watermark'),
  ]);
  if (values.some((value) => value !== undefined && value > 0)) return true;
  return isWhole && values.length > 0 && !values.includes(undefined) ? false : undefined;
}

/** rabbitmq_global_*: 3.9 and later; before there are none, and no other totals outlive a channel. */
function countsOf(of: Family): Counts | undefined {
  const total: Family = (name) => of(`global_messages_${name}_total`);
  const both = (one: string, other: string): number | undefined => plus(total(one), total(other));
  const acked = total('acknowledged');
  const counts = {
    published: total('received'),
    delivered: both('delivered_consume_manual_ack', 'delivered_consume_auto_ack'),
    acked,
    redelivered: total('redelivered'),
    got: both('delivered_get_manual_ack', 'delivered_get_auto_ack'),
    returned: total('unroutable_returned'),
    confirmed: total('confirmed'),
    settled: plus(acked, both('delivered_consume_auto_ack', 'delivered_get_auto_ack')),
  };
  return Object.values(counts).every((value) => value === undefined) ? undefined : counts;
}

function plus(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}

function churnOf(of: Family): Churn | undefined {
  const churn = {
    connectionsOpened: of('connections_opened_total'),
    connectionsClosed: of('connections_closed_total'),
    channelsOpened: of('channels_opened_total'),
    channelsClosed: of('channels_closed_total'),
    queuesDeclared: of('queues_declared_total'),
    queuesCreated: of('queues_created_total'),
    queuesDeleted: of('queues_deleted_total'),
  };
  return Object.values(churn).every((value) => value === undefined) ? undefined : churn;
}
