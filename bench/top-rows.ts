/** The collector of `bench/top.ts`, as a plugin's text: as many rows as `htb` has VIFs, each with its columns. */
export const ROWS_PLUGIN = `import { counter, defineCollector, gauge, ratio, sample, z } from 'edgestatd';
const labels = ['device', 'name'];
const about = { labels, tags: ['ip', 'vm'], help: 'For the benchmark.', source: 'bench' };
const sent = counter('sent_bytes', { ...about, unit: 'bytes' });
const ceil = gauge('ceil_bits_per_second', { ...about, unit: 'bits per second' });
const use = ratio('use_ratio', { numerator: sent, denominator: [ceil], factor: 8, help: 'For the benchmark.' });
const counters = Array.from({ length: 5 }, (_, at) => counter('counter' + at, { ...about, unit: 'packets' }));
const gauges = Array.from({ length: 3 }, (_, at) => gauge('gauge' + at, { ...about, unit: 'packets' }));
const all = [sent, ceil, use, ...counters, ...gauges];
export const rows = defineCollector({
  name: 'rows',
  options: z.strictObject({ count: z.number() }),
  metrics: Object.fromEntries(all.map((metric) => [metric.name, metric])),
  tables: [{
    name: 'rows', title: 'Rows by use', labels, tags: about.tags, sortBy: 'use',
    columns: [use, sent, ceil, ...counters, ...gauges].map((metric, at) => ({
      title: ['use', 'sent', 'ceil'][at] ?? 'column' + at, metric, warnAt: 0.8, badAt: 0.95,
      form: metric === use ? 'ratio' : metric === sent ? 'bits' : 'number',
    })),
  }],
  async collect({ host, options: { count }, readAtMs }) {
    const state = host.keep('rows', () => ({
      sets: Array.from({ length: count }, (_, at) => ({
        labels: { device: 'eth1', name: 'vif' + at + '.1', ip: '10.0.' + (at >> 8) + '.' + (at & 255), vm: 'vm-' + at },
        speed: 1000 + ((at * 7919) % 100000),
      })),
      close() {},
    }));
    const samples = [];
    for (const { labels, speed } of state.sets) {
      const total = Math.round((speed * (readAtMs + 60000)) / 1000);
      samples.push(sample(sent, total, labels), sample(ceil, speed * 10, labels));
      for (const metric of counters) samples.push(sample(metric, total, labels));
      for (const metric of gauges) samples.push(sample(metric, total % speed, labels));
    }
    return { samples };
  },
});
`;
