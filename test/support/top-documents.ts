/** Documents of a daemon, for tests of `top` without one. */
import type { ColumnHead, Entry, StatusDocument, TableDocument, TableHead } from '../../src/status/document.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 3, 0, 0);

const column = (title: string, form: ColumnHead['form'], rest: Partial<ColumnHead> = {}): ColumnHead => ({
  ...{ title, metric: title.replaceAll(/\W/g, '_'), unit: 'things', help: 'For tests.', form, ...rest },
});

export const vifs: TableHead = {
  name: 'vifs',
  title: 'VIFs by use',
  collector: 'htb',
  labels: ['device', 'name'],
  tags: ['ip', 'vm'],
  columns: [
    column('util', 'ratio', { warnAt: 0.8, badAt: 0.95 }),
    column('sent', 'bits'),
    column('ceil', 'number'),
    column('drops/s', 'number', { warnAt: 1, badAt: 10 }),
    column('borrowed', 'ratio'),
    column('backlog', 'bytes'),
  ],
  sortBy: 'util',
  rows: 3,
};

export const queues: TableHead = {
  ...{
    name: 'queues',
    title: 'Queues by growth',
    collector: 'rabbitmq',
    labels: ['queue'],
    tags: [],
    sortBy: 'growth/s',
  },
  columns: [column('growth/s', 'number'), column('stuck', 'boolean', { badAt: 1 })],
  rows: 0,
};

type Row = readonly [names: readonly (string | null)[], values: readonly (number | null)[], target?: string];

/** Rows of `vifs`: a VM at its ceiling, one that is idle, one of which nothing is known yet. */
export const ROWS: readonly Row[] = [
  [
    ['eth1', 'vif2_1', '10.0.0.37', '8f0c6f0e-2d0b-4d6c-9a51-6f2f1f6b3a37'],
    [0.997, 76_570_000, 614_400_000, 12.4, 0.25, 1_572_864],
  ],
  [
    ['eth1', 'vif3_1', '10.0.0.38', 'b7a1d2c4-5e6f-4a0b-8c1d-2e3f4a5b6c38'],
    [0.81, 1_012_500, 10_000_000, 0, 0, 0],
  ],
  [
    ['eth1', 'default_1_1', null, null],
    [null, null, 10_000_000_000, null, null, 0],
  ],
];

export function tableOf(head: TableHead, rows: readonly Row[], rest: Partial<TableDocument> = {}): TableDocument {
  const entries = rows.map(
    ([names, values, target = 'hv01'], at): Entry => ({
      ...{ key: `edge.${target}.${head.collector}.${at}`, target, names, values, atMs: NOW_MS - 2000 },
    }),
  );
  return { ...head, format: 1, nowMs: NOW_MS, rows: rows.length, found: rows.length, entries, ...rest };
}

export function statusOf(rest: Partial<StatusDocument> = {}): StatusDocument {
  return {
    ...{
      format: 1,
      version: '0.1.0',
      node: '24.0.0',
      pid: 1,
      machine: 'hv01',
      config: '/etc/edgestatd/edgestatd.yaml',
    },
    ...{ nowMs: NOW_MS, startedAtMs: NOW_MS - 3_600_000, health: { healthy: true, reasons: [] } },
    process: { rssBytes: 1, heapUsedBytes: 1, cpuSeconds: 1 },
    ...{ jobs: [], sinks: [] },
    ...rest,
  };
}

/** A job as far as `top` looks at it. */
export function jobOn(target: string, collector: string): StatusDocument['jobs'][number] {
  return {
    ...{ id: `${collector}@${target}`, name: collector, target, collector, schedule: '10s', intervalMs: 10_000 },
    ...{ state: 'up', runs: 1, failedRuns: 0, skippedTicks: 0, problems: [] },
  };
}
