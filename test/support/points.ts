/** Points for tests of sinks. */
import { counter, duration, gauge, type Metric } from '../../src/metric.ts';
import type { Point } from '../../src/point.ts';

const about = { unit: 'things', help: 'For tests.', source: 'test' };

export function point(path: string, value: number, kind: Metric['kind'] = 'gauge'): Point {
  const name = path.split('.').at(-1) ?? path;
  const base = path.slice(0, Math.max(0, path.lastIndexOf('.')));
  const make = { gauge, ratio: gauge, derived: gauge, counter, duration }[kind];
  const metric = { ...make(name, about), kind };
  return { path, base, metric, labels: {}, value, ...(kind === 'counter' ? { total: value } : {}) };
}

/** Series as an edge node has them: names of differing length, counters and gauges. */
export function manyPoints(count: number, prefix = 'edge.hv01.htb.eth1'): Point[] {
  const metrics = [
    'sent_bytes',
    'sent_packets',
    'dropped_packets',
    'overlimits',
    'backlog_bytes',
    'utilisation_ratio',
    'lended',
  ];
  return Array.from({ length: count }, (_, index) => {
    const name = metrics[index % metrics.length] ?? 'x';
    const path = `${prefix}.vif${Math.floor(index / metrics.length)}_1.${name}`;
    if (name.endsWith('_ratio')) return point(path, (index % 1000) / 1000);
    return point(path, (index * 7919) % 1_000_003, name === 'backlog_bytes' ? 'gauge' : 'counter');
  });
}
