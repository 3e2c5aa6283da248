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

export interface Room {
  /** Runs it as one transaction that adds so many bytes; where it does not fit, makes room or throws why there is none. */
  fit<Result>(bytes: number, work: () => Result): Result;
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
       ORDER BY seq LIMIT ${BATCH})`,
  );
  const drop = database.prepare('DELETE FROM event WHERE seq IN (SELECT seq FROM event ORDER BY seq LIMIT ?)');

  const forgetSome = (): number => database.transaction(() => forget.run());
  const make = (full: unknown, bytes: number, attempt: number): void => {
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
      });
    }
    if (forgetSome() > 0) return;
    // Few first: one new event is not worth five hundred old ones.
    const count = whenFull === 'dropOldest' ? database.transaction(() => drop.run(Math.min(BATCH, 2 ** attempt))) : 0;
    dropped += count;
    if (count > 0) return;
    const advice =
      'deliver what waits ("edgestatd event spool" shows it), raise events.maxBytes, or let events.whenFull drop the oldest';
    throw new Failure('E_SPOOL', `${path} is full (${maxBytes} bytes) of events that wait; ${advice}`, { path });
  };

  return {
    fit(bytes, work) {
      for (let attempt = 0; ; attempt++) {
        bound(bytesForEvents);
        try {
          return database.transaction(work);
        } catch (thrown) {
          if (!isFull(thrown)) throw thrown;
          bound(maxBytes);
          make(thrown, bytes, attempt);
        } finally {
          bound(maxBytes);
        }
      }
    },
    force(work) {
      for (;;) {
        try {
          return database.transaction(work);
        } catch (thrown) {
          if (!isFull(thrown) || forgetSome() === 0) throw thrown;
        }
      }
    },
    get dropped() {
      return dropped;
    },
  };
}
