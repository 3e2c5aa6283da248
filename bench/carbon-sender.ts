/**
 * A process of its own, `carbon-sender.ts PORT SPOOL DELIVERIES POINTS EVERY_MS WARM_UP`: a carbon sink with that load of series
 * `outage.0.N`. Tells its parent its memory before the first and at the most, in MiB, and when nothing waits any more.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/clock.ts';
import { gauge } from '../src/metric.ts';
import type { Point } from '../src/point.ts';
import { carbonSink } from '../src/sinks/carbon.ts';
import { carbonSinkOptions } from '../src/sinks/carbon-options.ts';

const [port, spool, deliveries, count, everyMs] = process.argv.slice(2);
const memory = (name: string): number =>
  Number(new RegExp(`${name}:\\s*([0-9]+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
const options = carbonSinkOptions.parse({ type: 'carbon', destinations: [`127.0.0.1:${port}`], spool });
const say = (event: string): void => void process.send?.({ event });
const sink = carbonSink({ ...options, name: 'carbon' }, systemClock, say);
const metric = gauge('x', { unit: 'x', help: 'For the benchmark.', source: 'bench' });
const points = Array.from({ length: Number(count) }, (_, index): Point => {
  return { path: `outage.0.${index}`, base: 'outage.0', metric, labels: {}, value: index * 1.5 };
});
const write = (index: number): void =>
  sink.write({ job: 'bench', atMs: 1_700_000_000_000 + index * 10_000, intervalMs: 10_000, points });
const warmUp = Number(process.argv[7]);
// As after some time of work without an outage: what is compiled and what garbage there is are not the outage's.
for (let index = 0; index < warmUp; index++) {
  write(index);
  await sleep(50);
}
const beforeMb = memory('VmRSS');
process.send?.({ beforeMb });
for (let index = warmUp; index < Number(deliveries) + warmUp; index++) {
  write(index);
  await sleep(Number(everyMs));
}
process.on('message', () => {
  const { sentMetrics, resentMetrics, waiting, droppedMetrics } = sink.counts();
  const dropped = [...droppedMetrics.values()].reduce((sum, metrics) => sum + metrics, 0);
  const now = { sentMetrics, resentMetrics, waiting: waiting?.metrics, bytes: waiting?.bytes, dropped };
  process.send?.({ ...now, peakMb: memory('VmHWM') });
});
process.send?.({ written: true });
process.on('disconnect', () => process.exit(0));
