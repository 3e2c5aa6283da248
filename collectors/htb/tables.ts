/** What an operator looks at: which VM is rate-limited. */
import type { Table } from '../../src/collector.ts';
import { classMetrics, ratios } from './metrics.ts';

const { sentBytes, dropped, overlimits, backlogPackets, rate, ceil } = classMetrics;

export const tables: readonly Table[] = [
  {
    name: 'vifs',
    title: 'VIFs and HTB classes by use of their ceiling',
    labels: ['device', 'name'],
    // Whoever is asked about a VM has one of these in hand: rows are found by them, too.
    tags: ['ip', 'class', 'vif', 'port', 'mac', 'vm'],
    sortBy: 'util',
    columns: [
      { title: 'util', metric: ratios.utilisation, form: 'ratio', warnAt: 0.8, badAt: 0.95, chart: true },
      { title: 'sent', metric: sentBytes, form: 'bits', chart: true },
      { title: 'ceil', metric: ceil, form: 'number' },
      { title: 'drops/s', metric: dropped, form: 'number', warnAt: 0.01, badAt: 10, chart: true },
      { title: 'dropped', metric: ratios.drop, form: 'ratio', warnAt: 0.001, badAt: 0.01 },
      { title: 'waits/s', metric: overlimits, form: 'number' },
      { title: 'borrowed', metric: ratios.borrowed, form: 'ratio', chart: true },
      { title: 'backlog', metric: backlogPackets, form: 'number', warnAt: 100, badAt: 1000 },
      { title: 'rate', metric: rate, form: 'number' },
      { title: 'lent/s', metric: classMetrics.lended, form: 'number' },
      { title: 'borrow/s', metric: classMetrics.borrowed, form: 'number' },
    ],
  },
];
