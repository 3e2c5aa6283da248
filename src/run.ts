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
}

export interface RunPlan {
  readonly job: string;
  readonly collector: Collector;
  readonly options: unknown;
  readonly target: Target;
  readonly timeoutMs: number;
  readonly intervalMs?: number | undefined;
}

/** What is left of a run that was ended is waited for this long, and no longer. */
const SETTLE_MS = 4000;
const nothing: Reading = { samples: [] };

/** `stop` ends the run early (its reason is a Failure). Resolves when nothing of the run is left. */
export async function run(plan: RunPlan, clock: Clock, stop?: AbortSignal): Promise<Batch> {
  const { job, target, timeoutMs, options, intervalMs } = plan;
  const atMs = clock.wallMs();
  const readAtMs = clock.monotonicMs();
  const elapsedMs = (): number => clock.monotonicMs() - readAtMs;
  const controller = new AbortController();
  const cancelDeadline = clock.after(timeoutMs, () => {
    controller.abort(new Failure('E_TIMEOUT', `the deadline of ${timeoutMs / 1000} s passed`));
  });
  const onStop = (): void => controller.abort(stop?.reason);
  if (stop?.aborted) onStop();
  stop?.addEventListener('abort', onStop, { once: true });

  const host = target.open(controller.signal);
  const work = Promise.resolve().then(() =>
    plan.collector.collect({ host, options, atMs, readAtMs, elapsedMs, timeoutMs, intervalMs }),
  );
  let outcome: Outcome | 'late' = await Promise.race([outcomeOf(work), aborted(controller.signal)]);
  const durationMs = elapsedMs();
  cancelDeadline();
  stop?.removeEventListener('abort', onStop);
  // A run that ended well may have left sockets open by oversight: they die with it too.
  controller.abort(new Failure('E_ABORTED', 'the run is over'));
  await settle(host.settled(), clock);
  if (outcome === 'late') {
    const reason = controller.signal.reason as Failure;
    // What the deadline broke says which program or file it was; a collector that just hangs says nothing.
    const detail = await Promise.race([
      outcomeOf(work),
      new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))),
    ]);
    outcome = { reading: nothing, failure: detail?.failure?.code === reason.code ? detail.failure : reason };
  }
  return { job, target: target.name, atMs, readAtMs, durationMs, ...outcome };
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
  const { unread = [] } = reading;
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
