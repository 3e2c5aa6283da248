/** Time, as an argument: production passes `systemClock`, tests pass one that they move. */
export interface Clock {
  /** Milliseconds since the epoch: for people and time stamps; may jump. */
  wallMs(): number;
  /** Milliseconds that only grow: for everything that is measured or waited for. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`; returns what cancels it. */
  after(delayMs: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};
