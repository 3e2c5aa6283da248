/** What an operator looks at: how many hosts and services have a hard problem now. */
import type { Table } from '../../src/collector.ts';
import { metrics } from './metrics.ts';

export const tables: readonly Table[] = [
  {
    name: 'alerts',
    title: 'Hard problems in the monitoring’s log, by state',
    labels: ['object', 'state'],
    sortBy: 'problems',
    columns: [{ title: 'problems', metric: metrics.hardProblems, form: 'number', warnAt: 1, chart: true }],
  },
];
