/** Time for several calls in all, and long work in slices, between which everything else has its turn. */
import type { Failure } from '../errors.ts';

/** Work that yields wherever it may be interrupted. */
export type Work<Result> = Generator<void, Result, void>;

/** Does it at one stretch. */
export function finish<Result>(work: Work<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Once the time is up, all of it rejects with the Failure that says so. */
export interface Allowance {
  /** Rejects then, whatever the call does; a call that was begun in vain dies with its run. */
  within<Value>(call: Promise<Value>): Promise<Value>;
  /** Does the work slice by slice, and gives it up then. */
  inSlices<Result>(work: Work<Result>): Promise<Result>;
  /** Nothing more is to be asked of it. */
  end(): void;
}

/** A slice is over when it has taken this long; several pieces of work may take turns. */
const SLICE_MS = 5;

export function allowance(ms: number, late: () => Failure): Allowance {
  let failure: Failure | undefined;
  const { promise: passed, reject } = Promise.withResolvers<never>();
  // It may pass while nobody waits.
  passed.catch(() => {});
  const timer = setTimeout(() => {
    failure = late();
    reject(failure);
  }, ms);
  return {
    within: (call) => Promise.race([passed, call]),
    async inSlices(work) {
      for (let began = performance.now(); ; ) {
        if (failure !== undefined) throw failure;
        const step = work.next();
        if (step.done) return step.value;
        if (performance.now() - began < SLICE_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        began = performance.now();
      }
    },
    end: () => clearTimeout(timer),
  };
}
