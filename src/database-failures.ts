/** What goes wrong with an SQLite file, as `E_SPOOL` that says what to do. Pure. */
import { Failure } from './errors.ts';

/** Primary result codes of SQLite (sqlite3.h). */
const [BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB] = [5, 6, 8, 10, 11, 13, 14, 26];

/** The bound or the disk is reached: what was being written is not. */
export function isFull(thrown: unknown): boolean {
  return resultCode(thrown) === FULL;
}

/** What the file holds cannot be trusted any more. */
export function isCorrupt(thrown: unknown): boolean {
  return [CORRUPT, NOTADB].includes(resultCode(thrown) ?? 0);
}

/** Another process holds it. */
export function isBusy(thrown: unknown): boolean {
  return [BUSY, LOCKED].includes(resultCode(thrown) ?? 0);
}

/** It says no more than that it cannot open the file. */
export function isUnopened(thrown: unknown): boolean {
  return resultCode(thrown) === CANTOPEN;
}

/** Anything that was thrown by SQLite or the file system about `path`. */
export function told(thrown: unknown, path: string): Failure {
  if (thrown instanceof Failure) return thrown;
  return new Failure('E_SPOOL', `${path} ${reason(thrown)}`, { path, cause: thrown });
}

function reason(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const system = (thrown as NodeJS.ErrnoException).code;
  const code = resultCode(thrown);
  if (code === FULL)
    return 'cannot grow: its bound is reached, or the disk is full; free some space, or raise its bound';
  if (code === READONLY || system === 'EROFS')
    return 'cannot be written: the file or its file system is read-only; mount it for writing, or name another path';
  if (code === BUSY || code === LOCKED) return 'is held by another process for longer than five seconds; try again';
  if (code === CORRUPT || code === NOTADB) return `is no usable database: ${text}`;
  if (system === 'EACCES' || system === 'EPERM')
    return 'may not be written by this user; give it the directory, or name another path';
  if (system === 'ENOSPC') return 'cannot be made: the disk is full; free some space';
  if (system === 'ENOTDIR' || system === 'EISDIR') return `cannot be a file (${system}); name another path`;
  if (code === CANTOPEN)
    return 'cannot be opened; check the owner and mode of its directory, and the space on its disk';
  if (code === IOERR) return `cannot be read or written: ${text}; is the disk full, or broken?`;
  return `cannot be used: ${text}`;
}

/** The primary code of what SQLite threw, also where it is the cause of a Failure. */
function resultCode(thrown: unknown): number | undefined {
  let inner = thrown;
  while (inner instanceof Failure) inner = inner.cause;
  if (typeof inner !== 'object' || inner === null || !('errcode' in inner)) return undefined;
  return Number(inner.errcode) & 0xff;
}
