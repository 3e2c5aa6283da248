/** One job at work: tick → run → vet → totals → points, with its own state, its log lines and its self-metrics. */
import type { Clock } from './clock.ts';
import type { Offer } from './collector.ts';
import type { JobConfig } from './config.ts';
import { asFailure, type Code, type Failure } from './errors.ts';
import type { Target } from './hosts/target.ts';
import type { Log } from './log.ts';
import { isComputed, type Labels, type Metric } from './metric.ts';
import { basePath, createNaming } from './naming.ts';
import type { Point } from './point.ts';
import { type Batch, type RunPlan, run } from './run.ts';
import { startTicking, type Ticking } from './schedule.ts';
import { type JobCounts, runSamples } from './self.ts';
import type { Delivery } from './sinks/sink.ts';
import type { State } from './state.ts';
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
  readonly deliver: (delivery: Delivery) => void;
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
}

/** What survives a reload. */
export interface Memory {
  readonly totals: Totals;
  readonly selfTotals: Totals;
  readonly counts: JobCounts;
  /** Computed series that were not sent in this run, and why. */
  readonly refused: Map<string, string>;
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
  };
}

export interface Delivered {
  readonly delivery: Delivery;
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
  return { delivery, problems, failure: batch.failure, samples: sent };
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
  const { counts } = memory;
  let controller = new AbortController();

  const once = async (): Promise<void> => {
    controller = new AbortController();
    const recall = (): string | undefined => around.state.read(config.id);
    const batch = await run({ ...planOf(config, target), recall, turn: around.turn }, clock, controller.signal);
    const { delivery, problems, failure } = containedDelivery(batch, config, around, memory);
    // A run that the daemon itself ended is not the job's fault: counted and sent, but nothing to say.
    if (!controller.signal.aborted) say.run(failure, failure === undefined ? problems : []);
    around.deliver(controller.signal.aborted ? { ...delivery, isCut: true } : delivery);
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
  };
}

/** Within this time all remote targets have been tried. */
const MAX_BEGIN_MS = 30_000;
/** Problems that are remembered as said; more than this are counted, and not said one by one. */
const MAX_SAID = 50;

/** Says each state once: what began, and what is over. */
function createSayer(log: Log, who: { job: string; target: string }) {
  let failedAs: Code | undefined;
  let failedRuns = 0;
  let skipped = 0;
  let skippedSince = false;
  const said = new Map<string, Failure>();
  // Numbers in a message (a line, a byte count) change while the problem is the same.
  const key = ({ code, message }: Failure): string => `${code} ${message.replace(/[0-9]+/g, '#')}`;

  return {
    run(failure: Failure | undefined, problems: readonly Failure[]): void {
      if (!skippedSince && skipped > 0) {
        log('tick:in_time', { ...who, skipped });
        skipped = 0;
      }
      skippedSince = false;
      if (failure !== undefined) {
        failedRuns += 1;
        if (failure.code !== failedAs) log('run:failed', { ...who, code: failure.code, message: failure.message });
        failedAs = failure.code;
        return;
      }
      if (failedAs !== undefined) log('run:recovered', { ...who, failedRuns });
      failedAs = undefined;
      failedRuns = 0;
      const now = new Map(problems.map((problem) => [key(problem), problem]));
      for (const [text, { code, message }] of said) {
        if (now.has(text)) continue;
        said.delete(text);
        log('run:problem_gone', { ...who, code, message });
      }
      for (const [text, problem] of now) {
        if (said.has(text) || said.size >= MAX_SAID) continue;
        said.set(text, problem);
        log('run:problem', { ...who, code: problem.code, message: problem.message });
      }
    },
    skipped(ticks: number): void {
      skippedSince = true;
      if (skipped === 0) log('tick:skipped', { ...who, ticks });
      skipped += ticks;
    },
  };
}
