/** Turns: how many runs on remote machines are at work at the same time. First come, first served. */
import type { Clock } from './clock.ts';

export interface Turns {
  /**
   * Resolves when it is the caller's turn, with what ends it; rejects with the deadline's reason. A turn ends by itself
   * after a while: who is slow then waits for its machine, which costs others nothing, and must not keep them waiting.
   */
  take(deadline: AbortSignal): Promise<() => void>;
  setLimit(limit: number): void;
}

/** Far longer than a machine that answers takes, and short enough that a hundred frozen ones hold nobody up. */
const HOLD_MS = 500;

export function createTurns(atOnce: number, clock: Clock, holdMs = HOLD_MS): Turns {
  let limit = atOnce;
  let atWork = 0;
  const waiting = new Set<() => void>();

  const begin = (): (() => void) => {
    atWork += 1;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      atWork -= 1;
      next();
    };
    const cancel = clock.after(holdMs, end);
    return end;
  };
  const next = (): void => {
    for (const call of waiting) {
      if (atWork >= limit) return;
      waiting.delete(call);
      call();
    }
  };

  return {
    take(deadline) {
      if (deadline.aborted) return Promise.reject(deadline.reason);
      if (atWork < limit) return Promise.resolve(begin());
      return new Promise((resolve, reject) => {
        const give = (): void => {
          deadline.removeEventListener('abort', leave);
          resolve(begin());
        };
        const leave = (): void => {
          waiting.delete(give);
          reject(deadline.reason);
        };
        waiting.add(give);
        deadline.addEventListener('abort', leave, { once: true });
      });
    },
    setLimit(to) {
      limit = to;
      next();
    },
  };
}
