/** One job at work: tick → run → vet → totals → points, with its own state, its log lines and its self-metrics. */
import type { Clock } from './clock.ts';
import type { Offer } from './collector.ts';
import type { JobConfig } from './config.ts';
import { asFailure, type Failure } from './errors.ts';
import type { Target } from './hosts/target.ts';
import { createSayer } from './job-voice.ts';
import type { Log } from './log.ts';
import { isComputed, type Labels, type Metric } from './metric.ts';
import { basePath, createNaming } from './naming.ts';
import type { Point } from './point.ts';
import { type Batch, type RunPlan, run } from './run.ts';
import { startTicking, type Ticking } from './schedule.ts';
import { type JobCounts, runSamples } from './self.ts';
import type { Delivery } from './sinks/sink.ts';
import type { State } from './state.ts';
import type { Seen } from './status/board.ts';
import type { JobStatus } from './status/document.ts';
import type { Pulse } from './status/health.ts';
import { createJobNotes, type JobNotes } from './status/job-notes.ts';
import { intervalText } from './status/spans.ts';
import { createTotals, type Totals } from './totals.ts';
import { type Claims, foreign, tell, vet } from './vet.ts';

export interface JobSurroundings {
  readonly prefix: string;
  readonly target: Target;
  readonly clock: Clock;
  readonly log: Log;
  readonly claims: Claims;
  /** Makes the splay differ from machine to machine. */
  readonly machine: string;
  /** `seen`: the job's own points, without what the daemon says of the run. */
  readonly deliver: (delivery: Delivery, seen: Seen) => void;
  /** Takes what a run offers as events; never rejects. False: not now, so that it is to be offered again. */
  readonly offer: (
    offers: readonly Offer[],
    who: { readonly job: string; readonly target: string },
  ) => Promise<boolean>;
  readonly state: Pick<State, 'read' | 'write'>;
  readonly turn: RunPlan['turn'];
}

export interface Job {
  readonly config: JobConfig;
  readonly ticking: Ticking;
  /** Stops ticking and hands over what the next configuration of the same job continues with. */
  release(): Memory;
  /** Ends a run that is under way. */
  abort(reason: Failure): void;
  /** What it does, and what its health is told by. */
  status(): { readonly job: JobStatus; readonly pulse: Omit<Pulse, 'job'> };
}

/** What survives a reload. */
export interface Memory {
  readonly totals: Totals;
  readonly selfTotals: Totals;
  readonly counts: JobCounts;
  /** Computed series that were not sent in this run, and why. */
  readonly refused: Map<string, string>;
  readonly notes: JobNotes;
}

export function freshMemory(config: JobConfig, around: Pick<JobSurroundings, 'prefix' | 'target' | 'claims'>): Memory {
  const { claims } = around;
  const naming = (collector: string) => createNaming(basePath(around.prefix, around.target.name, collector));
  const refused = new Map<string, string>();
  const mayShow = (path: string): boolean => {
    const other = claims.take(path, config.id, claims.nextRun(), 0);
    if (other !== undefined) refused.set(path, foreign(other.job));
    return other === undefined;
  };
  const own = naming(config.collector.name);
  const onBroken = (metric: Metric, labels: Labels, thrown: unknown): void =>
    void refused.set(own.path(metric, labels), `its compute() broke: ${asFailure(thrown).message}`);
  const onForget = (path: string): void => claims.release(path, config.id);
  return {
    totals: createTotals(own, { onForget, mayShow, onBroken }),
    refused,
    selfTotals: createTotals(naming('edgestatd'), { startsFromZero: true }),
    counts: { problems: new Map(), skippedTicks: 0 },
    notes: createJobNotes(),
  };
}

export interface Delivered {
  readonly delivery: Delivery;
  /** The job's own points of it. */
  readonly points: readonly Point[];
  readonly problems: readonly Failure[];
  readonly failure: Failure | undefined;
  /** How many samples are sent: those that only feed computed metrics, or were refused, are not. */
  readonly samples: number;
}

/** One batch → what sinks get (the job's points, and what the daemon says of the run), and what went wrong in it. */
export function deliveryOf(
  batch: Batch,
  config: JobConfig,
  around: Pick<JobSurroundings, 'prefix' | 'target' | 'claims'>,
  memory: Memory,
): Delivered {
  const { name, collector } = config;
  const base = (last: string) => basePath(around.prefix, around.target.name, last);
  const { samples, problems: told = [], unread = [], ratios: wanted } = batch.reading;
  let points: readonly Point[] = [];
  let problems: readonly Failure[] = batch.failure === undefined ? [] : [batch.failure];
  let sent = 0;
  if (batch.failure === undefined) {
    const vetted = vet(samples, memory.totals.naming, around.claims, config.id);
    const known = [...told.map(asFailure), ...vetted.problems];
    const ratios = Object.values(collector.metrics).filter(
      (metric) => isComputed(metric) && (wanted === undefined || wanted.includes(metric.name)),
    );
    memory.refused.clear();
    const { readAtMs } = batch;
    const { named, unsent } = vetted;
    points = memory.totals.apply({ named, unsent, problems: known, unread, ratios, readAtMs });
    problems = [...known, ...tell(memory.refused)];
    for (const { sample } of vetted.named) sent += sample.quiet === true ? 0 : 1;
  }
  const { counts } = memory;
  for (const { code } of problems) counts.problems.set(code, (counts.problems.get(code) ?? 0) + 1);
  const naming = createNaming(base('edgestatd'));
  const seen = { up: batch.failure === undefined, durationMs: batch.durationMs, samples: sent };
  const self = runSamples(name, seen, counts).map((one) => ({
    path: naming.path(one.metric, one.labels),
    sample: one,
  }));
  const selfPoints = memory.selfTotals.apply({ named: self, problems: [], ratios: [], readAtMs: batch.readAtMs });
  const { id, intervalMs } = config;
  const delivery = { job: id, atMs: batch.atMs, intervalMs, points: points.concat(selfPoints) };
  return { delivery, points, problems, failure: batch.failure, samples: sent };
}

/** What a plugin hands over may break what looks at it: that is its own failed run, and nobody else's. */
function containedDelivery(...[batch, ...rest]: Parameters<typeof deliveryOf>): ReturnType<typeof deliveryOf> {
  try {
    return deliveryOf(batch, ...rest);
  } catch (thrown) {
    return deliveryOf({ ...batch, reading: { samples: [] }, failure: asFailure(thrown) }, ...rest);
  }
}

export function planOf(config: JobConfig, target: Target): RunPlan {
  const { name, collector, options, timeoutMs, intervalMs } = config;
  return { job: name, collector, options, target, timeoutMs, intervalMs };
}

export function startJob(
  config: JobConfig,
  around: JobSurroundings,
  memory: Memory = freshMemory(config, around),
): Job {
  const { log, clock, target } = around;
  const who = { job: config.name, target: target.name };
  const say = createSayer(log, who);
  const { counts, notes } = memory;
  const { intervalMs } = config;
  const startedMs = clock.monotonicMs();
  let controller = new AbortController();

  const once = async (): Promise<void> => {
    controller = new AbortController();
    const recall = (): string | undefined => around.state.read(config.id);
    const batch = await run({ ...planOf(config, target), recall, turn: around.turn }, clock, controller.signal);
    const { delivery, points, problems, failure, samples } = containedDelivery(batch, config, around, memory);
    const { atMs, durationMs } = batch;
    // A run that the daemon itself ended is not the job's fault: counted and sent, but nothing to say.
    if (!controller.signal.aborted) {
      say.run(failure, failure === undefined ? problems : []);
      const now = { nowMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };
      notes.ended({ atMs, ...now, durationMs, samples, failure, problems });
    }
    const of = { job: config.id, collector: config.collector.name, target: target.name };
    const seen = { ...of, atMs, intervalMs, tookMs: durationMs, points };
    around.deliver(controller.signal.aborted ? { ...delivery, isCut: true } : delivery, seen);
    if (failure !== undefined) return;
    const { offers = [] } = batch.reading;
    if (offers.length > 0 && !(await around.offer(offers, who))) return;
    // Only now has the run happened: one that is lost before is read again.
    if (batch.memo !== undefined) around.state.write(config.id, batch.memo);
  };

  const ticking = startTicking({
    when: config.when,
    splayKey: `${around.machine} ${config.id}`,
    splayMs: config.splayMs,
    // Hundreds of connections do not begin in one second.
    firstWithinMs: target.reach === undefined ? undefined : Math.min(config.splayMs, MAX_BEGIN_MS),
    clock,
    run: once,
    onSkipped(ticks) {
      counts.skippedTicks += ticks;
      say.skipped(ticks);
    },
  });
  return {
    config,
    ticking,
    release() {
      ticking.stop();
      return memory;
    },
    abort: (reason) => controller.abort(reason),
    status: () => ({
      job: {
        ...{ id: config.id, name: config.name, target: target.name, collector: config.collector.name, intervalMs },
        schedule: 'cron' in config.when ? config.when.cron : intervalText(config.when.everyMs),
        ...(ticking.running ? { runningMs: Math.round(ticking.runningMs()) } : {}),
        ...{ ...notes.told(), skippedTicks: counts.skippedTicks },
      },
      pulse: {
        ageMs: clock.monotonicMs() - startedMs,
        sinceSuccessMs: notes.succeededMs === undefined ? undefined : clock.monotonicMs() - notes.succeededMs,
      },
    }),
  };
}

/** Within this time all remote targets have been tried. */
const MAX_BEGIN_MS = 30_000;
