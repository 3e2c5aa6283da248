/** What jobs remember from run to run: in memory and, where a file is configured, beyond a restart. */
import type { Clock } from './clock.ts';
import { type Database, moveAside, openDatabase, takeLock } from './database.ts';
import { isCorrupt } from './database-failures.ts';
import { asFailure, Failure } from './errors.ts';
import type { Log } from './log.ts';

export interface State {
  /** What was written last for a job. */
  read(job: string): string | undefined;
  /** Kept in memory whatever happens; on the disk when this returns, where that can be had. */
  write(job: string, text: string): void;
  /** Another file, or none. */
  use(path: string | undefined): void;
  close(): void;
}

const VERSIONS = ['CREATE TABLE memo (job TEXT PRIMARY KEY, text TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT'];
const MAX_BYTES = 1024 * 2 ** 20;
/** A job that is gone for longer is not coming back. */
const FORGET_MS = 30 * 86_400_000;
/** A file that could not be had is tried again after this, at the next write. */
const AGAIN_MS = 60_000;

interface Held {
  readonly database: Database;
  readonly release: () => void;
}

/** Never throws: a file that cannot be used is told, and tried again. */
export function openState(file: string | undefined, { clock, log }: { readonly clock: Clock; log: Log }): State {
  const memos = new Map<string, string>();
  let path = file;
  let held: Held | undefined;
  let isSaid = false;
  let triedAtMs = Number.NEGATIVE_INFINITY;

  const drop = (): void => {
    held?.database.close();
    held?.release();
    held = undefined;
  };
  const fail = (thrown: unknown): void => {
    const { code, message } = asFailure(thrown);
    if (!isSaid) log('state:failed', { code, message: `${message}; after a restart jobs begin without their past` });
    isSaid = true;
    drop();
    if (path !== undefined && isCorrupt(thrown)) moveAside(path, clock.wallMs());
  };
  const attempt = (work: (database: Database) => void): void => {
    if (path === undefined) return;
    try {
      if (held === undefined && clock.monotonicMs() - triedAtMs < AGAIN_MS) return;
      triedAtMs = clock.monotonicMs();
      const isNew = held === undefined;
      held ??= hold(path, clock.wallMs());
      const { database } = held;
      // What was remembered while there was no file.
      if (isNew)
        database.transaction(() => memos.forEach((text, job) => void put(database, job, text, clock.wallMs())));
      work(database);
      if (isSaid) log('state:works', {});
      isSaid = false;
    } catch (thrown) {
      fail(thrown);
    }
  };
  attempt(() => {});
  /** At the end, since only then it is known which jobs are there: what they follow may have been silent for as long. */
  const forget = (database: Database): void => {
    const old = database.prepare('SELECT job FROM memo WHERE at_ms < ?').all(clock.wallMs() - FORGET_MS);
    const remove = database.prepare('DELETE FROM memo WHERE job = ?');
    for (const name of old.map(({ job }) => String(job))) if (!memos.has(name)) remove.run(name);
  };

  return {
    read(job) {
      const known = memos.get(job);
      if (known !== undefined) return known;
      attempt((database) => {
        const text = database.prepare('SELECT text FROM memo WHERE job = ?').get(job)?.text;
        if (typeof text === 'string') memos.set(job, text);
      });
      return memos.get(job);
    },
    write(job, text) {
      if (memos.get(job) === text) return;
      memos.set(job, text);
      attempt((database) => put(database, job, text, clock.wallMs()));
    },
    use(next) {
      if (next === path) return;
      drop();
      path = next;
      isSaid = false;
      triedAtMs = Number.NEGATIVE_INFINITY;
      attempt(() => {});
    },
    close() {
      if (held !== undefined) attempt(forget);
      drop();
    },
  };
}

function put(database: Database, job: string, text: string, nowMs: number): void {
  const sql =
    'INSERT INTO memo VALUES (?, ?, ?) ON CONFLICT (job) DO UPDATE SET text = excluded.text, at_ms = excluded.at_ms';
  database.prepare(sql).run(job, text, Math.round(nowMs));
}

function hold(path: string, nowMs: number): Held {
  const release = takeLock(path);
  if (release === undefined) {
    const message = `${path} is in use by another process; give each edgestatd a "state" of its own`;
    throw new Failure('E_SPOOL', message, { path });
  }
  try {
    const options = { versions: VERSIONS, sync: 'full', maxBytes: MAX_BYTES, mayMoveAside: true, nowMs } as const;
    return { database: openDatabase(path, options), release };
  } catch (thrown) {
    release();
    throw thrown;
  }
}
