/** The system's clock, on which everything that is waited for comes so many times sooner. The wall clock is the true one. */
import { type Clock, systemClock } from '../../src/clock.ts';

export function hastyClock(times: number): Clock {
  return {
    wallMs: systemClock.wallMs,
    monotonicMs: () => systemClock.monotonicMs() * times,
    after: (delayMs, call) => systemClock.after(delayMs / times, call),
  };
}
