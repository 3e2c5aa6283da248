/**
 * The files of a drop folder, by their names as bytes: nothing of a name is ever understood, and none has a way out of
 * the folder. Errors are those of the file system.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, opendir, rename, rm, writeFile } from 'node:fs/promises';
import { Failure, systemCode } from '../../errors.ts';
import { quoted } from '../../text.ts';

export interface DroppedFile {
  readonly content: Buffer;
  /** In nanoseconds since the epoch: its last change, which moving it does not change. */
  readonly changedNs: bigint;
}

/** What cannot be read as a file of events, and why. */
export interface NoFile {
  readonly reason: string;
}

const MAX_NAME = 255;
const REASON = '.reason.txt';
/** A symbolic link is not followed, and a FIFO without a writer not waited for. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export function inside(folder: string | Buffer, name: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(folder), Buffer.from('/'), Buffer.from(name)]);
}

/** One that is there must be a directory and no link: who may write here must not choose where files are moved to. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o750 }).catch((thrown) => {
    if (systemCode(thrown) !== 'EEXIST') throw thrown;
  });
  if ((await lstat(path)).isDirectory()) return;
  throw new Failure('E_DENIED', `${quoted(path, 200)} is there and no directory; remove it`, { path });
}

/** Names that end in `.json` and begin with no dot, in no order. The folder may change meanwhile. */
export async function* jsonNames(folder: string): AsyncGenerator<Buffer> {
  // Its types know names as texts alone.
  const entries = await opendir(folder, { encoding: 'buffer' as 'utf8' });
  for await (const entry of entries) {
    const name = entry.name as unknown as Buffer;
    if (name[0] !== 46 && name.subarray(-5).toString('latin1') === '.json') yield name;
  }
}

/** Whether it was moved; false: it is gone, or the place is taken. */
export async function moveFile(from: Buffer, to: Buffer): Promise<boolean> {
  if (await exists(to)) return false;
  try {
    await rename(from, to);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT' && !(await exists(from))) return false;
    throw thrown;
  }
}

/** Moves it by its name, or by one that is free: `deploy.1700000000123456789.json`, where there was a `deploy.json`. */
export async function moveAway(from: Buffer, folder: string, name: Buffer, changedNs: bigint): Promise<Buffer> {
  const stem = name.subarray(0, -5);
  for (let count = 0; ; count++) {
    const suffix = count === 0 ? '.json' : `.${changedNs}${count === 1 ? '' : `-${count}`}.json`;
    const free = Buffer.concat([stem.subarray(0, MAX_NAME - suffix.length), Buffer.from(suffix)]);
    if (await exists(inside(folder, free))) continue;
    await rename(from, inside(folder, free));
    return free;
  }
}

/** Beside a rejected file: the reason, for people. */
export async function writeReason(folder: string, name: Buffer, reason: string): Promise<void> {
  const path = inside(folder, Buffer.concat([name.subarray(0, MAX_NAME - REASON.length), Buffer.from(REASON)]));
  // Never through what somebody has put there.
  await rm(path, { force: true });
  await writeFile(path, `${reason}\n`, { mode: 0o640, flag: 'wx' });
}

export async function readDropped(path: Buffer, maxBytes: number): Promise<DroppedFile | NoFile> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, FLAGS);
  } catch (thrown) {
    const reason = REASONS[systemCode(thrown) ?? ''];
    if (reason === undefined) throw thrown;
    return { reason };
  }
  try {
    const stat = await file.stat({ bigint: true });
    if (!stat.isFile()) return { reason: NO_FILE };
    const content = Buffer.alloc(Math.min(Number(stat.size), maxBytes) + 1);
    let bytes = 0;
    while (bytes < content.length) {
      const { bytesRead } = await file.read(content, bytes, content.length - bytes, bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
    }
    if (bytes > maxBytes) return { reason: `it is larger than ${maxBytes} bytes; split it` };
    return { content: content.subarray(0, bytes), changedNs: stat.mtimeNs };
  } finally {
    await file.close();
  }
}

const NO_FILE = 'it is no regular file; symbolic links, pipes, devices and directories are not read';
const REASONS: Readonly<Record<string, string>> = {
  ELOOP: NO_FILE,
  EMLINK: NO_FILE,
  ENXIO: NO_FILE,
  EACCES: 'it may not be read by the user of the daemon; give it the mode before it is moved into the folder',
  EPERM: 'it may not be read by the user of the daemon; give it the mode before it is moved into the folder',
};

async function exists(path: Buffer): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (thrown) => {
      if (systemCode(thrown) === 'ENOENT') return false;
      throw thrown;
    },
  );
}
