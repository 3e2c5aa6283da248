/** Reads one whole file within a deadline, and leaves no thread, descriptor or reader behind. */
import { close, constants, fstat, open, read } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { Failure, systemCode } from '../errors.ts';
import { quoted } from '../text.ts';
import { within } from './target.ts';

const CHUNK_BYTES = 64 * 1024;
/** O_NONBLOCK: opening a FIFO without a writer must not hold a thread; for other files it changes nothing. */
export const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
/** Reads that outlived their deadline: a file on a dead network mount holds one thread of the pool, never two. */
const stuck = new Set<string>();
/** Of the pool's four threads, which name look-ups and logs need too. */
const MAX_STUCK = 2;

/** `answer`: what was read, or a Failure. `ended`: the file is closed again. */
export interface FileRead<Value> {
  readonly answer: Promise<Value>;
  readonly ended: Promise<unknown>;
}

/** The text as UTF-8. */
export function readWhole(
  path: string,
  deadline: AbortSignal,
  maxBytes: number,
  chunkBytes = CHUNK_BYTES,
): FileRead<string> {
  return guarded(path, deadline, () => readNow(path, deadline, { maxBytes, chunkBytes }));
}

/** Ends the wait for a file at the deadline, and lets no more than a few hang for ever. */
export function guarded<Value>(path: string, deadline: AbortSignal, read: () => Promise<Value>): FileRead<Value> {
  if (deadline.aborted) return failed(deadline.reason as Failure);
  const isKernels = path.startsWith('/proc/') || path.startsWith('/sys/');
  if (stuck.has(path) || (stuck.size >= MAX_STUCK && !isKernels)) {
    return failed(
      new Failure('E_TIMEOUT', `an earlier read of ${quoted(path)} still hangs; is its file system dead?`, { path }),
    );
  }
  const onDeadline = (): void => void stuck.add(path);
  deadline.addEventListener('abort', onDeadline, { once: true });
  const work = read().finally(() => {
    deadline.removeEventListener('abort', onDeadline);
    stuck.delete(path);
  });
  const answer = within(deadline, work).catch((thrown) => {
    throw thrown instanceof Failure ? located(thrown, path) : fileFailure(path, thrown);
  });
  return { answer, ended: work };
}

function failed(failure: Failure): FileRead<never> {
  return { answer: Promise.reject(failure), ended: Promise.resolve() };
}

interface Bounds {
  readonly maxBytes: number;
  readonly chunkBytes: number;
}

async function readNow(path: string, deadline: AbortSignal, { maxBytes, chunkBytes }: Bounds): Promise<string> {
  const fd = await promisify(open)(path, FLAGS);
  // A plain descriptor and no FileHandle: a FIFO's is handed to the socket, which closes it, and nobody else may.
  let isOurs = true;
  try {
    const kind = await promisify(fstat)(fd);
    if (kind.isDirectory()) throw directoryFailure(path);
    if (kind.isFIFO()) {
      isOurs = false;
      return await readPollable(fd, path, deadline, maxBytes);
    }
    if (!kind.isFile()) throw irregularFailure(path);
    // Files of /proc and /sys have no size: read until the end.
    const chunks: Buffer[] = [];
    for (let total = 0; !deadline.aborted; ) {
      const { bytesRead, buffer } = await promisify(read)(fd, Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, null);
      if (bytesRead === 0) break;
      total += bytesRead;
      if (total > maxBytes) throw tooLarge(path, maxBytes);
      chunks.push(buffer.subarray(0, bytesRead));
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    if (isOurs) await promisify(close)(fd).catch(() => {});
  }
}

/** A FIFO is read through the event loop, so that a writer that never comes holds no thread. */
async function readPollable(fd: number, path: string, deadline: AbortSignal, maxBytes: number): Promise<string> {
  const socket = new Socket({ fd, readable: true, writable: false });
  const end = (): void => void socket.destroy();
  deadline.addEventListener('abort', end, { once: true });
  // It may have passed while the file was being opened.
  if (deadline.aborted) end();
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for await (const chunk of socket) {
      total += chunk.length;
      if (total > maxBytes) throw tooLarge(path, maxBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    deadline.removeEventListener('abort', end);
    socket.destroy();
  }
}

/** Said alike of this machine's files and of others'. */
export function directoryFailure(path: string): Failure {
  return new Failure('E_NOT_FOUND', `${quoted(path)} is a directory; a file is needed`, { path });
}

export function irregularFailure(path: string): Failure {
  return new Failure('E_NOT_FOUND', `${quoted(path)} is no regular file`, { path });
}

export function tooLarge(path: string, maxBytes: number): Failure {
  return new Failure('E_OUTPUT_SIZE', `${quoted(path)} is larger than ${maxBytes} bytes`, { path });
}

function located(failure: Failure, path: string): Failure {
  if (failure.evidence.path !== undefined) return failure;
  return new Failure(failure.code, `${quoted(path)}: ${failure.message}`, {
    ...failure.evidence,
    path,
    cause: failure,
  });
}

/** What a system error (by its `code`) means for who wanted to read. */
export function fileFailure(path: string, thrown: unknown): Failure {
  const details = { path, cause: thrown };
  switch (systemCode(thrown)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENODEV':
    case 'ENXIO':
    // Of a process that has ended.
    case 'ESRCH':
      return new Failure('E_NOT_FOUND', `${quoted(path)} does not exist`, details);
    case 'EINVAL':
      return new Failure('E_NOT_FOUND', `${quoted(path)} has no value now`, details);
    case 'EACCES':
    case 'EPERM':
      return new Failure('E_DENIED', `${quoted(path)} may not be read by this user`, details);
    default:
      return new Failure('E_CONNECT', `${quoted(path)} could not be read: ${(thrown as Error).message}`, details);
  }
}
