/** So many at once, in the order of asking; the deadline ends the wait. */
export interface Seats {
  /** Resolves with what leaves the seat again. */
  take(deadline: AbortSignal): Promise<() => void>;
}

export function createSeats(most: number): Seats {
  let taken = 0;
  const queue = new Set<() => void>();
  const sit = (): (() => void) => {
    taken++;
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      taken--;
      const [next] = queue;
      if (next !== undefined) queue.delete(next);
      next?.();
    };
  };
  return {
    take(deadline) {
      if (deadline.aborted) return Promise.reject(deadline.reason);
      if (taken < most && queue.size === 0) return Promise.resolve(sit());
      return new Promise((resolve, reject) => {
        const give = (): void => {
          deadline.removeEventListener('abort', leave);
          resolve(sit());
        };
        const leave = (): void => {
          queue.delete(give);
          reject(deadline.reason);
        };
        queue.add(give);
        deadline.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
