/** The file of known host keys: read at each connection, and written only at its end, one line for each new host. */
import { open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, systemCode } from '../errors.ts';
import { quoted } from '../text.ts';
import { readWhole } from './file.ts';
import type { KnownHosts } from './known-hosts.ts';
import { type Address, type HostKey, type Judgement, judgeKey, nameOf, parseKnownHosts } from './known-hosts.ts';

const MAX_BYTES = 16 * 1024 * 1024;
/** A lock is held for a few milliseconds; one that is older was left by a process that was killed. */
const STALE_LOCK_MS = 5000;

/** A file that does not exist knows nobody. `E_DENIED E_NOT_FOUND E_OUTPUT_SIZE E_TIMEOUT` */
export async function readKnownHosts(path: string, until: AbortSignal): Promise<KnownHosts & { isThere: boolean }> {
  try {
    return { ...parseKnownHosts(await readWhole(path, until, MAX_BYTES).answer), isThere: true };
  } catch (error) {
    if (error instanceof Failure && systemCode(error.cause) === 'ENOENT') {
      return { lines: [], malformed: [], isThere: false };
    }
    throw error;
  }
}

/** The last writer of each file, of this process. */
const writers = new Map<string, Promise<unknown>>();

/**
 * Appends the key of a host that was not known, unless that has happened in the meantime: hundreds of first connections
 * may do so at once, also from several processes. Resolves with what the file then says of the key.
 * `E_NOT_FOUND E_DENIED E_CONNECT E_TIMEOUT`
 */
export async function rememberKey(
  path: string,
  address: Address,
  offered: HostKey,
  until: AbortSignal,
): Promise<Judgement> {
  const before = writers.get(path) ?? Promise.resolve();
  const work = before.then(async () => {
    const unlock = await lock(path, until);
    try {
      const judgement = judgeKey(await readKnownHosts(path, until), address, offered);
      if (judgement.kind !== 'unknown') return judgement;
      await append(path, `${nameOf(address)} ${offered.type} ${offered.key}\n`);
      return { kind: 'known' } as const;
    } finally {
      await unlock();
    }
  });
  const done = work.catch(() => {});
  writers.set(path, done);
  // The path is forgotten with its last writer.
  done.then(() => void (writers.get(path) === done && writers.delete(path)));
  return work;
}

async function append(path: string, line: string): Promise<void> {
  try {
    const file = await open(path, 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
      // Somebody's editor left the last line without its end.
      const isOpen = bytesRead === 1 && buffer.toString('latin1') !== '\n';
      const text = Buffer.from(isOpen ? `\n${line}` : line);
      const { bytesWritten } = await file.write(text);
      if (bytesWritten !== text.length) throw new Error('only a part could be written; is the disk full?');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw writeFailure(path, error);
  }
}

/** Keeps other processes out, where the directory may be written; else the worst is that a line stands there twice. */
async function lock(path: string, until: AbortSignal): Promise<() => Promise<void>> {
  const lockPath = `${path}.lock`;
  for (;;) {
    if (until.aborted) throw until.reason;
    try {
      const file = await open(lockPath, 'wx', 0o600);
      await file.close();
      return () => unlink(lockPath).catch(() => {});
    } catch (error) {
      if (systemCode(error) === 'ENOENT') throw writeFailure(path, error);
      if (systemCode(error) !== 'EEXIST') return async () => {};
    }
    const { mtimeMs } = await stat(lockPath).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > STALE_LOCK_MS) await unlink(lockPath).catch(() => {});
    else await sleep(5);
  }
}

function writeFailure(path: string, error: unknown): Failure {
  const details = { path, cause: error };
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new Failure(
        'E_NOT_FOUND',
        `${quoted(path)} cannot be made to hold new host keys: there is no directory ${quoted(dirname(path))}; make it`,
        details,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS': {
      const advice = 'let it write there, or add the key by hand and leave hostKeys at strict';
      return new Failure('E_DENIED', `${quoted(path)} may not be written by this user; ${advice}`, details);
    }
    default:
      return new Failure('E_CONNECT', `${quoted(path)} could not be written: ${(error as Error).message}`, details);
  }
}
