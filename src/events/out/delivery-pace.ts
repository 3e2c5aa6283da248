/** How fast a destination may be tried: at once while it is well, and ever more rarely while it is not. */
import type { Clock } from '../../clock.ts';

export interface Pace {
  /** An attempt begins; what it comes to is told with the number that this answers. */
  begin(): number;
  succeeded(attempt: number): void;
  /**
   * `isLost`: its answer alone was lost, which says little when it happens once. `isAgain`: of an event that failed
   * before, which tells nothing new of the destination. Answers whether it is the first news of its kind, rather than
   * one of several that began together.
   */
  failed(attempt: number, how: Mishap): boolean;
  /** One at a time is tried. */
  readonly isDown: boolean;
  /** When the next may begin, by the monotonic clock. */
  readonly fromMs: number;
  /** When an event may begin that has not failed yet: no later, as those that fail again and again do not put it off. */
  readonly freshMs: number;
}

interface Mishap {
  readonly isLost: boolean;
  readonly isAgain?: boolean;
  readonly waitMs?: number | undefined;
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
  let fresh = 0;
  let isDown = false;
  let fromMs = Number.NEGATIVE_INFINITY;
  let freshMs = Number.NEGATIVE_INFINITY;
  return {
    begin: () => incident,
    succeeded(attempt) {
      if (attempt !== incident) return;
      failures = 0;
      fresh = 0;
      isDown = false;
    },
    failed(attempt, { isLost, isAgain = false, waitMs = 0 }) {
      const nowMs = clock.monotonicMs();
      if (waitMs > 0) {
        fromMs = Math.max(fromMs, nowMs + waitMs);
        freshMs = Math.max(freshMs, nowMs + waitMs);
      }
      if (attempt !== incident) return false;
      incident++;
      failures++;
      if (!isAgain) fresh++;
      if (isLost && failures === 1) return true;
      isDown = true;
      const first = isLost ? 2 : 1;
      fromMs = Math.max(fromMs, nowMs + backOff(failures - first, random));
      if (!isAgain) freshMs = Math.max(freshMs, nowMs + backOff(Math.max(0, fresh - first), random));
      return true;
    },
    get isDown() {
      return isDown;
    },
    get fromMs() {
      return fromMs;
    },
    get freshMs() {
      return Math.min(freshMs, fromMs);
    },
  };
}
