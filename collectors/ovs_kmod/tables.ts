/** What an operator looks at: which machine has a module that does not fit, now or after its next boot. */
import type { Table } from '../../src/collector.ts';
import { metrics } from './metrics.ts';

const must = { form: 'boolean', badAt: 0, below: true } as const;

export const tables: readonly Table[] = [
  {
    name: 'modules',
    title: 'Open vSwitch’s kernel module, where it does not fit above',
    labels: [],
    sortBy: 'fits now',
    columns: [
      { title: 'fits now', metric: metrics.matchRunning, ...must },
      { title: 'after boot', metric: metrics.matchPending, ...must },
      { title: 'loaded', metric: metrics.loaded, form: 'boolean', warnAt: 0, below: true },
      { title: 'current', metric: metrics.current, form: 'boolean', warnAt: 0, below: true },
      { title: 'new kernel', metric: metrics.kernelPending, form: 'boolean', warnAt: 1 },
      { title: 'needed', metric: metrics.applicable, form: 'boolean' },
    ],
  },
];
