/** A clock that stands still until a test moves it, forwards or backwards. */
import type { Clock } from '../../src/clock.ts';

export interface FakeClock extends Clock {
  /** Lets time pass: both clocks go on, and every timer that falls due is called in order. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock forwards or backwards, as NTP or an operator does; no time passes. */
  jumpWall(ms: number): void;
  /** Timers that are armed. */
  readonly timers: number;
}

export function fakeClock(wallMs = Date.UTC(2026, 0, 1)): FakeClock {
  let wall = wallMs;
  let monotonic = 0;
  let order = 0;
  const timers = new Map<number, { readonly atMs: number; readonly call: () => void }>();

  /** Promises that timers woke must get their turn before time goes on. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return {
    wallMs: () => wall,
    monotonicMs: () => monotonic,
    after(delayMs, call) {
      order += 1;
      const id = order;
      timers.set(id, { atMs: monotonic + Math.max(0, delayMs), call });
      return () => timers.delete(id);
    },
    async advance(ms) {
      const untilMs = monotonic + ms;
      await settle();
      for (;;) {
        let next: { id: number; atMs: number; call: () => void } | undefined;
        for (const [id, timer] of timers) {
          if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = { id, ...timer };
        }
        if (next === undefined) break;
        wall += next.atMs - monotonic;
        monotonic = next.atMs;
        timers.delete(next.id);
        next.call();
        await settle();
      }
      wall += untilMs - monotonic;
      monotonic = untilMs;
    },
    jumpWall(ms) {
      wall += ms;
    },
    get timers() {
      return timers.size;
    },
  };
}
