/** The daemon's own samples: about each run, about each sink, about the process. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Code } from './errors.ts';
import { counter, duration, gauge, type Metric, type Sample, sample } from './metric.ts';
import type { Sink, SinkCounts } from './sinks/sink.ts';

const job = ['job'] as const;
const sink = ['sink'] as const;
const source = 'edgestatd';
const getrusage = 'getrusage(2), proc(5)';

const perRun = {
  up: gauge('up', {
    unit: 'boolean',
    labels: job,
    source,
    help: '1 when the last run of the job succeeded, 0 when it failed.',
  }),
  duration: duration('duration_seconds', {
    labels: job,
    source,
    help: 'How long the run took; in StatsD a timer named duration_milliseconds.',
  }),
  samples: gauge('samples', { unit: 'samples', labels: job, source, help: 'Samples of the last run.' }),
  problems: counter('problems', {
    unit: 'problems',
    labels: ['job', 'code'],
    source,
    help: 'Failures and problems of runs, by error code (docs/errors.md).',
  }),
  skipped: counter('skipped_ticks', {
    unit: 'ticks',
    labels: job,
    source,
    help: 'Ticks that came while the run before them was under way, or while the process stood still.',
  }),
};

const perSink = {
  metrics: counter('sent_metrics', {
    unit: 'metrics',
    labels: sink,
    source,
    help: 'Metrics handed to the network (or to stdout).',
  }),
  datagrams: counter('sent_datagrams', {
    unit: 'datagrams',
    labels: sink,
    source,
    help: 'Datagrams handed to the network.',
  }),
  bytes: counter('sent_bytes', {
    unit: 'bytes',
    labels: sink,
    source,
    help: 'Bytes handed to the network (or to stdout).',
  }),
  dropped: counter('dropped_metrics', {
    unit: 'metrics',
    labels: ['sink', 'reason'],
    source,
    help: 'Metrics that were not delivered: oversize, overrun, refused, unreachable, send, stopped, unspooled, spool_full, expired, invalid.',
  }),
  overrun: counter('pace_overrun', {
    unit: 'batches',
    labels: sink,
    source,
    help: 'Batches that the pace could not send within their interval.',
  }),
  resent: counter('resent_metrics', {
    unit: 'metrics',
    labels: sink,
    source,
    help: 'Metrics sent once more, since a connection ended before it was known that they are kept (carbon).',
  }),
  spooledMetrics: gauge('spooled_metrics', {
    unit: 'metrics',
    labels: sink,
    source,
    help: 'Metrics that wait on disk to be sent (carbon).',
  }),
  spooledBytes: gauge('spooled_bytes', {
    unit: 'bytes',
    labels: sink,
    source,
    help: 'What the metrics that wait take of the disk (carbon).',
  }),
  spoolAge: gauge('spool_age_seconds', {
    unit: 'seconds',
    labels: sink,
    source,
    help: 'How long the oldest of them waits; absent while none does (carbon).',
  }),
};

const perProcess = {
  rss: gauge('rss_bytes', { unit: 'bytes', source: getrusage, help: 'Resident memory.' }),
  heap: gauge('heap_used_bytes', { unit: 'bytes', source: 'v8.getHeapStatistics', help: 'JavaScript heap in use.' }),
  delay: gauge('event_loop_delay_p99_seconds', {
    unit: 'seconds',
    source: 'perf_hooks.monitorEventLoopDelay',
    help: '99th percentile of how late timers fired since the last report.',
  }),
  cpu: counter('cpu_seconds', {
    unit: 'seconds',
    source: getrusage,
    help: 'CPU time of the process, user and system.',
  }),
  uptime: gauge('uptime_seconds', { unit: 'seconds', source, help: 'Time since the daemon started.' }),
};

/** The catalogue, as collectors have one. */
export const selfMetrics: Readonly<Record<string, Metric>> = { ...perRun, ...prefixed(perSink), ...perProcess };

function prefixed(metrics: Readonly<Record<string, Metric>>): Record<string, Metric> {
  return Object.fromEntries(Object.entries(metrics).map(([key, metric]) => [`sink_${key}`, metric]));
}

/** What is counted of one job over all of its runs. */
export interface JobCounts {
  readonly problems: Map<Code, number>;
  skippedTicks: number;
}

export function runSamples(
  name: string,
  run: { readonly up: boolean; readonly durationMs: number; readonly samples: number },
  counts: JobCounts,
): Sample[] {
  const labels = { job: name };
  return [
    sample(perRun.up, run.up ? 1 : 0, labels),
    sample(perRun.duration, run.durationMs / 1000, labels),
    sample(perRun.samples, run.samples, labels),
    sample(perRun.skipped, counts.skippedTicks, labels),
    ...[...counts.problems].map(([code, total]) => sample(perRun.problems, total, { job: name, code })),
  ];
}

export function sinkSamples(sinks: Iterable<Sink>): Sample[] {
  return [...sinks].flatMap((one) => {
    const labels = { sink: one.name };
    const counts = neverLess(one);
    return [
      sample(perSink.metrics, counts.sentMetrics, labels),
      sample(perSink.bytes, counts.sentBytes, labels),
      ...known(perSink.datagrams, counts.sentDatagrams, labels),
      ...known(perSink.overrun, counts.paceOverruns, labels),
      ...known(perSink.resent, counts.resentMetrics, labels),
      ...known(perSink.spooledMetrics, counts.waiting?.metrics, labels),
      ...known(perSink.spooledBytes, counts.waiting?.bytes, labels),
      ...known(perSink.spoolAge, counts.waiting?.oldestSeconds, labels),
      ...[...counts.droppedMetrics].map(([reason, total]) =>
        sample(perSink.dropped, total, { sink: one.name, reason }),
      ),
    ];
  });
}

/** A sink counts what it has: of the rest nothing is sent, rather than 0. */
function known(metric: Metric<'sink'>, value: number | undefined, labels: { readonly sink: string }): Sample[] {
  return value === undefined ? [] : [sample(metric, value, labels)];
}

interface Reported {
  sentMetrics: number;
  sentDatagrams: number | undefined;
  sentBytes: number;
}

const reported = new WeakMap<Sink, Reported>();

/**
 * A sink takes back what it counted as sent when the network says that it was lost. A total that is told must not go
 * down, so what was told too much is made up by what is sent next.
 */
function neverLess(sink: Sink): SinkCounts {
  const counts = sink.counts();
  const { sentMetrics, sentDatagrams, sentBytes } = counts;
  const before = reported.get(sink) ?? { sentMetrics, sentDatagrams, sentBytes };
  const now = {
    sentMetrics: Math.max(before.sentMetrics, sentMetrics),
    sentDatagrams: sentDatagrams === undefined ? undefined : Math.max(before.sentDatagrams ?? 0, sentDatagrams),
    sentBytes: Math.max(before.sentBytes, sentBytes),
  };
  reported.set(sink, now);
  return { ...counts, ...now };
}

/** What the process takes now. */
export interface ProcessNumbers {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly cpuSeconds: number;
  /** Since the last report; undefined: nothing was measured since. */
  readonly eventLoopDelayP99Seconds: number | undefined;
}

export interface ProcessProbe {
  /** Begins a new report. */
  samples(): Sample[];
  numbers(): ProcessNumbers;
  stop(): void;
}

/** A finer probe would wake an idle daemon more often than its work does. */
const PROBE_EVERY_MS = 100;

export function probeProcess(): ProcessProbe {
  const histogram = monitorEventLoopDelay({ resolution: PROBE_EVERY_MS });
  histogram.enable();
  const numbers = (): ProcessNumbers => {
    const { rss: rssBytes, heapUsed: heapUsedBytes } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const late = histogram.count > 0 ? Math.max(0, histogram.percentile(99) / 1e9 - PROBE_EVERY_MS / 1000) : undefined;
    return { rssBytes, heapUsedBytes, cpuSeconds: (user + system) / 1e6, eventLoopDelayP99Seconds: late };
  };
  return {
    numbers,
    samples() {
      const { rssBytes, heapUsedBytes, cpuSeconds, eventLoopDelayP99Seconds: late } = numbers();
      histogram.reset();
      return [
        sample(perProcess.rss, rssBytes),
        sample(perProcess.heap, heapUsedBytes),
        sample(perProcess.cpu, cpuSeconds),
        sample(perProcess.uptime, process.uptime()),
        ...(late === undefined ? [] : [sample(perProcess.delay, late)]),
      ];
    },
    stop: () => void histogram.disable(),
  };
}
