import type { Failure } from '../../src/errors.ts';

/** How often something expensive is asked for: never for more than a share of the time, however slow the broker is. */
export interface Pace {
  /** Whether it is to be done in this run. Times are monotonic; without an interval it always is. */
  isDue(readAtMs: number, intervalMs: number | undefined): boolean;
  /** It was tried, and took so long. */
  tried(readAtMs: number, tookMs: number): void;
  /** It was done: what it gave is of now. */
  done(readAtMs: number): void;
  /** It was not, and why. */
  failed(failure: Failure): void;
  /** Why it was not done when it was tried last; undefined: it was. */
  readonly failure: Failure | undefined;
  /** Age of what it gave last, or of the first try where it never gave anything, in seconds. */
  ageSeconds(readAtMs: number): number | undefined;
}

/** After so many runs it is tried again, whatever it takes. */
const MOST_RUNS = 30;

export function createPace(share: number): Pace {
  let triedAtMs: number | undefined;
  let doneAtMs: number | undefined;
  let failure: Failure | undefined;
  let tookMs = 0;
  return {
    isDue(readAtMs, intervalMs) {
      if (triedAtMs === undefined || intervalMs === undefined) return true;
      const runs = Math.min(Math.max(Math.ceil(tookMs / (share * intervalMs)), 1), MOST_RUNS);
      // Runs are not exactly one interval apart.
      return readAtMs - triedAtMs >= (runs - 0.5) * intervalMs;
    },
    tried(readAtMs, took) {
      triedAtMs = readAtMs;
      doneAtMs ??= readAtMs;
      tookMs = took;
    },
    done(readAtMs) {
      doneAtMs = readAtMs;
      failure = undefined;
    },
    failed(why) {
      failure = why;
    },
    get failure() {
      return failure;
    },
    ageSeconds: (readAtMs) => (doneAtMs === undefined ? undefined : (readAtMs - doneAtMs) / 1000),
  };
}
