/** What a source reads of a broker: records. What a source cannot tell is undefined, and never an invented 0. */
import type { Failure } from '../../src/errors.ts';

/** Messages in a queue, or in all queues of a vhost or broker. */
export interface Depth {
  readonly messages: number | undefined;
  readonly ready: number | undefined;
  /** Delivered, and not yet acknowledged. */
  readonly unacked: number | undefined;
  /** When the broker counted them, by its own clock, where it tells. */
  readonly countedAtMs?: number | undefined;
}

/** Totals since the queue, or its node, began. */
export interface Counts {
  readonly published: number | undefined;
  /** To consumers, whether they acknowledge (`deliver`) or need not (`deliver_no_ack`). */
  readonly delivered: number | undefined;
  readonly acked: number | undefined;
  readonly redelivered: number | undefined;
  /** By basic.get, whether to be acknowledged (`get`) or not (`get_no_ack`). */
  readonly got: number | undefined;
  readonly returned: number | undefined;
  readonly confirmed: number | undefined;
  /** What the broker is rid of: acknowledged, or handed to who need not acknowledge. */
  readonly settled: number | undefined;
  /** When the broker counted them, by its own clock, where it tells. */
  readonly countedAtMs?: number | undefined;
}

/** A queue's name is unique in its vhost alone. */
export interface QueueName {
  readonly vhost: string;
  readonly name: string;
}

/** One text for both names, which may contain any character: the length tells where the vhost ends. */
export function queueKey({ vhost, name }: QueueName): string {
  return `${vhost.length}:${vhost}${name}`;
}

export interface QueueRecord extends QueueName, Depth {
  readonly consumers: number | undefined;
  /** 0 to 1: how much of the time its consumers could take a message at once. */
  readonly consumerUtilisation: number | undefined;
  readonly memoryBytes: number | undefined;
  /** As the broker says: running, idle, flow, down, stopped, crashed, minority, terminated, live. */
  readonly state: string | undefined;
  /** classic, quorum or stream. */
  readonly type: string | undefined;
  /** The node that has its leader (of classic queues: the queue itself). */
  readonly leader: string | undefined;
  /** Undefined: this reading has none. */
  readonly counts: Counts | undefined;
}

export interface VhostRecord extends Depth {
  readonly vhost: string;
  readonly counts: Counts | undefined;
  /** On every running node. */
  readonly running: boolean | undefined;
}

/** Totals since the node began, or summed over the nodes. */
export interface Churn {
  readonly connectionsOpened: number | undefined;
  readonly connectionsClosed: number | undefined;
  readonly channelsOpened: number | undefined;
  readonly channelsClosed: number | undefined;
  readonly queuesDeclared: number | undefined;
  readonly queuesCreated: number | undefined;
  readonly queuesDeleted: number | undefined;
}

export interface BrokerRecord extends Depth {
  readonly version: string | undefined;
  readonly counts: Counts | undefined;
  readonly churn: Churn | undefined;
  readonly connections: number | undefined;
  readonly channels: number | undefined;
  readonly consumers: number | undefined;
  readonly exchanges: number | undefined;
  readonly queues: number | undefined;
  /** An alarm is in force on any node: publishers are blocked. */
  readonly alarm: boolean | undefined;
  /** The broker counts messages by queue (`rates_mode` is not none, statistics are not disabled). */
  readonly countsMessages: boolean | undefined;
  /** It has statistics of queues at all; undefined: it does not say. */
  readonly statistics?: boolean | undefined;
}

export interface PeerRecord {
  readonly peer: string;
  readonly sentBytes: number | undefined;
  readonly receivedBytes: number | undefined;
}

export interface NodeRecord {
  readonly node: string;
  readonly running: boolean | undefined;
  readonly memoryAlarm: boolean | undefined;
  readonly diskAlarm: boolean | undefined;
  /** Other nodes that it cannot see any more. */
  readonly partitions: number | undefined;
  readonly fdUsed: number | undefined;
  readonly fdTotal: number | undefined;
  readonly socketsUsed: number | undefined;
  /** Undefined also where the broker tells 0 of 0 (4.x). */
  readonly socketsTotal: number | undefined;
  readonly processesUsed: number | undefined;
  readonly processesTotal: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly diskFreeBytes: number | undefined;
  readonly diskFreeLimitBytes: number | undefined;
  readonly runQueue: number | undefined;
  readonly uptimeSeconds: number | undefined;
  readonly schemaRamTransactions: number | undefined;
  readonly schemaDiskTransactions: number | undefined;
  /** Drained for maintenance. */
  readonly drained: boolean | undefined;
  readonly peers: readonly PeerRecord[];
}

export interface ExchangeRecord {
  readonly vhost: string;
  readonly exchange: string;
  readonly publishedIn: number | undefined;
  readonly publishedOut: number | undefined;
}

/** A federation link or a shovel. */
export interface LinkRecord {
  readonly kind: 'federation' | 'shovel';
  readonly vhost: string;
  readonly name: string;
  readonly running: boolean;
}

/** All but the queues: cheap to ask. */
export interface Status {
  readonly broker: BrokerRecord | undefined;
  readonly vhosts: readonly VhostRecord[];
  readonly nodes: readonly NodeRecord[];
  readonly exchanges: readonly ExchangeRecord[];
  readonly links: readonly LinkRecord[];
  /** Each says by its labels (`scope`, `node`) what is unknown for it. */
  readonly problems: readonly Failure[];
}

export interface Listing {
  readonly queues: readonly QueueRecord[];
  /** What was not all read says by its labels (`vhost`) what is unknown for it. */
  readonly problems: readonly Failure[];
  /** Queues that were wanted, and not asked for in this run. */
  readonly unasked?: readonly QueueName[];
}

/** One way to ask a broker, during one run. */
export interface Source {
  /** Rejects where the broker cannot be asked at all. */
  status(): Promise<Status>;
  /** Every queue that can be seen in the vhosts that are asked for; counts of those that are `wanted` by name. */
  list(wanted: (queue: QueueName) => boolean): Promise<Listing>;
  /**
   * These queues, with their counts; one that does not exist any more is not among them.
   * Absent: `list` tells all that the source knows of a queue.
   */
  details?(queues: readonly QueueName[]): Promise<Listing>;
}

export const noDepth: Depth = { messages: undefined, ready: undefined, unacked: undefined };
