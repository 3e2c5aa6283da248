/** Changes of state from one run to the next, counted. What is unknown in a run has not changed. */
export const CHANGES = [
  ...(['alarm_raised', 'alarm_cleared', 'partitioned', 'healed'] as const),
  ...(['queue_stuck', 'queue_unstuck', 'node_down', 'node_up'] as const),
] as const;
export type Change = (typeof CHANGES)[number];

/** Something that has changed: what, and of which node or queue. */
export interface StateChange {
  readonly change: Change;
  readonly of: string;
}

export interface Changes {
  /** One thing as it is now; undefined: unknown. Answers what changed since it was last known. */
  see(became: Change, ended: Change, of: string, now: boolean | undefined): StateChange | undefined;
  /** Forgets things of this kind that are none of these any more, such as deleted queues. */
  retain(became: Change, of: ReadonlySet<string>): void;
  counts(): ReadonlyMap<Change, number>;
}

export function createChanges(): Changes {
  const before = new Map<Change, Map<string, boolean>>();
  const counts = new Map<Change, number>(CHANGES.map((change) => [change, 0]));
  return {
    see(became, ended, of, now) {
      if (now === undefined) return undefined;
      const known = before.get(became) ?? new Map<string, boolean>();
      before.set(became, known);
      const then = known.get(of);
      known.set(of, now);
      // What is first seen has not changed within our sight.
      if (then === undefined || then === now) return undefined;
      const change = now ? became : ended;
      counts.set(change, (counts.get(change) ?? 0) + 1);
      return { change, of };
    },
    retain(became, of) {
      for (const key of before.get(became)?.keys() ?? []) if (!of.has(key)) before.get(became)?.delete(key);
    },
    counts: () => counts,
  };
}
