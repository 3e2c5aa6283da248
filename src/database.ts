/**
 * Files of ours that must outlive the process: SQLite by node:sqlite (this is its only importer), opened, bounded,
 * moved aside when corrupt, and with every error told as `E_SPOOL`.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { isBusy, isCorrupt, isUnopened, told } from './database-failures.ts';
import { make, refusal } from './database-file.ts';
import { asFailure, Failure } from './errors.ts';

export type Row = Readonly<Record<string, unknown>>;
/** For a `?` each, or one map for names (`:name`). */
export type Value = SQLInputValue | Readonly<Record<string, SQLInputValue>>;

/** One prepared statement. Numbers come back as numbers, so nothing in a database of ours is above 2^53. */
export interface Statement {
  all(...values: Value[]): Row[];
  get(...values: Value[]): Row | undefined;
  /** Answers how many rows changed. */
  run(...values: Value[]): number;
}

/** Every call throws `E_SPOOL` alone. All of it is synchronous: keep what it does short. */
export interface Database {
  readonly path: string;
  /** Set: what stood at the path was no usable database, and stands here now. */
  readonly movedAside: string | undefined;
  prepare(sql: string): Statement;
  exec(sql: string): void;
  /** All of it or, when it throws, nothing. With sync `full` it is on the disk when this returns. */
  transaction<Result>(work: () => Result): Result;
  /** Of the main file, in bytes; and how much of it is free for what comes. */
  size(): { readonly bytes: number; readonly freeBytes: number };
  /** Whether another process has written since the last time that this was asked. */
  changedElsewhere(): boolean;
  /** Gives free pages back to the file system, at most so many. */
  shrink(pages: number): void;
  close(): void;
}

export interface DatabaseOptions {
  /** The statements that make version 1, those that make version 2 of it, and so on. */
  readonly versions: readonly string[];
  /** `full`: a commit is on the disk. `normal`: it survives our end and a kill, and not always the machine's. */
  readonly sync: 'full' | 'normal';
  /** The main file grows no further: what would make it fails with `isFull`. */
  readonly maxBytes: number;
  /** What is corrupt may be moved aside: only for who holds the lock, since others may be using it. */
  readonly mayMoveAside: boolean;
  /** Names the file that was moved aside. */
  readonly nowMs: number;
}

const BUSY_MS = 5000;

/** Opens a database, or makes one. Throws `E_SPOOL`. */
export function openDatabase(path: string, options: DatabaseOptions): Database {
  try {
    return open(path, options, undefined);
  } catch (thrown) {
    if (!isCorrupt(thrown)) throw thrown;
    if (!options.mayMoveAside) {
      const advice = 'start the daemon, or restart it, which moves it aside and begins a new one';
      throw new Failure('E_SPOOL', `${path} is no usable database (${asFailure(thrown).message}); ${advice}`, {
        path,
        cause: thrown,
      });
    }
    return open(path, options, moveAside(path, options.nowMs));
  }
}

/** Renames a database and what belongs to it; answers where it is now. */
export function moveAside(path: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace(/\..*$/, 'Z');
  let aside = `${path}.corrupt-${stamp}`;
  for (let count = 2; existsSync(aside); count++) aside = `${path}.corrupt-${stamp}-${count}`;
  try {
    // The log first: a new database must never find the old one's.
    for (const suffix of ['-wal', '-shm', '']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  } catch (thrown) {
    throw told(thrown, path);
  }
  return aside;
}

/**
 * Holds `<path>.lock` for this process until it is released, or the process ends in whatever way; undefined: another
 * process holds it. (Node.js has no flock(2), and SQLite's lock ends with its process.)
 */
export function takeLock(path: string): (() => void) | undefined {
  const file = `${path}.lock`;
  make(file);
  let database: DatabaseSync | undefined;
  try {
    database = connect(file);
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    // Of a file that cannot be written, SQLite begins without a lock, and says so at the first change alone.
    database.exec('PRAGMA user_version = 1');
    const held = database;
    return () => {
      if (held.isOpen) held.close();
    };
  } catch (thrown) {
    database?.close();
    if (isBusy(thrown)) return undefined;
    // It holds nothing: what stands there instead is of no worth.
    if (!isCorrupt(thrown)) throw told(thrown, file);
    rmSync(file, { force: true });
    return takeLock(path);
  }
}

function open(path: string, options: DatabaseOptions, movedAside: string | undefined): Database {
  make(path);
  let database: DatabaseSync | undefined;
  try {
    database = connect(path);
    prepare(database, options, path);
    return databaseOf(database, path, movedAside);
  } catch (thrown) {
    database?.close();
    throw told(isUnopened(thrown) ? (refusal(path) ?? thrown) : thrown, path);
  }
}

function prepare(database: DatabaseSync, { versions, sync, maxBytes }: DatabaseOptions, path: string): void {
  // Before anything else: two that begin at once wait for each other.
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA auto_vacuum = INCREMENTAL`);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${sync === 'full' ? 'FULL' : 'NORMAL'}`);
  const pageSize = numberOf(database, 'PRAGMA page_size');
  database.exec(`PRAGMA max_page_count = ${Math.max(16, Math.floor(maxBytes / pageSize))}`);
  database.exec('PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 4194304');
  const found = numberOf(database, 'PRAGMA user_version');
  if (found > versions.length) {
    const message = `${path} was written by a newer edgestatd (version ${found}; this one knows ${versions.length})`;
    throw new Failure('E_SPOOL', `${message}; run that one, or name another file`, { path });
  }
  if (found === versions.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const statements of versions.slice(numberOf(database, 'PRAGMA user_version'))) database.exec(statements);
    database.exec(`PRAGMA user_version = ${versions.length}; COMMIT`);
  } catch (thrown) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw thrown;
  }
}

function databaseOf(database: DatabaseSync, path: string, movedAside: string | undefined): Database {
  const guarded = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (thrown) {
      throw told(thrown, path);
    }
  };
  const ask = (sql: string): number => guarded(() => numberOf(database, sql));
  let version = ask('PRAGMA data_version');
  return {
    path,
    movedAside,
    prepare(sql) {
      const statement = guarded(() => database.prepare(sql));
      return {
        all: (...values) => guarded(() => statement.all(...(values as SQLInputValue[])) as Row[]),
        get: (...values) => guarded(() => statement.get(...(values as SQLInputValue[])) as Row | undefined),
        run: (...values) => guarded(() => Number(statement.run(...(values as SQLInputValue[])).changes)),
      };
    },
    exec: (sql) => guarded(() => database.exec(sql)),
    transaction(work) {
      guarded(() => database.exec('BEGIN IMMEDIATE'));
      try {
        const result = work();
        guarded(() => database.exec('COMMIT'));
        return result;
      } catch (thrown) {
        // A full disk may have rolled it back by itself.
        if (database.isTransaction) guarded(() => database.exec('ROLLBACK'));
        throw thrown;
      }
    },
    size() {
      const pageSize = ask('PRAGMA page_size');
      return { bytes: pageSize * ask('PRAGMA page_count'), freeBytes: pageSize * ask('PRAGMA freelist_count') };
    },
    changedElsewhere() {
      const before = version;
      version = ask('PRAGMA data_version');
      return version !== before;
    },
    shrink: (pages) => guarded(() => database.exec(`PRAGMA incremental_vacuum(${Math.floor(pages)})`)),
    close() {
      if (database.isOpen) guarded(() => database.close());
    },
  };
}

/** Loaded at first use: where nothing is kept on disk, old Node.js versions do not warn of it. */
function connect(path: string): DatabaseSync {
  const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as typeof import('node:sqlite');
  return new DatabaseSync(path);
}

function numberOf(database: DatabaseSync, sql: string): number {
  const [value] = Object.values(database.prepare(sql).get() ?? {});
  return Number(value);
}
