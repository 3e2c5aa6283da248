/** What waits on the disk for one lane, read oldest first: where reading stands, and what was sent already. */
import { MAX_CHUNK_BYTES, type Sent } from './carbon-chunk.ts';
import { joined, type Range } from './carbon-ledger.ts';
import type { Spool } from './carbon-spool.ts';
import type { Amount, Stored } from './carbon-store.ts';
import type { Waiting } from './sink.ts';

export interface Backlog {
  /** The next lines and where they lie; undefined: there are none, or they cannot be read now. */
  next(): { readonly data: Buffer; readonly range: Range; readonly amount: Amount } | undefined;
  readonly isEmpty: boolean;
  /** This one was sent, although others before it were not. */
  hold(id: number): void;
  /** These need not be sent again. */
  remove(range: Range): void;
  /** Everything is to be sent, of which these were sent before. */
  restart(sent: readonly Range[]): void;
  /** How it was sent before, as it is known now. */
  sentOf(stored: Stored): Sent;
  /** `held`: what was sent and is kept there. */
  waiting(held: Amount, nowMs: number): Waiting | undefined;
}

export function openBacklog(key: string, spool: Spool): Backlog {
  /** What is on the disk up to here was sent; beyond, these alone were. */
  let cursor = 0;
  const held = new Set<number>();
  /** What was sent before the last restart, as far as the disk does not tell. */
  let earlier: readonly Range[] = [];

  const sentOf = ({ id, sent }: Stored): Sent =>
    earlier.find(({ fromId, toId }) => fromId <= id && id <= toId)?.sent ?? sent;
  const first = (): Stored | undefined => {
    for (;;) {
      const stored = spool.after(key, cursor);
      if (stored === undefined || !held.has(stored.id)) return stored;
      cursor = stored.id;
    }
  };
  return {
    next() {
      const parts: Buffer[] = [];
      const amount = { metrics: 0, bytes: 0 };
      let size = 0;
      let range: Range | undefined;
      while (size < MAX_CHUNK_BYTES / 2) {
        const stored = range === undefined ? first() : spool.after(key, cursor);
        if (stored === undefined) break;
        const sent = sentOf(stored);
        if (range !== undefined && (held.has(stored.id) || range.sent !== sent)) break;
        const lines = spool.lines(stored);
        if (lines === undefined) break;
        cursor = stored.id;
        if (lines === 'gone') continue;
        range = { fromId: range?.fromId ?? stored.id, toId: stored.id, sent };
        parts.push(lines);
        size += lines.length;
        amount.metrics += stored.metrics;
        amount.bytes += stored.bytes;
      }
      return range === undefined ? undefined : { data: Buffer.concat(parts), range, amount };
    },
    get isEmpty() {
      return first() === undefined;
    },
    hold: (id) => void held.add(id),
    remove({ fromId, toId }) {
      held.delete(toId);
      spool.remove(key, fromId, toId);
    },
    restart(sent) {
      const unsent = earlier.filter(({ toId }) => toId > cursor);
      earlier = joined([...unsent, ...sent], cursor);
      cursor = 0;
      held.clear();
    },
    sentOf,
    waiting(sent, nowMs) {
      const all = spool.amount(key);
      if (all === undefined) return undefined;
      const metrics = Math.max(0, all.metrics - sent.metrics);
      const oldest = metrics > 0 ? first() : undefined;
      const oldestSeconds = oldest === undefined ? undefined : Math.max(0, (nowMs - oldest.atMs) / 1000);
      return { metrics, bytes: Math.max(0, all.bytes - sent.bytes), oldestSeconds };
    },
  };
}
