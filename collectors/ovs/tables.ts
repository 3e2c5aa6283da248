/** What an operator looks at: which interface drops, whether the datapath keeps up, which controller is lost. */
import type { Column, Table } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { controllerMetrics, datapathMetrics } from './metrics.ts';
import { linkMetrics } from './metrics-links.ts';
import { statisticMetrics } from './statistics.ts';

/** Of a key of `Interface.statistics` that is in the catalogue. */
function statistic(title: string, key: string, rest: Omit<Column, 'title' | 'metric'>): Column {
  const metric = statisticMetrics.find(({ name }) => name === key);
  if (metric === undefined) throw new Failure('E_BUG', `table ports: ${key} is no statistic of the catalogue`);
  return { title, metric, ...rest };
}

const drops = { form: 'number', warnAt: 1, badAt: 100, chart: true } as const;
const errors = { form: 'number', warnAt: 0.01, badAt: 1 } as const;

export const tables: readonly Table[] = [
  {
    name: 'ports',
    title: 'Interfaces of Open vSwitch by drops and errors',
    labels: ['bridge', 'port', 'interface'],
    sortBy: 'tx drop/s',
    columns: [
      { title: 'up', metric: linkMetrics.linkUp, form: 'boolean', warnAt: 0, below: true },
      statistic('tx drop/s', 'tx_dropped', drops),
      statistic('rx drop/s', 'rx_dropped', drops),
      statistic('rx', 'rx_bytes', { form: 'bits', chart: true }),
      statistic('tx', 'tx_bytes', { form: 'bits', chart: true }),
      statistic('rx err/s', 'rx_errors', errors),
      statistic('tx err/s', 'tx_errors', errors),
      { title: 'fault', metric: linkMetrics.error, form: 'boolean', badAt: 1 },
      statistic('rx pkt/s', 'rx_packets', { form: 'number' }),
      statistic('tx pkt/s', 'tx_packets', { form: 'number' }),
    ],
  },
  {
    name: 'datapaths',
    title: 'Datapaths of Open vSwitch by packets that they lose',
    labels: ['datapath'],
    sortBy: 'lost/s',
    columns: [
      { title: 'lost/s', metric: datapathMetrics.lost, form: 'number', warnAt: 0.01, badAt: 1, chart: true },
      { title: 'asked', metric: datapathMetrics.missRatio, form: 'ratio', warnAt: 0.05, badAt: 0.25, chart: true },
      { title: 'asked/s', metric: datapathMetrics.missed, form: 'number' },
      { title: 'hit/s', metric: datapathMetrics.hit, form: 'number' },
      { title: 'flows', metric: datapathMetrics.flows, form: 'number', chart: true },
      { title: 'flow limit', metric: datapathMetrics.upcallFlowsLimit, form: 'number' },
      { title: 'dump', metric: datapathMetrics.upcallDump, form: 'seconds', warnAt: 1, badAt: 2 },
      { title: 'masks', metric: datapathMetrics.masks, form: 'number' },
    ],
  },
  {
    name: 'controllers',
    title: 'OpenFlow controllers, those that are lost above',
    labels: ['bridge', 'controller'],
    sortBy: 'connected',
    columns: [
      { title: 'connected', metric: controllerMetrics.connected, form: 'boolean', badAt: 0, below: true },
      { title: 'since', metric: controllerMetrics.sinceConnect, form: 'seconds', warnAt: 300, below: true },
      { title: 'lost since', metric: controllerMetrics.sinceDisconnect, form: 'seconds' },
    ],
  },
];
