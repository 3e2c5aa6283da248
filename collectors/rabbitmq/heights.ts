/**
 * Totals that fell for a while: a node whose statistics are missing in a sum, or a key that was left out. When they are
 * back at their old height, what lies between is no increment, so counting begins anew.
 */
import type { Counts } from './record.ts';

export interface Heights {
  /** How often counting of this thing had to begin anew; asked once in a run. */
  generation(key: string, counts: Counts | undefined): number;
  /** Forgets all others. */
  retain(keys: ReadonlySet<string>): void;
}

/** A total that fell and is not back after so many readings has begun again by itself. */
const MOST_READINGS = 5;

const FIELDS = ['published', 'delivered', 'acked', 'redelivered', 'got', 'returned', 'confirmed', 'settled'] as const;
type Field = (typeof FIELDS)[number];

interface Height {
  generation: number;
  readonly before: Map<Field, number>;
  readonly fallen: Map<Field, { readonly from: number; left: number }>;
}

export function createHeights(): Heights {
  const heights = new Map<string, Height>();
  return {
    generation(key, counts) {
      const height = heights.get(key) ?? { generation: 0, before: new Map(), fallen: new Map() };
      heights.set(key, height);
      if (counts !== undefined && isBack(height, counts)) {
        height.generation += 1;
        height.fallen.clear();
      }
      return height.generation;
    },
    retain(keys) {
      for (const key of heights.keys()) if (!keys.has(key)) heights.delete(key);
    },
  };
}

/** Notes what fell, and tells whether something is back where it fell from. */
function isBack({ before, fallen }: Height, counts: Counts): boolean {
  let back = false;
  for (const field of FIELDS) {
    const now = counts[field];
    if (now === undefined) continue;
    const last = before.get(field);
    const down = fallen.get(field);
    before.set(field, now);
    if (last !== undefined && now < last) fallen.set(field, { from: down?.from ?? last, left: MOST_READINGS });
    else if (down !== undefined && now >= down.from) back = true;
    else if (down !== undefined && --down.left <= 0) fallen.delete(field);
  }
  return back;
}
