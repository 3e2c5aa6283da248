/** CPU per metric from batch to datagram: the sink against a bare loop that joins and sends, in alternating rounds. */
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/clock.ts';
import { statsdSink } from '../src/sinks/statsd.ts';
import { statsdSinkOptions } from '../src/sinks/statsd-options.ts';
import { manyPoints } from '../test/support/points.ts';

const METRICS = 100_000;
const ROUNDS = 9;
const WARM_UP = 3;

export async function cost(): Promise<string[]> {
  const hole = fork(new URL('./blackhole.ts', import.meta.url).pathname, {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [text] = hole.stdout === null ? [''] : await once(hole.stdout, 'data');
  const port = Number(String(text));
  const points = manyPoints(METRICS);

  const options = statsdSinkOptions.parse({ type: 'statsd', port });
  const sink = statsdSink({ ...options, name: 'statsd' }, systemClock, () => {});
  const throughSink = async (): Promise<void> => {
    const target = sink.counts().sentMetrics + METRICS;
    sink.write({ job: 'bench', atMs: Date.now(), intervalMs: 4000, points });
    while (sink.counts().sentMetrics < target) await sleep(50);
  };

  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
  const bare = async (): Promise<void> => {
    let lines: string[] = [];
    let length = 0;
    let left = 0;
    let done = (): void => {};
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const flush = (): void => {
      left += 1;
      socket.send(lines.join('\n'), () => {
        left -= 1;
        if (left === 0) done();
      });
      lines = [];
      length = 0;
    };
    for (const { path, value, metric } of points) {
      const line = `${path}:${value}|${metric.kind === 'counter' ? 'c' : 'g'}`;
      if (length + line.length + 1 > 1432) flush();
      lines.push(line);
      length += line.length + 1;
    }
    flush();
    await all;
  };

  const figures: { bare: number[]; sink: number[] } = { bare: [], sink: [] };
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const bareCost = await cpuPerMetric(bare);
    const sinkCost = await cpuPerMetric(throughSink);
    if (round < WARM_UP) continue;
    figures.bare.push(bareCost);
    figures.sink.push(sinkCost);
  }
  await sink.close(100);
  socket.close();
  hole.disconnect();
  const ratios = figures.sink.map((value, index) => value / (figures.bare[index] ?? Number.NaN));
  return [
    `bare join and send: ${median(figures.bare).toFixed(2)} µs CPU per metric (median of ${ROUNDS} rounds of ${METRICS})`,
    `the sink:           ${median(figures.sink).toFixed(2)} µs CPU per metric, with values, packing, pace and counts`,
    `ratio, round by round: median ${median(ratios).toFixed(2)}, from ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} (limit 3.5)`,
  ];
}

async function cpuPerMetric(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / METRICS;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
