/** How fast a destination may be tried: at once while it is well, and ever more rarely while it is not. */
import type { Clock } from '../clock.ts';

export interface Pace {
  /** An attempt begins; what it comes to is told with the number that this answers. */
  begin(): number;
  succeeded(attempt: number): void;
  /**
   * `isLost`: its answer alone was lost, which says little when it happens once. Answers whether it is the first news
   * of its kind, rather than one of several that began together.
   */
  failed(attempt: number, how: { readonly isLost: boolean; readonly waitMs?: number | undefined }): boolean;
  /** One at a time is tried. */
  readonly isDown: boolean;
  /** When the next may begin, by the monotonic clock. */
  readonly fromMs: number;
}

const FIRST_MS = 1000;
const CEILING_MS = 300_000;

/** Half of the delay is left to chance, so that many that wait for one server do not come at once. */
export function backOff(step: number, random: () => number): number {
  const delay = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(step, 20));
  return delay / 2 + (random() * delay) / 2;
}

export function createPace(clock: Clock, random: () => number): Pace {
  let incident = 0;
  let failures = 0;
  let isDown = false;
  let fromMs = Number.NEGATIVE_INFINITY;
  return {
    begin: () => incident,
    succeeded(attempt) {
      if (attempt !== incident) return;
      failures = 0;
      isDown = false;
    },
    failed(attempt, { isLost, waitMs = 0 }) {
      const nowMs = clock.monotonicMs();
      if (waitMs > 0) fromMs = Math.max(fromMs, nowMs + waitMs);
      if (attempt !== incident) return false;
      incident++;
      failures++;
      if (isLost && failures === 1) return true;
      isDown = true;
      fromMs = Math.max(fromMs, nowMs + backOff(failures - (isLost ? 2 : 1), random));
      return true;
    },
    get isDown() {
      return isDown;
    },
    get fromMs() {
      return fromMs;
    },
  };
}
