/** How often something expensive is asked for: never for more than a share of the time, however slow the broker is. */
export interface Pace {
  /** Whether it is to be done in this run. Times are monotonic; without an interval it always is. */
  isDue(readAtMs: number, intervalMs: number | undefined): boolean;
  /** It was tried, and took so long. */
  tried(readAtMs: number, tookMs: number): void;
  /** It was done: what it gave is of now. */
  done(readAtMs: number): void;
  /** Age of what it gave last, in seconds; undefined: it never gave anything. */
  ageSeconds(readAtMs: number): number | undefined;
}

/** After so many runs it is tried again, whatever it takes. */
const MOST_RUNS = 30;

export function createPace(share: number): Pace {
  let triedAtMs: number | undefined;
  let doneAtMs: number | undefined;
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
      tookMs = took;
    },
    done(readAtMs) {
      doneAtMs = readAtMs;
    },
    ageSeconds: (readAtMs) => (doneAtMs === undefined ? undefined : (readAtMs - doneAtMs) / 1000),
  };
}
