/** RabbitMQ: what is published against what is consumed, beside what is usual at this time of the day. */
import type { Catalogue } from './catalogue.ts';
import { call, everAbove, shifted, top, usual, type Wrap } from './graphite-functions.ts';
import { type Dashboard, line, scoped } from './model.ts';

export function brokers(catalogue: Catalogue): Dashboard {
  const rabbitmq = catalogue.of('rabbitmq');
  type More = { readonly wrap?: Wrap; readonly called?: string };
  const broker = (name: string, more: More = {}) => line(rabbitmq(name), { scope: scoped('broker') }, ['target'], more);
  const places = { scope: scoped('queue'), vhost: '$vhost', queue: '$queue' };
  const queue = (name: string, more: More = { wrap: top(10) }) =>
    line(rabbitmq(name), places, ['vhost', 'queue'], more);
  const node = (name: string, more: More = {}) =>
    line(rabbitmq(name), { scope: scoped('node'), node: '*' }, ['target', 'node'], more);
  const group = (name: string, more: More) =>
    line(rabbitmq(name), { scope: scoped('group'), vhost: '$vhost', queue: '*' }, ['vhost', 'queue'], more);
  return {
    id: 'edgestatd-rabbitmq',
    title: 'RabbitMQ: published against consumed, with baseline',
    question: 'Which queue is published faster than it is consumed, and is that more than usual?',
    hasCluster: true,
    variables: [
      { name: 'vhost', label: 'Vhost', query: `rabbitmq.${scoped('queue')}.*` },
      { name: 'queue', label: 'Queue', query: `rabbitmq.${scoped('queue')}.$vhost.*` },
    ],
    rows: [
      {
        title: 'The broker, and what is usual',
        panels: [
          {
            title: 'Published against consumed',
            lines: [
              broker('publish_rate', { called: 'published' }),
              broker('consume_rate', { called: 'consumed' }),
              broker('ack_rate', { called: 'acknowledged' }),
            ],
            width: 24,
          },
          {
            title: 'Published, beside what is usual',
            about: 'The bands are made of the week before: Graphite must keep a week of it.',
            lines: [
              broker('publish_rate', { wrap: usual, called: 'usual' }),
              broker('publish_rate', { called: 'now' }),
              broker('publish_rate', { wrap: shifted('7d'), called: 'a week ago' }),
            ],
          },
          {
            title: 'Consumed, beside what is usual',
            lines: [
              broker('consume_rate', { wrap: usual, called: 'usual' }),
              broker('consume_rate', { called: 'now' }),
              broker('consume_rate', { wrap: shifted('7d'), called: 'a week ago' }),
            ],
          },
          {
            title: 'Messages that wait',
            lines: [
              broker('ready', { called: 'ready' }),
              broker('unacked', { called: 'unacked' }),
              broker('ready', { wrap: shifted('7d'), called: 'ready a week ago' }),
            ],
          },
          {
            title: 'Alarms and splits',
            about: 'While an alarm is in force publishers are blocked.',
            kind: 'states',
            good: 0,
            lines: [broker('alarm', { called: 'alarm' }), node('partitions', { called: 'partitions' })],
          },
        ],
      },
      {
        title: 'Queues',
        panels: [
          {
            title: 'Growth, the ten highest',
            lines: [queue('growth_rate')],
            warnAbove: 1,
          },
          {
            title: 'Published over acknowledged, where it was above 1',
            lines: [queue('imbalance_ratio', { wrap: (series) => call('highestAverage', everAbove(1)(series), 10) })],
            warnAbove: 1,
          },
          { title: 'Messages ready, the ten highest', lines: [queue('ready')] },
          { title: 'Published', lines: [queue('publish_rate')] },
          { title: 'Consumed', lines: [queue('consume_rate')] },
          { title: 'Time until empty, the ten longest', lines: [queue('drain_seconds')] },
          {
            title: 'Stuck',
            about: 'Of compute.HOST: that host is cut off.',
            kind: 'states',
            good: 0,
            lines: [queue('stuck', { wrap: everAbove(0) })],
          },
          { title: 'Consumers', lines: [queue('consumers')] },
          {
            title: 'Messages of groups',
            about: 'Of reply and fanout: their owners died, or do not read.',
            lines: [group('messages', { wrap: top(10) })],
          },
          { title: 'Redelivered', lines: [queue('redelivered')] },
        ],
      },
      {
        title: 'Nodes',
        panels: [
          { title: 'Nodes that run', kind: 'states', lines: [node('running')] },
          { title: 'Memory over its limit', lines: [node('memory_ratio')], warnAbove: 0.9 },
          {
            title: 'Free disk',
            lines: [node('disk_free_bytes', { called: 'free' }), node('disk_limit_bytes', { called: 'limit' })],
          },
          { title: 'Open files over their limit', lines: [node('fd_ratio')], warnAbove: 0.9 },
          {
            title: 'Connections and queues that come and go',
            lines: [
              broker('connections_opened', { called: 'connections opened' }),
              broker('queues_declared', { called: 'queues declared' }),
              broker('queues_deleted', { called: 'queues deleted' }),
            ],
          },
          {
            title: 'Whether to trust these numbers',
            about: 'Above 0: old, cut off, or unknown to the broker.',
            lines: [
              line(rabbitmq('source_age_seconds'), { scope: scoped('broker'), part: '*' }, ['target', 'part'], {
                called: 'age',
              }),
              broker('queues_left_out', { called: 'queues left out' }),
              broker('queues_unknown', { called: 'queues unknown' }),
            ],
          },
        ],
      },
    ],
  };
}
