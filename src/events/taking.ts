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

/** Now in microseconds, later than at any call before: events that are told apart by nothing else differ by it. */
export function createStamp(wallMs: () => number): () => number {
  let lastUs = 0;
  return () => {
    lastUs = Math.max(lastUs + 1, Math.round(wallMs() * 1000));
    return lastUs;
  };
}
