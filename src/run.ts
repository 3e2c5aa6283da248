/** One job, once → a batch. It never rejects: a run that failed is a batch with its failure. */
import type { Clock } from './clock.ts';
import { type Collector, metricFault, type Reading } from './collector.ts';
import { asFailure, Failure } from './errors.ts';
import type { Target } from './hosts/target.ts';
import type { Metric } from './metric.ts';

/** A reading with its identity and time. */
export interface Batch {
  readonly job: string;
  readonly target: string;
  /** When the run began: on the wall clock, and on the monotonic one. */
  readonly atMs: number;
  readonly readAtMs: number;
  readonly durationMs: number;
  readonly reading: Reading;
  /** Why the run failed; absent: it is up, whatever its problems. */
  readonly failure?: Failure;
  /** What the run wrote into its memo, to be kept once the reading was handed on. */
  readonly memo?: string;
}

export interface RunPlan {
  readonly job: string;
  readonly collector: Collector;
  readonly options: unknown;
  readonly target: Target;
  readonly timeoutMs: number;
  readonly intervalMs?: number | undefined;
  /** What the run before wrote; absent: the run is none of a job. */
  readonly recall?: (() => string | undefined) | undefined;
  /** Waits until the run may begin; what it answers is called when the run is over. */
  readonly turn?: ((deadline: AbortSignal) => Promise<() => void>) | undefined;
}

/** As of a machine with several thousand services. */
const MAX_MEMO_BYTES = 16 * 2 ** 20;
/** What is left of a run that was ended is waited for this long, and no longer. */
const SETTLE_MS = 4000;
const nothing: Reading = { samples: [] };

/** `stop` ends the run early (its reason is a Failure). Resolves when nothing of the run is left. */
export async function run(plan: RunPlan, clock: Clock, stop?: AbortSignal): Promise<Batch> {
  const { job, target, timeoutMs, options, intervalMs } = plan;
  let atMs = clock.wallMs();
  let readAtMs = clock.monotonicMs();
  const beganAtMs = readAtMs;
  const elapsedMs = (): number => clock.monotonicMs() - beganAtMs;
  const controller = new AbortController();
  const { signal } = controller;
  const cancelDeadline = clock.after(timeoutMs, () => {
    controller.abort(new Failure('E_TIMEOUT', `the deadline of ${timeoutMs / 1000} s passed`));
  });
  const onStop = (): void => controller.abort(stop?.reason);
  if (stop?.aborted) onStop();
  stop?.addEventListener('abort', onStop, { once: true });

  const host = target.open(signal);
  let written: string | undefined;
  const write = (text: string): void => {
    written = memoText(text);
  };
  const memo = plan.recall && { read: plan.recall, write };
  let endTurn = (): void => {};
  const work = Promise.resolve().then(async () => {
    if (target.reach !== undefined) {
      await target.reach(signal);
      endTurn = (await plan.turn?.(signal)) ?? endTurn;
      // The numbers are of now, and not of when the connection was asked for.
      [atMs, readAtMs] = [clock.wallMs(), clock.monotonicMs()];
    }
    return plan.collector.collect({ host, options, atMs, readAtMs, elapsedMs, timeoutMs, intervalMs, memo });
  });
  let outcome: Outcome | 'late' = await Promise.race([outcomeOf(work), aborted(signal)]);
  const durationMs = elapsedMs();
  cancelDeadline();
  stop?.removeEventListener('abort', onStop);
  // A run that ended well may have left sockets open by oversight: they die with it too.
  controller.abort(new Failure('E_ABORTED', 'the run is over'));
  await settle(host.settled(), clock);
  endTurn();
  if (outcome === 'late') {
    const reason = signal.reason as Failure;
    // What the deadline broke says which program or file it was; a collector that just hangs says nothing.
    const detail = await Promise.race([
      outcomeOf(work),
      new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))),
    ]);
    outcome = { reading: nothing, failure: detail?.failure?.code === reason.code ? detail.failure : reason };
  }
  const kept = written === undefined || outcome.failure !== undefined ? {} : { memo: written };
  return { job, target: target.name, atMs, readAtMs, durationMs, ...outcome, ...kept };
}

function memoText(text: string): string {
  if (typeof text !== 'string') throw new Failure('E_BUG', 'memo.write() was given something that is no text');
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_MEMO_BYTES)
    throw new Failure('E_BUG', `memo.write() was given ${bytes} bytes; expected at most ${MAX_MEMO_BYTES}`);
  return text;
}

interface Outcome {
  readonly reading: Reading;
  readonly failure?: Failure;
}

async function outcomeOf(work: Promise<Reading>): Promise<Outcome> {
  try {
    return { reading: checkedReading(await work) };
  } catch (thrown) {
    const failure = asFailure(thrown);
    // Only the daemon ends a run: a collector that says so is wrong about it.
    if (failure.code !== 'E_ABORTED') return { reading: nothing, failure };
    return {
      reading: nothing,
      failure: new Failure('E_BUG', `E_ABORTED from a collector: ${failure.message}`, { cause: thrown }),
    };
  }
}

function aborted(signal: AbortSignal): Promise<'late'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('late');
    signal.addEventListener('abort', () => resolve('late'), { once: true });
  });
}

async function settle(settled: Promise<void>, clock: Clock): Promise<void> {
  let cancel = (): void => {};
  const enough = new Promise<void>((resolve) => {
    cancel = clock.after(SETTLE_MS, resolve);
  });
  await Promise.race([settled, enough]);
  cancel();
}

/** Metrics that were looked at: a collector hands over the same ones in every run. */
const sound = new WeakSet<Metric>();

/** A plugin is not compiled against our types: what it returns is looked at, its metrics once. */
function checkedReading(reading: Reading): Reading {
  if (!Array.isArray(reading?.samples)) {
    throw new Failure('E_BUG', 'collect() did not return { samples: [...] }');
  }
  const { unread = [], offers = [] } = reading;
  if (!Array.isArray(offers)) throw new Failure('E_BUG', 'collect() returned "offers" that is no list');
  if (!Array.isArray(unread) || !unread.every((scope) => typeof scope === 'object' && scope !== null)) {
    throw new Failure('E_BUG', 'collect() returned "unread" that is no list of labels');
  }
  for (const sample of reading.samples) {
    if (typeof sample?.metric !== 'object' || sample.metric === null) {
      throw new Failure(
        'E_BUG',
        'collect() returned something that is no sample; make them with sample(metric, value)',
      );
    }
    if (sound.has(sample.metric)) continue;
    const fault = metricFault(sample.metric);
    if (fault !== undefined) throw new Failure('E_BUG', `collect() returned a sample of a wrong metric: ${fault}`);
    sound.add(sample.metric);
  }
  return reading;
}
