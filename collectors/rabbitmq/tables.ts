/** What an operator looks at: which queue grows or is stuck, and which node blocks its publishers. */
import type { Table } from '../../src/collector.ts';
import { messageMetrics } from './metrics.ts';
import { brokerMetrics } from './metrics-broker.ts';

const share = { form: 'ratio', warnAt: 0.8, badAt: 0.95 } as const;

export const tables: readonly Table[] = [
  {
    name: 'queues',
    title: 'Queues by growth, with the sums of groups, vhosts and the broker',
    labels: ['cluster', 'scope', 'vhost', 'queue'],
    sortBy: 'growth/s',
    columns: [
      { title: 'growth/s', metric: messageMetrics.growth_rate, form: 'number', warnAt: 1, badAt: 10, chart: true },
      { title: 'depth', metric: messageMetrics.messages, form: 'number', chart: true },
      { title: 'in/s', metric: messageMetrics.publish_rate, form: 'number', chart: true },
      { title: 'out/s', metric: messageMetrics.consume_rate, form: 'number', chart: true },
      { title: 'stuck', metric: messageMetrics.stuck, form: 'boolean', badAt: 1 },
      { title: 'consumers', metric: messageMetrics.consumers, form: 'number', warnAt: 0, below: true },
      { title: 'ready', metric: messageMetrics.ready, form: 'number' },
      { title: 'unacked', metric: messageMetrics.unacked, form: 'number' },
      { title: 'acks/s', metric: messageMetrics.ack_rate, form: 'number' },
      { title: 'drained in', metric: messageMetrics.drain_seconds, form: 'seconds', warnAt: 300, badAt: 3600 },
      { title: 'memory', metric: messageMetrics.memory_bytes, form: 'bytes' },
    ],
  },
  {
    name: 'nodes',
    title: 'RabbitMQ nodes by memory',
    labels: ['cluster', 'scope', 'node'],
    sortBy: 'memory',
    columns: [
      { title: 'memory', metric: brokerMetrics.memory_ratio, ...share, chart: true },
      { title: 'running', metric: brokerMetrics.running, form: 'boolean', badAt: 0, below: true },
      { title: 'mem alarm', metric: brokerMetrics.memory_alarm, form: 'boolean', badAt: 1 },
      { title: 'disk alarm', metric: brokerMetrics.disk_alarm, form: 'boolean', badAt: 1 },
      { title: 'lost nodes', metric: brokerMetrics.partitions, form: 'number', badAt: 1 },
      { title: 'files', metric: brokerMetrics.fd_ratio, ...share },
      { title: 'processes', metric: brokerMetrics.processes_ratio, ...share },
      { title: 'disk free', metric: brokerMetrics.disk_free_bytes, form: 'bytes' },
      { title: 'run queue', metric: brokerMetrics.run_queue, form: 'number', chart: true },
      { title: 'up for', metric: brokerMetrics.uptime_seconds, form: 'seconds', warnAt: 300, below: true },
    ],
  },
];
