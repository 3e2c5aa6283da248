/** The events of one destination that are in hand: claimed in the spool, on their way, or done and not yet written. */
import { likenessOf } from '../event.ts';
import type { Outcome, Outgoing, Spool } from '../spool.ts';

export interface Hand {
  /**
   * Up to `room` open events that may be tried now, in the order of `when`; not yet in hand. Events that the server
   * could not tell apart are in hand one at a time, since what is asked of one would be answered of the other.
   * `isAll`: there are no others; else some are left, or wait for one like them.
   */
  pick(spool: Spool, room: number, held: readonly number[], isReady: (event: Outgoing) => boolean): Picked;
  /** They are claimed. */
  take(picks: readonly Outgoing[]): void;
  /** The next that is to be tried. */
  next(): Outgoing | undefined;
  /** What was claimed and not begun; it is not in the queue any more. */
  giveBack(): Outgoing[];
  /** It was tried; it stays in hand until its outcome is written. */
  done(outcome: Outcome): void;
  /** What is to be written, and when it is. */
  readonly outcomes: readonly Outcome[];
  written(count: number): void;
  clear(): void;
  /** How many are claimed and not begun. */
  readonly queued: number;
}

export interface Picked {
  readonly events: readonly Outgoing[];
  /** Those that are open, or were and are in hand. */
  readonly seen: ReadonlySet<number>;
  readonly isAll: boolean;
}

/** Of many alike, so many times a further page is read for others. */
const PAGES = 8;

export function createHand(name: string): Hand {
  /** By `seq`, what it is like. */
  const inHand = new Map<number, string>();
  const likenesses = new Set<string>();
  let queue: Outgoing[] = [];
  let outcomes: Outcome[] = [];
  return {
    pick(spool, room, held, isReady) {
      const events: Outgoing[] = [];
      const alike = new Set<string>();
      const seen = new Set(inHand.keys());
      let isBlocked = false;
      for (let page = 0; page < PAGES; page++) {
        const limit = room - events.length;
        const rows = spool.open(name, limit, [...held, ...seen]);
        for (const row of rows) {
          seen.add(row.seq);
          const likeness = likenessOf(row.event);
          if (!isReady(row)) continue;
          if (likenesses.has(likeness) || alike.has(likeness)) {
            isBlocked = true;
            continue;
          }
          alike.add(likeness);
          events.push(row);
        }
        if (rows.length < limit) return { events, seen, isAll: !isBlocked };
        if (events.length >= room) break;
      }
      return { events, seen, isAll: false };
    },
    take(picks) {
      for (const pick of picks) {
        const likeness = likenessOf(pick.event);
        inHand.set(pick.seq, likeness);
        likenesses.add(likeness);
      }
      queue.push(...picks);
    },
    next: () => queue.shift(),
    giveBack() {
      const rest = queue;
      queue = [];
      return rest;
    },
    done(outcome) {
      outcomes.push(outcome);
    },
    get outcomes() {
      return outcomes;
    },
    written(count) {
      for (const { seq } of outcomes.slice(0, count)) {
        likenesses.delete(inHand.get(seq) ?? '');
        inHand.delete(seq);
      }
      outcomes = outcomes.slice(count);
    },
    clear() {
      inHand.clear();
      likenesses.clear();
      queue = [];
      outcomes = [];
    },
    get queued() {
      return queue.length;
    },
  };
}
