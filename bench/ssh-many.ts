/**
 * `node bench/ssh-many.ts CONFIG`: the jobs of a configuration at work, as the daemon has them. At each line on stdin it
 * prints, as JSON, what happened since the one before.
 */
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import { registry } from '../collectors/registry.ts';
import { systemClock as clock } from '../src/clock.ts';
import { loadConfig } from '../src/config.ts';
import { boundGarbage } from '../src/heap.ts';
import { createJobSet } from '../src/job-set.ts';
import { openTarget } from '../src/open-target.ts';
import { splayFraction } from '../src/schedule.ts';
import { statsdSink } from '../src/sinks/statsd.ts';
import { createTurns } from '../src/turns.ts';
import { createClaims } from '../src/vet.ts';

export interface Report {
  /** Milliseconds by which readings began after their time, by job. */
  readonly late: Readonly<Record<string, readonly number[]>>;
  /** Jobs whose runs failed. */
  readonly failed: Readonly<Record<string, number>>;
  /** Why jobs began to fail, without numbers. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly runs: number;
  readonly skipped: number;
  readonly samples: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

boundGarbage();
const [file = ''] = process.argv.slice(2);
const config = await loadConfig(file, registry);
const [sinkConfig] = config.sinks;
if (sinkConfig?.type !== 'statsd') throw new Error('expected one statsd sink');
const sink = statsdSink(sinkConfig, clock, () => {});
const byId = new Map(config.jobs.map((job) => [job.id, job]));
const ended = new Map<string, number>();

function fresh() {
  const late: Record<string, number[]> = {};
  const failed: Record<string, number> = {};
  const reasons: Record<string, number> = {};
  return { late, failed, reasons, runs: 0, skipped: 0, samples: 0, cpu: process.cpuUsage(), atMs: clock.monotonicMs() };
}
let seen = fresh();

const jobs = createJobSet({
  ...{ clock, claims: createClaims(), machine: hostname(), retired() {} },
  offer: async () => true,
  state: { read: () => undefined, write() {} },
  turn: createTurns(config.maxRuns, clock).take,
  log(event, fields) {
    if (event === 'tick:skipped') seen.skipped += 1;
    if (event !== 'run:failed') return;
    const { code, message } = fields as { readonly code: string; readonly message: string };
    const reason = `${code} ${message.replace(/[0-9]+/g, '#')}`;
    seen.reasons[reason] = (seen.reasons[reason] ?? 0) + 1;
  },
  deliver(delivery) {
    sink.write(delivery);
    const job = byId.get(delivery.job);
    if (job === undefined) return;
    seen.runs += 1;
    seen.samples += delivery.points.length;
    const up = delivery.points.find(({ metric }) => metric.name === 'up')?.value;
    if (up !== 1) seen.failed[job.id] = (seen.failed[job.id] ?? 0) + 1;
    // The first two runs of a job come before its phase.
    const runs = (ended.get(job.id) ?? 0) + 1;
    ended.set(job.id, runs);
    if (runs <= 2 || up !== 1) return;
    const phaseMs = splayFraction(`${hostname()} ${job.id}`) * job.splayMs;
    const sinceMs = (delivery.atMs - phaseMs) % job.intervalMs;
    const lateMs = sinceMs < 0.9 * job.intervalMs ? sinceMs : sinceMs - job.intervalMs;
    const list = seen.late[job.id] ?? [];
    seen.late[job.id] = list;
    list.push(lateMs);
  },
});
const targets = new Map([...config.targets.keys()].map((key) => [key, openTarget(key, config)]));
await jobs.arrange(config, targets);
console.log('ready');

const report = (): Report => {
  const { cpu, atMs, ...counted } = seen;
  const used = process.cpuUsage(cpu);
  const { rss, heapUsed } = process.memoryUsage();
  const report = {
    ...counted,
    cpuMs: (used.user + used.system) / 1000,
    wallMs: clock.monotonicMs() - atMs,
    rssBytes: rss,
    heapBytes: heapUsed,
  };
  seen = fresh();
  return report;
};
const input = createInterface({ input: process.stdin });
input.on('line', () => console.log(JSON.stringify(report())));
input.on('close', async () => {
  await jobs.stop(0);
  await Promise.all([...targets.values()].map((target) => target.close()));
  process.exit(0);
});
