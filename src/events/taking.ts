/** What every way in ends in: events are taken when the spool has them on the disk. */
import type { Event } from './event.ts';
import type { Receipt } from './spool.ts';

/**
 * Takes events; resolves when they are on the disk. Rejects with `E_SPOOL` when they could not be written, and with
 * `E_PARSE` when `conflicts` is `refuse` and one has the id of another event: then none is taken.
 */
export type Take = (
  events: readonly Event[],
  how: { readonly source: string; readonly conflicts: 'refuse' | 'report' },
) => Promise<readonly Receipt[]>;

/** A clock that was set back by more than this is believed. */
const BELIEVED_US = 1e6;

/** Now in microseconds, later than at the call before: events that are told apart by nothing else differ by it. */
export function createStamp(wallMs: () => number): () => number {
  let lastUs = 0;
  return () => {
    const nowUs = Math.round(wallMs() * 1000);
    // Set back, it passes the same milliseconds a second time: within them, stamps differ by chance.
    if (nowUs < lastUs - BELIEVED_US) lastUs = nowUs + Math.floor(Math.random() * 1000);
    else lastUs = Math.max(lastUs + 1, nowUs);
    return lastUs;
  };
}
