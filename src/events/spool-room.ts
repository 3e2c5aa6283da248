/** Room in a spool that is full: what is settled is forgotten first; then the choice of the operator decides. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from '../database.ts';
import { Failure } from '../errors.ts';
import type { SpoolOptions } from './spool.ts';

export interface Room {
  /** Makes some, or throws why there is none. */
  make(full: Failure): void;
  readonly dropped: number;
}

/** Forgotten at once: rare enough for an import of many, and quick. */
const BATCH = 500;

/** With less than this on its disk, the disk is what is full. */
const SPACE = 1024 * 1024;

function spaceLeft(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}

export function createRoom(database: Database, { path, maxBytes, whenFull }: SpoolOptions): Room {
  let dropped = 0;
  const forget = database.prepare(
    `DELETE FROM event WHERE seq IN (
       SELECT seq FROM event e WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.seq = e.seq AND d.state NOT IN (2, 4))
         AND EXISTS (SELECT 1 FROM delivery d WHERE d.seq = e.seq)
       ORDER BY seq LIMIT ${BATCH})`,
  );
  const drop = database.prepare(`DELETE FROM event WHERE seq IN (SELECT seq FROM event ORDER BY seq LIMIT ${BATCH})`);
  return {
    make(full) {
      // A disk that is full is not emptied by throwing away what waits: deleting takes space first.
      if (spaceLeft(path) < SPACE) {
        throw new Failure('E_SPOOL', `${path} cannot grow: the disk is full; free some space on it`, {
          path,
          cause: full,
        });
      }
      if (database.transaction(() => forget.run()) > 0) return;
      const count = whenFull === 'dropOldest' ? database.transaction(() => drop.run()) : 0;
      dropped += count;
      if (count > 0) return;
      const advice =
        'deliver what waits ("edgestatd event spool" shows it), raise events.maxBytes, or let events.whenFull drop the oldest';
      throw new Failure('E_SPOOL', `${path} is full (${maxBytes} bytes) of events that wait; ${advice}`, { path });
    },
    get dropped() {
      return dropped;
    },
  };
}
