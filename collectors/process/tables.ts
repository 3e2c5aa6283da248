/** What an operator looks at: what is not there, was replaced, hangs, or is about to meet a limit. */
import type { Table } from '../../src/collector.ts';
import { metrics } from './metrics.ts';

export const tables: readonly Table[] = [
  {
    name: 'processes',
    title: 'Named processes, those that do not run above',
    labels: ['process'],
    sortBy: 'alive',
    columns: [
      { title: 'alive', metric: metrics.alive, form: 'boolean', badAt: 0, below: true },
      { title: 'running', metric: metrics.running, form: 'number' },
      { title: 'age', metric: metrics.ageSeconds, form: 'seconds', warnAt: 300, badAt: 30, below: true },
      { title: 'cpu user', metric: metrics.userSeconds, form: 'ratio', chart: true },
      { title: 'cpu sys', metric: metrics.systemSeconds, form: 'ratio', chart: true },
      { title: 'memory', metric: metrics.residentBytes, form: 'bytes', chart: true },
      { title: 'files', metric: metrics.openFilesRatio, form: 'ratio', warnAt: 0.8, badAt: 0.95, chart: true },
      { title: 'stuck D', metric: metrics.uninterruptibleSeconds, form: 'seconds', warnAt: 15, badAt: 60 },
      { title: 'stopped', metric: metrics.stopped, form: 'number', badAt: 1 },
      { title: 'zombies', metric: metrics.zombies, form: 'number', warnAt: 1, badAt: 100 },
      { title: 'threads', metric: metrics.threads, form: 'number' },
    ],
  },
];
