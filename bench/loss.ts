/** 100,000 metrics to a real StatsD server on loopback: paced by the sink, and the same datagrams all at once. */
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/clock.ts';
import { pack } from '../src/sinks/pack.ts';
import { statsdSink } from '../src/sinks/statsd.ts';
import { statsdSinkOptions } from '../src/sinks/statsd-options.ts';
import { scratch, startEdgestatd, stopAll } from '../test/support/daemon.ts';
import { manyPoints } from '../test/support/points.ts';
import { type StatsdServer, startStatsd } from '../test/support/statsd.ts';

const METRICS = 100_000;
const INTERVAL_MS = 10_000;

export async function loss(): Promise<string[]> {
  const points = manyPoints(METRICS);
  const { datagrams } = pack(points, { maxBytes: 1432, single: false, tags: 'none' });
  const bytes = datagrams.reduce((sum, { payload }) => sum + payload.length, 0);
  const fill = (100 * bytes) / (datagrams.length * 1432);

  const paced = await arrivals(async (server) => {
    const options = statsdSinkOptions.parse({ type: 'statsd', port: server.port });
    const sink = statsdSink({ ...options, name: 'statsd' }, systemClock, () => {});
    const beganMs = performance.now();
    sink.write({ job: 'bench', atMs: Date.now(), intervalMs: INTERVAL_MS, points });
    while (sink.counts().sentMetrics < METRICS) await sleep(20);
    const tookMs = performance.now() - beganMs;
    await sink.close(1000);
    return tookMs;
  });
  const unpaced = await arrivals(async (server) => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.connect(server.port, '127.0.0.1', resolve));
    const beganMs = performance.now();
    await Promise.all(datagrams.map(({ payload }) => new Promise((resolve) => socket.send(payload, resolve))));
    const tookMs = performance.now() - beganMs;
    socket.close();
    return tookMs;
  });
  const daemon = await throughDaemon();
  const told = ({ arrived, drops, bad, tookMs }: Arrivals): string =>
    `${arrived} of ${METRICS} arrived (${METRICS - arrived} lost), ${drops} datagrams dropped by the kernel, ${bad} bad lines, sent in ${Math.round(tookMs)} ms`;
  return [
    `${datagrams.length} datagrams of at most 1432 bytes, filled to ${fill.toFixed(1)} %`,
    `paced (the sink, interval ${INTERVAL_MS / 1000} s): ${told(paced)}`,
    `unpaced (the same datagrams at once):  ${told(unpaced)}`,
    `the daemon, its first three batches (the second one early): ${daemon}`,
  ];
}

interface Arrivals {
  readonly arrived: number;
  readonly drops: number;
  readonly bad: number;
  readonly tookMs: number;
}

async function arrivals(send: (server: StatsdServer) => Promise<number>): Promise<Arrivals> {
  const server = await startStatsd();
  try {
    const tookMs = await send(server);
    let arrived = -1;
    for (let now = 0; now !== arrived; await sleep(500)) {
      arrived = now;
      now = (await server.counter('statsd.metrics_received')) ?? 0;
    }
    return { arrived, drops: server.kernelDrops(), bad: await server.badLines(), tookMs };
  } finally {
    await server.stop();
  }
}

const PLUGIN = `import { defineCollector, gauge, sample, z } from 'edgestatd';
const level = gauge('backlog_bytes', { unit: 'bytes', labels: ['device', 'vif'], help: 'For the benchmark.', source: 'bench' });
export const probe = defineCollector({ name: 'probe', options: z.strictObject({}), metrics: { level },
  async collect() {
    return { samples: Array.from({ length: ${METRICS} }, (_, i) => sample(level, (i * 7919) % 1000003, { device: 'eth1', vif: 'vif' + i })) };
  } });`;

/** The whole way, as a process: what the sink says that it sent or dropped, and what arrived. */
async function throughDaemon(): Promise<string> {
  const server = await startStatsd();
  const file = join(scratch(), 'probe.mjs');
  writeFileSync(file, PLUGIN, { mode: 0o644 });
  const daemon = startEdgestatd(
    `plugins: [ ${file} ]\nsinks: [ { type: statsd, port: ${server.port} } ]\njobs: [ { collector: probe, every: ${INTERVAL_MS}ms } ]\n`,
  );
  try {
    while (((await server.counter('statsd.metrics_received')) ?? 0) < 2.5 * METRICS) await sleep(200);
    await daemon.end();
    const closed = daemon.events.find(({ event }) => event === 'sink:closed');
    const arrived = (await server.counter('statsd.metrics_received')) ?? 0;
    const sent = Number(closed?.sentMetrics);
    return `${sent} sent, ${arrived} arrived (${sent - arrived} lost), dropped ${JSON.stringify(closed?.droppedMetrics)}`;
  } finally {
    stopAll();
    await server.stop();
  }
}
