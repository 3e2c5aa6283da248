/** What an operator looks at: whether packets get lost on the way, and connections with them. */
import type { Table } from '../../src/collector.ts';
import { metricOf, ratios } from './metrics.ts';

export const tables: readonly Table[] = [
  {
    name: 'tcp',
    title: 'TCP by retransmits, of each network namespace',
    labels: ['namespace'],
    sortBy: 'retrans',
    columns: [
      { title: 'retrans', metric: ratios.retransmitRatio, form: 'ratio', warnAt: 0.01, badAt: 0.05, chart: true },
      { title: 'retrans/s', metric: metricOf('Tcp', 'RetransSegs'), form: 'number', chart: true },
      { title: 'timeouts/s', metric: metricOf('TcpExt', 'TCPTimeouts'), form: 'number', warnAt: 1, badAt: 20 },
      { title: 'open', metric: metricOf('Tcp', 'CurrEstab'), form: 'number', chart: true },
      { title: 'resets/s', metric: metricOf('Tcp', 'EstabResets'), form: 'number', chart: true },
      { title: 'fails/s', metric: metricOf('Tcp', 'AttemptFails'), form: 'number' },
      { title: 'syn again', metric: ratios.synRetransmitRatio, form: 'ratio', warnAt: 0.05, badAt: 0.25 },
      { title: 'refused/s', metric: metricOf('TcpExt', 'ListenDrops'), form: 'number', warnAt: 0.01, badAt: 1 },
      { title: 'sent/s', metric: metricOf('Tcp', 'OutSegs'), form: 'number' },
      { title: 'received/s', metric: metricOf('Tcp', 'InSegs'), form: 'number' },
    ],
  },
];
