/** Room in a spool that is full: what is settled is forgotten first; then the choice of the operator decides. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from '../database.ts';
import { isFull } from '../database-failures.ts';
import { Failure } from '../errors.ts';

export interface SpoolOptions {
  readonly path: string;
  readonly maxBytes: number;
  /** What was not delivered for so long is given up; the time in which no daemon runs does not count. */
  readonly maxAgeMs: number;
  /** What happens when it is full of events that wait: the new one is refused, or the oldest are dropped. */
  readonly whenFull: 'refuse' | 'dropOldest';
}

export interface Load {
  readonly events: number;
  readonly bytes: number;
}

export interface Room {
  /** Runs it as one transaction that adds so much; where it does not fit, makes room or throws why there is none. */
  fit<Result>(what: Load, work: () => Result): Result;
  /** The same for what brings no events, and must not fail because there are many: it has all of the room. */
  force<Result>(work: () => Result): Result;
  readonly dropped: number;
}

/** Forgotten at once: rare enough for an import of many, and quick. */
const BATCH = 500;

/** With less than this on its disk, the disk is what is full. */
const SPACE = 1024 * 1024;

/** Kept free of new events: without it nothing of a full spool could be marked as delivered. */
const RESERVE = 1 / 8;

function spaceLeft(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}

export function createRoom(database: Database, { path, maxBytes, whenFull }: SpoolOptions): Room {
  let dropped = 0;
  const pageSize = Number(database.prepare('PRAGMA page_size').get()?.page_size);
  const bytesForEvents = Math.floor(maxBytes * (1 - RESERVE));
  const bound = (bytes: number): void => database.exec(`PRAGMA max_page_count = ${Math.floor(bytes / pageSize)}`);
  const forget = database.prepare(
    `DELETE FROM event WHERE seq IN (
       SELECT seq FROM event e WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.seq = e.seq AND d.state NOT IN (2, 4))
         AND EXISTS (SELECT 1 FROM delivery d WHERE d.seq = e.seq)
         -- What is known of it tells whether one like it, whose answer was lost, is there too.
         AND NOT EXISTS (SELECT 1 FROM event o JOIN delivery d ON d.seq = o.seq
           WHERE o.likeness = e.likeness AND o.seq <> e.seq AND d.state IN (0, 1))
       ORDER BY seq LIMIT ?)`,
  );
  const drop = database.prepare('DELETE FROM event WHERE seq IN (SELECT seq FROM event ORDER BY seq LIMIT ?)');

  const version = database.prepare('PRAGMA data_version');
  const versionNow = (): unknown => version.get()?.data_version;
  /** Nothing is settled as long as neither we nor another process have written what became of events. */
  let unsettledAt: unknown;
  const forgetSome = (count: number): number => {
    // Among many that wait, the search for one that is settled reads all.
    if (unsettledAt !== undefined && unsettledAt === versionNow()) return 0;
    const forgotten = database.transaction(() => forget.run(count));
    unsettledAt = forgotten === 0 ? versionNow() : undefined;
    return forgotten;
  };
  const make = (full: unknown, { events, bytes }: Load, attempt: number): void => {
    // A disk that is full is not emptied by throwing away what waits: deleting takes space first.
    if (spaceLeft(path) < SPACE) {
      throw new Failure('E_SPOOL', `${path} cannot grow: the disk is full; free some space on it`, {
        path,
        cause: full,
      });
    }
    // Nothing is dropped for what would not fit anyway.
    if (bytes > bytesForEvents / 2) {
      const advice = 'raise events.maxBytes, or hand in fewer at once';
      throw new Failure('E_SPOOL', `${path} is too small (${maxBytes} bytes) for ${bytes} bytes of events; ${advice}`, {
        path,
        cause: full,
      });
    }
    // As many as come: each attempt writes all of them anew, so that there must not be many.
    if (forgetSome(Math.max(BATCH, events)) > 0) return;
    // Few first: one new event is not worth five hundred old ones.
    const most = Math.min(Math.max(BATCH, Math.ceil(events / 4)), Math.ceil(events / 16) * 2 ** attempt);
    const count = whenFull === 'dropOldest' ? database.transaction(() => drop.run(most)) : 0;
    dropped += count;
    if (count > 0) return;
    const advice =
      'deliver what waits ("edgestatd event spool" shows it), raise events.maxBytes, or let events.whenFull drop the oldest';
    throw new Failure('E_SPOOL', `${path} is full (${maxBytes} bytes) of events that wait; ${advice}`, {
      path,
      cause: full,
    });
  };

  return {
    fit(what, work) {
      for (let attempt = 0; ; attempt++) {
        bound(bytesForEvents);
        try {
          return database.transaction(work);
        } catch (thrown) {
          if (!isFull(thrown)) throw thrown;
          bound(maxBytes);
          make(thrown, what, attempt);
        } finally {
          bound(maxBytes);
        }
      }
    },
    force(work) {
      unsettledAt = undefined;
      for (;;) {
        try {
          return database.transaction(work);
        } catch (thrown) {
          if (!isFull(thrown) || forgetSome(BATCH) === 0) throw thrown;
        }
      }
    },
    get dropped() {
      return dropped;
    },
  };
}
