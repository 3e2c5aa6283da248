/** Records of queues, made of `/metrics/detailed` of one node (3.10 and later). Pure. */
import type { Failure } from '../../src/errors.ts';
import { EVENT_INDEX, EVENTS, type EventName, type EventRow, type EventRows } from './prometheus-counts.ts';
import { type Identity, identityReader } from './prometheus-status.ts';
import { type LabelPairs, labelOf, readPrometheusText } from './prometheus-text.ts';
import { ownerOf } from './prometheus-wrong.ts';
import { type QueueName, queueKey } from './record.ts';

export interface PageQueue extends QueueName {
  messages: number | undefined;
  ready: number | undefined;
  unacked: number | undefined;
  consumers: number | undefined;
  type: string | undefined;
  /** `leader`, `follower`: what this node is to it (4.1 and later). */
  membership: string | undefined;
  /** Why its depth cannot be known: unescaped labels break its lines, or let a name write lines of its own (before 3.13). */
  doubt: string | undefined;
}

export interface QueuePage {
  readonly identity: Identity;
  /** By queueKey, in the order of the page; a queue is on the page of the node that has its leader. */
  readonly queues: ReadonlyMap<string, PageQueue>;
  readonly rows: EventRows;
  /** Wanted queues by queueKey, of whose events a line could not be read. */
  readonly uncounted: ReadonlyMap<string, QueueName>;
  /** Whether the broker counts by queue (4.0 and later), and by channel (always, where it was asked to). */
  readonly countsByQueue: boolean;
  readonly countsByChannel: boolean;
  /** Every vhost of the broker, and whether it runs on this node. */
  readonly vhosts: ReadonlyMap<string, boolean>;
  readonly problem: Failure | undefined;
  /** If there is a problem, it is one of single lines. */
  readonly isSound: boolean;
}

const UNREADABLE =
  'a line of it cannot be read, since this version does not escape names; rename what has a quote or line feed in its name, or use source: management';
const DOUBLED = 'two samples of one number; expected one, so both are left out';

const DEPTHS: Readonly<Record<string, 'messages' | 'ready' | 'unacked' | 'consumers'>> = {
  rabbitmq_detailed_queue_messages: 'messages',
  rabbitmq_detailed_queue_messages_ready: 'ready',
  rabbitmq_detailed_queue_messages_unacked: 'unacked',
  rabbitmq_detailed_queue_consumers: 'consumers',
};

/** What each family counts. The first seven are of 3.10 and later, the others of 4.0 and later. */
const EVENT_FAMILIES: Readonly<Record<string, EventName>> = {
  rabbitmq_detailed_queue_messages_published_total: 'published',
  rabbitmq_detailed_channel_get_ack_total: 'getAck',
  rabbitmq_detailed_channel_get_total: 'getAuto',
  rabbitmq_detailed_channel_messages_delivered_ack_total: 'deliverAck',
  rabbitmq_detailed_channel_messages_delivered_total: 'deliverAuto',
  rabbitmq_detailed_channel_messages_redelivered_total: 'redelivered',
  rabbitmq_detailed_channel_messages_acked_total: 'acked',
  rabbitmq_detailed_queue_exchange_messages_published_total: 'published',
  rabbitmq_detailed_queue_get_ack_total: 'getAck',
  rabbitmq_detailed_queue_get_total: 'getAuto',
  rabbitmq_detailed_queue_messages_delivered_ack_total: 'deliverAck',
  rabbitmq_detailed_queue_messages_delivered_total: 'deliverAuto',
  rabbitmq_detailed_queue_messages_redelivered_total: 'redelivered',
  rabbitmq_detailed_queue_messages_acked_total: 'acked',
};

const TYPES: Readonly<Record<string, string>> = {
  rabbit_classic_queue: 'classic',
  rabbit_quorum_queue: 'quorum',
  rabbit_stream_queue: 'stream',
};

/** A slice of a text keeps the whole text in memory, here megabytes for a name that lives on in a series. */
function copied(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

interface Rows {
  readonly all: Map<string, EventRow>;
  take(event: EventName, labels: LabelPairs, value: number): void;
}

/** Several exchanges publish into one queue: their samples are one row. */
function eventRows(wanted: (queue: QueueName) => boolean): Rows {
  const all = new Map<string, EventRow>();
  const unwanted = new Set<string>();
  return {
    all,
    take(event, labels, value) {
      const vhost = labelOf(labels, 'queue_vhost') ?? labelOf(labels, 'vhost');
      const name = labelOf(labels, 'queue');
      if (vhost === undefined || name === undefined || unwanted.has(queueKey({ vhost, name }))) return;
      const queue = queueKey({ vhost, name });
      const key = `${labelOf(labels, 'channel') ?? ''} ${queue}`;
      let row = all.get(key);
      if (row === undefined) {
        if (!wanted({ vhost, name })) {
          unwanted.add(queue);
          return;
        }
        row = { queue, values: new Float64Array(EVENTS.length) };
        all.set(key, row);
      }
      const at = EVENT_INDEX[event];
      row.values[at] = (row.values[at] ?? 0) + value;
    },
  };
}

/** `isAsked`: the vhosts of interest; rows of channels come for all. `wanted`: queues whose events are of interest. */
export function parseQueuePage(
  text: string,
  isAsked: (vhost: string) => boolean,
  wanted: (queue: QueueName) => boolean,
): QueuePage {
  const identity = identityReader();
  const queues = new Map<string, PageQueue>();
  const vhosts = new Map<string, boolean>();
  const families = new Set<string>();
  const uncounted = new Map<string, QueueName>();
  const isWanted = (queue: QueueName): boolean => isAsked(queue.vhost) && wanted(queue);
  const rows = eventRows(isWanted);

  const queueOf = (vhost: string | undefined, name: string | undefined): PageQueue | undefined => {
    if (vhost === undefined || name === undefined || !isAsked(vhost)) return undefined;
    const key = queueKey({ vhost, name });
    let queue = queues.get(key);
    if (queue === undefined) {
      queue = newQueue(copied(vhost), copied(name));
      queues.set(key, queue);
    }
    return queue;
  };
  const takeDepth = (field: (typeof DEPTHS)[string], labels: LabelPairs, value: number): void => {
    const queue = queueOf(labelOf(labels, 'vhost'), labelOf(labels, 'queue'));
    if (queue === undefined) return;
    if (queue[field] !== undefined) queue.doubt ??= DOUBLED;
    queue[field] = value;
  };
  const takeInfo = (labels: LabelPairs): void => {
    // A follower has no numbers of its queue: those are on the page of the leader, which tells its type too.
    const queue = queues.get(queueKey({ vhost: labelOf(labels, 'vhost') ?? '', name: labelOf(labels, 'queue') ?? '' }));
    if (queue === undefined) return;
    const type = labelOf(labels, 'queue_type') ?? '';
    queue.type = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
    queue.membership = labelOf(labels, 'membership');
  };

  const takeWrong = (line: string): boolean => {
    const owner = ownerOf(line);
    if (owner === undefined) return false;
    const { family, vhost, name } = owner;
    if (Object.hasOwn(DEPTHS, family)) {
      const queue = queueOf(vhost, name);
      if (queue !== undefined) queue.doubt = UNREADABLE;
    } else if (Object.hasOwn(EVENT_FAMILIES, family) && isWanted(owner))
      uncounted.set(queueKey({ vhost, name }), { vhost: copied(vhost), name: copied(name) });
    return true;
  };

  const { problem, isSound } = readPrometheusText(
    text,
    (family, labels, value) => {
      identity.take(family, labels);
      if (!(value >= 0 && Number.isFinite(value))) return;
      const depth = Object.hasOwn(DEPTHS, family) ? DEPTHS[family] : undefined;
      const event = Object.hasOwn(EVENT_FAMILIES, family) ? EVENT_FAMILIES[family] : undefined;
      if (depth !== undefined) takeDepth(depth, labels, value);
      else if (event !== undefined) rows.take(event, labels, value);
      else if (family === 'rabbitmq_detailed_queue_info') takeInfo(labels);
      else if (family === 'rabbitmq_cluster_vhost_status') vhosts.set(labelOf(labels, 'vhost') ?? '', value > 0);
    },
    (family) => families.add(family),
    takeWrong,
  );
  return {
    identity: identity.known(problem),
    queues,
    rows: rows.all,
    uncounted,
    countsByQueue: families.has('rabbitmq_detailed_queue_messages_delivered_total'),
    countsByChannel: families.has('rabbitmq_detailed_channel_messages_delivered_total'),
    vhosts,
    problem,
    isSound,
  };
}

function newQueue(vhost: string, name: string): PageQueue {
  const unknown = { messages: undefined, ready: undefined, unacked: undefined, consumers: undefined };
  return { vhost, name, ...unknown, type: undefined, membership: undefined, doubt: undefined };
}
