/** What the daemon would send of recorded machines and brokers: real collectors through the real runner, three times. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { registry } from '../../collectors/registry.ts';
import { type JobConfig, loadConfig } from '../../src/config.ts';
import { type EventsSeen, eventSamples } from '../../src/events/event-metrics.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import type { Sample } from '../../src/metric.ts';
import { basePath, createNaming } from '../../src/naming.ts';
import type { Point } from '../../src/point.ts';
import { run } from '../../src/run.ts';
import { probeProcess, selfMetrics, sinkSamples } from '../../src/self.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { createTotals } from '../../src/totals.ts';
import { createClaims } from '../../src/vet.ts';
import { fakeClock } from './fake-clock.ts';
import { readSession, recordedTarget, type Session } from './recorded-target.ts';
import { eventually } from './statsd.ts';

export interface Moment {
  readonly seconds: number;
  readonly points: readonly Point[];
}

export interface Recording {
  readonly collector: string;
  readonly folder: string;
  /** A name of its own for each recording of one collector. */
  readonly target: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Makes a second reading of one: what its texts are ten seconds later. */
  readonly later?: { readonly question: RegExp; readonly grow: (text: string) => string };
}

const INTERVAL_MS = 10_000;
const RUNS = 3;
const PREFIX = 'edge';
const PROBE_MS = 250;
const collectors = resolve(import.meta.dirname, '../../collectors');

/** A recording of one moment with another behind it, whose files are in the scratch folder. */
function withLater(session: Session, later: NonNullable<Recording['later']>, scratch: string): Session {
  const [first] = session.readings;
  if (first === undefined) throw new Error('a recording without a reading');
  const second = new Map(first);
  for (const [question, answer] of first) {
    if (!later.question.test(question) || !('file' in answer)) continue;
    const file = join(mkdtempSync(join(scratch, 'later-')), basename(answer.file));
    writeFileSync(file, later.grow(readFileSync(answer.file, 'utf8')));
    second.set(question, { ...answer, file });
  }
  return { ...session, readings: [first, second] };
}

async function jobOf(collector: string, options: unknown, scratch: string): Promise<JobConfig> {
  const file = join(mkdtempSync(join(scratch, 'config-')), 'edgestatd.yaml');
  const job = { collector, every: `${INTERVAL_MS}ms`, options };
  writeFileSync(file, stringify({ prefix: PREFIX, sinks: [{ type: 'stdout' }], jobs: [job] }));
  const { jobs } = await loadConfig(file, registry, {});
  const [first] = jobs;
  if (first === undefined) throw new Error('a configuration without a job');
  return first;
}

/** The last run is at `lastSeconds`, each other ten seconds before the next. */
export async function recordedPoints(recordings: readonly Recording[], lastSeconds: number): Promise<Moment[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'edgestatd-points-'));
  const moments = Array.from({ length: RUNS }, (_, at) => ({
    seconds: lastSeconds - ((RUNS - 1 - at) * INTERVAL_MS) / 1000,
    points: [] as Point[],
  }));
  try {
    for (const { collector, folder, target: name, options, later } of recordings) {
      const recorded = readSession(join(collectors, collector, 'testdata', folder));
      const session = later === undefined ? recorded : withLater(recorded, later, scratch);
      const job = await jobOf(collector, { ...session.options, ...options }, scratch);
      const clock = fakeClock((moments[0]?.seconds ?? 0) * 1000);
      const target = recordedTarget(name, session);
      const around = { prefix: PREFIX, target, claims: createClaims() };
      const memory = freshMemory(job, around);
      for (const moment of moments) {
        const { delivery, failure } = deliveryOf(await run(planOf(job, target), clock), job, around, memory);
        if (failure !== undefined) throw failure;
        moment.points.push(...delivery.points);
        await clock.advance(INTERVAL_MS);
      }
      await target.close();
    }
    for (const [at, points] of (await ownPoints()).entries()) moments[at]?.points.push(...points);
    return moments;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The daemon's own, by its own functions: of sinks with and without trouble, of events, of this process. */
async function ownPoints(): Promise<Point[][]> {
  const naming = createNaming(basePath(PREFIX, 'hv01', 'edgestatd'));
  const totals = createTotals(naming, { startsFromZero: true });
  const probe = probeProcess();
  try {
    // Which timers were late is known when some have fired.
    const hasDelay = (samples: readonly Sample[]): boolean =>
      samples.some(({ metric }) => metric === selfMetrics.delay);
    const process = await eventually(async () => {
      // Each look begins anew, and two timers must fire in between.
      await sleep(PROBE_MS);
      const samples = probe.samples();
      return hasDelay(samples) ? samples : undefined;
    }, 'late timers to be told');
    return Array.from({ length: RUNS }, (_, at) => {
      const samples = [...process, ...sinkSamples(sinks(at + 1)), ...eventSamples(events(at + 1), Date.now())];
      const named = samples.map((sample) => ({ path: naming.path(sample.metric, sample.labels), sample }));
      return totals.apply({ named, problems: [], ratios: [], readAtMs: at * INTERVAL_MS });
    });
  } finally {
    probe.stop();
  }
}

function sinks(turn: number): Sink[] {
  const counts = {
    ...{ sentMetrics: 300 * turn, sentDatagrams: 20 * turn, sentBytes: 20_000 * turn, paceOverruns: turn },
    droppedMetrics: new Map([['refused', 5 * turn]] as const),
    resentMetrics: turn,
    waiting: { metrics: 40, bytes: 4096, oldestSeconds: 12 },
  };
  return ['statsd', 'carbon'].map((name) => ({ name, write() {}, counts: () => counts, async close() {} }));
}

function events(turn: number): EventsSeen {
  const waiting = { destination: 'graphite', isWanted: true, waiting: 2, doubtful: 0, dead: 1 };
  return {
    intake: { accepted: new Map([['post', 2 * turn]]), refused: new Map([['listen', turn]]) },
    delivered: new Map([['graphite', 2 * turn]]),
    dropped: turn,
    spool: { bytes: 61_440, waiting: [{ ...waiting, oldestMs: Date.now() - 5000 }] },
    isUnwritable: false,
  };
}
