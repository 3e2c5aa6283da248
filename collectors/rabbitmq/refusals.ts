/**
 * Vhosts in which this user has no permission. The broker writes each refusal into its log, and a thousand hypervisors
 * ask it: so they are asked for again only after some runs.
 */
export interface Refusals {
  /** It was refused not long ago, and need not be asked for now. */
  isStanding(vhost: string): boolean;
  add(vhost: string): void;
  remove(vhost: string): void;
}

const RUNS = 10;

/** Nothing is remembered: what is refused is asked for again. */
export const noRefusals: Refusals = { isStanding: () => false, add() {}, remove() {} };

/** What a run at that monotonic time sees of what `sinceMs` remembers, by vhost. */
export function refusalsAt(sinceMs: Map<string, number>, readAtMs: number, intervalMs: number | undefined): Refusals {
  return {
    isStanding(vhost) {
      const since = sinceMs.get(vhost);
      return since !== undefined && intervalMs !== undefined && readAtMs - since < (RUNS - 0.5) * intervalMs;
    },
    add: (vhost) => sinceMs.set(vhost, readAtMs),
    remove: (vhost) => sinceMs.delete(vhost),
  };
}
