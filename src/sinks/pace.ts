/**
 * Pace: how many bytes may go out now. A burst fills the receiver's socket buffer before the server is scheduled, and
 * the kernel then drops without a word; so datagrams go in slots of a few milliseconds, and a batch is spread over a
 * share of its interval. Pure but for the clock's readings, which are arguments.
 */

/** What the kernel charges a socket buffer for a datagram beside its payload (skb overhead, net/core/skbuff.c). */
const OVERHEAD_BYTES = 768;
export const SLOT_MS = 5;
/** A batch is to be out after this share of its interval. */
export const SHARE = 0.5;

export interface Waiting {
  /** When it is to be out. */
  dueAtMs: number;
  /** Charged bytes not yet sent. */
  cost: number;
}

export interface Pace {
  /** Takes a datagram's cost from this slot; answers 0 if it may go now, else how many milliseconds to wait. */
  take(payloadBytes: number, waiting: Iterable<Waiting>, nowMs: number): number;
}

/** What a datagram occupies in a receiver's buffer. */
export function costOf(payloadBytes: number): number {
  return payloadBytes + OVERHEAD_BYTES;
}

/** `burst`: full datagrams of `maxBytes` in one slot at the most. */
export function createPace(burst: number, maxBytes: number): Pace {
  // A jumbo datagram is charged as what it is: the burst is counted in datagrams of at most Ethernet size.
  const most = burst * costOf(Math.min(maxBytes, 1432));
  const least = most / 4;
  let slotEndsAtMs = Number.NEGATIVE_INFINITY;
  let left = 0;

  return {
    take(payloadBytes, waiting, nowMs) {
      if (nowMs >= slotEndsAtMs) {
        slotEndsAtMs = nowMs + SLOT_MS;
        left = Math.max(least, Math.min(most, needed(waiting, nowMs)));
      }
      const cost = costOf(payloadBytes);
      // One datagram may always go in a fresh slot, however large it is.
      if (left <= 0) return slotEndsAtMs - nowMs;
      left -= cost;
      return 0;
    },
  };
}

/** The cost per slot with which every waiting batch is out in time. */
function needed(waiting: Iterable<Waiting>, nowMs: number): number {
  let before = 0;
  let rate = 0;
  for (const batch of waiting) {
    before += batch.cost;
    const slots = (batch.dueAtMs - nowMs) / SLOT_MS;
    rate = Math.max(rate, before / Math.max(1, slots));
  }
  return rate;
}
