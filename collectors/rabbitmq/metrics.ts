/** Messages: of queues, groups of queues, vhosts and the broker. */
import { counter, derived, gauge, growth, rate, ratio } from '../../src/metric.ts';

/** Whose messages: without vhost the whole broker's, without queue the whole vhost's. */
const labels = ['cluster', 'scope', 'vhost', 'queue'] as const;

const queues = '/api/queues; /metrics/detailed, family queue_coarse_metrics; rabbitmqctl list_queues';
const stats = (key: string): string => `message_stats.${key}; /metrics/detailed, queue_delivery_metrics`;
const about = <Unit extends string>(unit: Unit, source: string, help: string) => ({ unit, labels, source, help });
const messageCounter = (name: string, source: string, help: string) =>
  counter(name, about('messages', stats(source), help));

const messages = gauge('messages', about('messages', `${queues}: messages`, 'Messages: ready and unacked.'));
const published = messageCounter('published', 'publish', 'Messages that came in.');
const delivered = messageCounter(
  'delivered',
  'deliver + deliver_no_ack',
  'Messages delivered to consumers, whether they acknowledge or need not.',
);
const acked = messageCounter('acked', 'ack', 'Messages acknowledged by consumers.');
const got = messageCounter('got', 'get + get_no_ack', 'Messages fetched by basic.get.');
const settled = messageCounter(
  'settled',
  'ack + deliver_no_ack + get_no_ack',
  'Acknowledged, or handed to who need not acknowledge. Not sent itself: imbalance_ratio and drain_seconds are made of it.',
);

/** Of one that takes no more than comes in nothing can be told; one that is empty is drained. */
function drainSeconds(of: {
  readonly messages: { readonly value: number };
  readonly published: { readonly value: number };
  readonly settled: { readonly value: number; readonly elapsedSeconds: number };
}): number | undefined {
  if (of.messages.value === 0) return 0;
  const net = of.settled.value - of.published.value;
  return net > 0 ? (of.messages.value / net) * of.settled.elapsedSeconds : undefined;
}

export const messageMetrics = {
  messages,
  ready: gauge('ready', about('messages', `${queues}: messages_ready`, 'Messages that wait for a consumer.')),
  unacked: gauge(
    'unacked',
    about('messages', `${queues}: messages_unacknowledged`, 'Messages delivered and not yet acknowledged.'),
  ),
  consumers: gauge('consumers', about('consumers', `${queues}: consumers`, 'Consumers that listen.')),
  consumer_utilisation: gauge(
    'consumer_utilisation',
    about(
      'ratio',
      '/api/queues: consumer_utilisation',
      'Share of the time in which a consumer could take a message at once; low: consumers are too slow or too few.',
    ),
  ),
  memory_bytes: gauge('memory_bytes', about('bytes', `${queues}: memory`, 'Memory of the queue’s process.')),
  published,
  delivered,
  acked,
  redelivered: messageCounter(
    'redelivered',
    'redeliver',
    'Messages delivered again, since nobody acknowledged them the first time.',
  ),
  got,
  returned: messageCounter(
    'returned',
    'return_unroutable',
    'Messages given back to their publisher, since no queue wanted them.',
  ),
  confirmed: messageCounter('confirmed', 'confirm', 'Messages that the publisher was told are safe.'),
  settled,
  publish_rate: rate('publish_rate', { of: published, help: 'Messages that come in, per second.' }),
  consume_rate: derived('consume_rate', {
    unit: 'messages_per_second',
    of: { delivered, got },
    source: '(delivered + got) per second',
    help: 'Messages that are taken, per second: delivered and got.',
    compute: (of) => (of.delivered.value + of.got.value) / of.delivered.elapsedSeconds,
  }),
  ack_rate: rate('ack_rate', { of: acked, help: 'Messages acknowledged, per second.' }),
  growth_rate: growth('growth_rate', {
    of: messages,
    help: 'How fast the messages grow, per second; negative: it drains.',
  }),
  imbalance_ratio: ratio('imbalance_ratio', {
    numerator: published,
    denominator: [settled],
    help: 'Published over acknowledged (or handed to who need not): above 1 more comes in than goes out. Absent while nothing goes out.',
  }),
  drain_seconds: derived('drain_seconds', {
    unit: 'seconds',
    of: { messages, published, settled },
    source: 'messages / (settled − published per second)',
    help: 'How long until it is empty, if it goes on like this. Absent while it grows.',
    compute: drainSeconds,
  }),
  stuck: gauge(
    'stuck',
    about(
      'boolean',
      'ready, consumers and acked over stuckAfter',
      '1: messages are ready, and for longer than stuckAfter nobody listens or nothing is acknowledged.',
    ),
  ),
  stuck_reason: gauge('stuck_reason', {
    unit: 'boolean',
    labels: [...labels, 'reason'],
    source: 'as stuck',
    help: '1 for why it is stuck: no_consumer or not_acked.',
  }),
  state: gauge('state', {
    unit: 'boolean',
    labels: [...labels, 'state'],
    source: `${queues}: state`,
    help: '1 for the state that the queue is in: running, idle, flow, down, stopped, crashed, minority, terminated, live or other.',
  }),
  type: gauge('type', {
    unit: 'boolean',
    labels: [...labels, 'type'],
    source: `${queues}: type`,
    help: '1 for the type of the queue: classic, quorum, stream or other.',
  }),
  leader: gauge('leader', {
    unit: 'boolean',
    labels: [...labels, 'node'],
    source: '/api/queues: node, leader',
    help: '1 for the node that leads the queue (of a classic queue: has it).',
  }),
  queues: gauge('queues', about('queues', queues, 'Queues: of the group, the vhost, the broker.')),
  unconsumed_queues: gauge(
    'unconsumed_queues',
    about('queues', queues, 'Queues of the group that have messages ready and no consumer.'),
  ),
};
