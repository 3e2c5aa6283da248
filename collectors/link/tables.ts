/** What an operator looks at: which uplink has errors, is full or is down, and which bond is not whole. */
import type { Table } from '../../src/collector.ts';
import { counterMetrics, linkMetrics, perInterface, ratios } from './metrics.ts';
import { bondMetrics } from './metrics-bonds.ts';

const { rxBytes, rxErrors, rxDropped, txBytes, txErrors, txDropped } = counterMetrics;
const errors = { form: 'number', warnAt: 0.01, badAt: 1, chart: true } as const;
const drops = { form: 'number', warnAt: 10, badAt: 1000 } as const;
const use = { form: 'ratio', warnAt: 0.8, badAt: 0.95, chart: true } as const;

export const tables: readonly Table[] = [
  {
    name: 'interfaces',
    title: 'Interfaces by errors',
    ...perInterface,
    sortBy: 'rx err/s',
    columns: [
      { title: 'up', metric: linkMetrics.linkUp, form: 'boolean', badAt: 0, below: true },
      { title: 'rx err/s', metric: rxErrors, ...errors },
      { title: 'tx err/s', metric: txErrors, ...errors },
      { title: 'rx', metric: rxBytes, form: 'bits', chart: true },
      { title: 'tx', metric: txBytes, form: 'bits', chart: true },
      { title: 'rx use', metric: ratios.rxUtilisation, ...use },
      { title: 'tx use', metric: ratios.txUtilisation, ...use },
      { title: 'rx drop/s', metric: rxDropped, ...drops },
      { title: 'tx drop/s', metric: txDropped, ...drops },
      { title: 'flaps/s', metric: linkMetrics.changes, form: 'number', warnAt: 0.0001, badAt: 0.1 },
      { title: 'speed', metric: linkMetrics.speed, form: 'number' },
    ],
  },
  {
    name: 'bonds',
    title: 'Bonds by what is wrong with them',
    ...perInterface,
    sortBy: 'degraded',
    columns: [
      { title: 'degraded', metric: bondMetrics.bondDegraded, form: 'boolean', badAt: 1 },
      { title: 'up', metric: bondMetrics.bondUp, form: 'boolean', badAt: 0, below: true },
      { title: 'slaves', metric: bondMetrics.slaves, form: 'number' },
      { title: 'slaves up', metric: bondMetrics.slavesUp, form: 'number', badAt: 0, below: true },
      { title: 'active', metric: bondMetrics.hasActive, form: 'boolean', badAt: 0, below: true },
      { title: 'in lacp', metric: bondMetrics.ports, form: 'number', badAt: 0, below: true },
      { title: 'partner', metric: bondMetrics.partnerKnown, form: 'boolean', badAt: 0, below: true },
    ],
  },
];
