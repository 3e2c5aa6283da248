/** Jobs at work on a fake clock, for as long as a test likes: what grows is a leak. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { z } from 'zod';
import { defineCollector } from '../../src/collector.ts';
import type { JobConfig } from '../../src/config.ts';
import { Failure } from '../../src/errors.ts';
import { localTarget } from '../../src/hosts/local.ts';
import { createJobSet, type JobSet } from '../../src/job-set.ts';
import { counter, gauge, ratio, type Sample, sample } from '../../src/metric.ts';
import { statsdSink } from '../../src/sinks/statsd.ts';
import { statsdSinkOptions } from '../../src/sinks/statsd-options.ts';
import { createClaims } from '../../src/vet.ts';
import { fakeClock } from './fake-clock.ts';

const about = { unit: 'things', help: 'For tests.', source: 'test', labels: ['vif'] as const };
const bytes = counter('bytes', about);
const depth = gauge('depth', about);
const share = ratio('share', { numerator: bytes, denominator: [depth], help: 'For tests.' });

/** VIFs that come and go, counters that restart, a run in ten that fails, a run in seven with a problem. */
export function churn(vifs: number) {
  let run = 0;
  return defineCollector({
    name: 'churn',
    options: z.strictObject({}),
    metrics: { bytes, depth, share },
    async collect() {
      run += 1;
      if (run % 10 === 0) throw new Failure('E_CONNECT', `run ${run} failed`);
      const samples: Sample[] = [];
      for (let index = 0; index < vifs; index++) {
        const labels = { vif: `vif${index + Math.floor(run / 5)}` };
        samples.push(sample(bytes, (run * 1000) % 77_777, labels), sample(depth, run, labels));
      }
      return {
        samples,
        problems: run % 7 === 0 ? [new Failure('E_PARSE', `line ${run}`, { labels: { vif: 'vif1' } })] : [],
      };
    },
  });
}

/** UDP sockets that this process has open: not those of the test runner, which come and go, but all of ours. */
function udpSockets(): number {
  const inodes = new Set(
    readFileSync('/proc/net/udp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[9]),
  );
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      // The descriptor that reads the folder is gone by now.
      return false;
    }
  }).length;
}

export interface Day {
  /** Lets so many seconds pass, and the event loop do what they call for. */
  pass(seconds: number): Promise<void>;
  figures(): { timers: number; series: number; sockets: number; runs: number };
  stop(): Promise<void>;
}

export async function startDay(port: number, vifs: number): Promise<Day> {
  const clock = fakeClock();
  const claims = createClaims();
  const options = statsdSinkOptions.parse({ type: 'statsd', port });
  const sink = statsdSink({ ...options, name: 'statsd' }, clock, () => {});
  let runs = 0;
  const jobs: JobSet = createJobSet({
    ...{ clock, claims, log: () => {}, machine: 'test', retired() {}, turn: undefined },
    offer: async () => true,
    state: { read: () => undefined, write() {} },
    deliver(delivery) {
      runs += 1;
      sink.write(delivery);
    },
  });
  const job: JobConfig = {
    ...{ id: 'churn@local', name: 'churn', collector: churn(vifs), options: {}, target: 'local', fingerprint: '' },
    ...{ when: { everyMs: 10_000 }, intervalMs: 10_000, splayMs: 10_000, timeoutMs: 8000 },
  };
  await jobs.arrange(
    // Only what a job set reads of a configuration.
    { jobs: [job], prefix: 'day' } as unknown as Parameters<JobSet['arrange']>[0],
    new Map([['local', localTarget('here')]]),
  );
  return {
    async pass(seconds) {
      for (let second = 0; second < seconds; second += 10) {
        await clock.advance(10_000);
        // Sockets are real: they need turns of the event loop, not time.
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    figures: () => ({
      timers: clock.timers,
      series: claims.size,
      sockets: udpSockets(),
      runs,
    }),
    async stop() {
      await jobs.stop(0);
      const closing = sink.close(0);
      await clock.advance(1000);
      await closing;
    },
  };
}
