/** Many small files, a part of a large one, and the names in a directory: of this machine, within a deadline. */
import { close, closeSync, fstat, fstatSync, open, openSync, read, readdir } from 'node:fs';
import { promisify } from 'node:util';
import { asFailure, type Failure } from '../errors.ts';
import type { FilePart } from '../host.ts';
import { directoryFailure, type FileRead, FLAGS, guarded, irregularFailure, readWhole } from './file.ts';

/** Attributes of sysfs have at most a page. */
export const SMALL_BYTES = 64 * 1024;
const SMALL_CHUNK_BYTES = 4096;
/** The pool has four threads, which name look-ups and logs need too. */
const AT_ONCE = 2;

/** The text of each, or why there is none; rejects at the deadline alone. */
export function readMany(paths: readonly string[], deadline: AbortSignal): FileRead<(string | Failure)[]> {
  const texts: (string | Failure)[] = [];
  const ends: Promise<unknown>[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length) {
      deadline.throwIfAborted();
      const at = next++;
      const one = readSmall(paths[at] ?? '', deadline);
      texts[at] = await one.answer.catch(asFailure);
      ends.push(one.ended.catch(() => {}));
    }
    deadline.throwIfAborted();
  };
  const answer = Promise.all(Array.from({ length: AT_ONCE }, work)).then(() => texts);
  return { answer, ended: answer.then(() => Promise.all(ends)) };
}

function readSmall(path: string, deadline: AbortSignal): FileRead<string> {
  if (!path.startsWith('/sys/')) return readWhole(path, deadline, SMALL_BYTES, SMALL_CHUNK_BYTES);
  return guarded(path, deadline, async () => {
    const text = await readAttribute(path);
    if (text !== undefined) return text;
    const { answer, ended } = readWhole(path, deadline, SMALL_BYTES, SMALL_CHUNK_BYTES);
    await Promise.allSettled([answer, ended]);
    return answer;
  });
}

/**
 * An attribute of sysfs, which is one read(2) of at most a page. To open it asks no driver, so only the read needs a
 * thread: of ten thousand attributes, the way to the thread and back is most of the cost.
 *
 * Undefined: it takes more than one read. Attributes have a size, which is a page or what they are at most; files of
 * cgroups, debugfs and tracefs, which are mounted below /sys too, have none and come in pieces of any length.
 */
function readAttribute(path: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const fd = openSync(path, FLAGS);
    if (fstatSync(fd).size === 0) {
      closeSync(fd);
      resolve(undefined);
      return;
    }
    const buffer = Buffer.allocUnsafe(SMALL_CHUNK_BYTES);
    read(fd, buffer, 0, buffer.length, null, (error, length) => {
      closeSync(fd);
      if (error !== null) reject(error.code === 'EISDIR' ? directoryFailure(path) : error);
      else resolve(length < SMALL_CHUNK_BYTES ? buffer.toString('utf8', 0, length) : undefined);
    });
  });
}

export function readSlice(
  path: string,
  deadline: AbortSignal,
  { offset, maxBytes }: { readonly offset: number; readonly maxBytes: number },
): FileRead<FilePart> {
  return guarded(path, deadline, async () => {
    const fd = await promisify(open)(path, FLAGS);
    try {
      const { dev, ino, size, ...kind } = await statOf(fd);
      if (kind.isDirectory) throw directoryFailure(path);
      if (!kind.isFile) throw irregularFailure(path);
      const wanted = Math.max(0, Math.min(maxBytes, Number(size) - offset));
      const bytes = Buffer.alloc(wanted);
      let length = 0;
      while (length < wanted && !deadline.aborted) {
        const { bytesRead } = await promisify(read)(fd, bytes, length, wanted - length, offset + length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return { bytes: bytes.subarray(0, length), size: Number(size), identity: `${dev}:${ino}` };
    } finally {
      await promisify(close)(fd).catch(() => {});
    }
  });
}

/** Inode numbers of some file systems are above 2^53. */
async function statOf(fd: number) {
  const stats = await promisify(fstat)(fd, { bigint: true });
  const { dev, ino, size } = stats;
  return { dev, ino, size, isDirectory: stats.isDirectory(), isFile: stats.isFile() };
}

export function listDirectory(path: string, deadline: AbortSignal): FileRead<string[]> {
  return guarded(path, deadline, async () => (await promisify(readdir)(path)).toSorted());
}
