/**
 * The drop folder: each file NAME.json that is moved into it is an event, or a list of them. A file is first moved to
 * `.taking/`, so that one of the same name that comes meanwhile is another; then, when its events are on the disk, to
 * `done/`, or to `rejected/` with its reason beside it. Nothing is ever deleted: how long `done/` is kept is the
 * operator's choice (`tmpfiles.d`).
 */
import type { Clock } from '../../clock.ts';
import { asFailure, type Code, Failure, systemCode } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { quoted } from '../../text.ts';
import type { FolderOptions } from '../options.ts';
import type { Take } from '../taking.ts';
import { eventsOfFile } from './folder-events.ts';
import {
  type DroppedFile,
  inside,
  jsonNames,
  makeFolder,
  moveAway,
  moveFile,
  readDropped,
  writeReason,
} from './folder-files.ts';
import { watchFolder } from './folder-watch.ts';

export interface FolderCounts {
  readonly taken: number;
  readonly rejected: number;
}

export interface Folder {
  counts(): FolderCounts;
  /** Begins no file more; resolves when the one that is under way has been dealt with. */
  close(): Promise<void>;
}

export interface FolderSurroundings {
  readonly options: FolderOptions;
  readonly take: Take;
  readonly clock: Clock;
  readonly log: Log;
}

const MAX_FILE_BYTES = 1024 * 1024;
/** Of one turn; the next one follows at once. */
const MAX_FILES = 100;
/** What does not parse and was changed so shortly ago may still be written by who did not know to move it in. */
const SETTLED_MS = 2000;

export function startFolder({ options, take, clock, log }: FolderSurroundings): Folder {
  const { path, every } = options;
  const [taking, done, rejected] = ['.taking', 'done', 'rejected'].map((name) => `${path}/${name}`) as [
    string,
    string,
    string,
  ];
  const counts = { taken: 0, rejected: 0 };
  /** Files whose events are taken, and that could not be moved yet. */
  const settled = new Set<string>();
  let failing: string | undefined;
  let isClosed = false;
  /** What went wrong in this turn, and what was rejected. */
  let trouble: Failure | undefined;
  let bad: { file: string; message: string; count: number } | undefined;

  const reject = async (name: Buffer, reason: string, changedNs: bigint): Promise<void> => {
    const moved = await moveAway(inside(taking, name), rejected, name, changedNs);
    counts.rejected += 1;
    const file = moved.toString('utf8');
    bad = bad === undefined ? { file, message: reason, count: 1 } : { ...bad, count: bad.count + 1 };
    await writeReason(rejected, moved, reason);
  };

  /** One file of `.taking/`; throws what makes it wait there. */
  const deal = async (name: Buffer): Promise<void> => {
    const from = inside(taking, name);
    const file = await readDropped(from, MAX_FILE_BYTES);
    if ('reason' in file) return reject(name, file.reason, BigInt(Math.round(clock.wallMs())) * 1_000_000n);
    const key = `${name.toString('latin1')} ${file.changedNs}`;
    if (!settled.has(key)) {
      try {
        const events = eventsOfFile(name, file, Math.round(clock.wallMs() * 1000));
        await take(events, { source: 'folder', conflicts: 'refuse' });
        counts.taken += 1;
        settled.add(key);
      } catch (thrown) {
        const failure = asFailure(thrown);
        if (failure.code !== 'E_PARSE') throw failure;
        if (mayGrow(failure, file, clock.wallMs())) return;
        return reject(name, failure.message, file.changedNs);
      }
    }
    await moveAway(from, done, name, file.changedNs);
    settled.delete(key);
  };

  const attempt = async (name: Buffer, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      trouble ??= failureOf(thrown, `${path}/${name.toString('utf8')}`);
    }
  };

  const dealAll = async (): Promise<void> => {
    for await (const name of jsonNames(taking)) {
      if (isClosed) break;
      await attempt(name, () => deal(name));
      // The spool takes nothing now: that is the same for all.
      if (trouble?.code === 'E_SPOOL') break;
    }
  };

  /** Whether there is more to do at once. */
  const turn = async (): Promise<boolean> => {
    let files = 0;
    for (const folder of [taking, done, rejected]) await makeFolder(folder);
    // What waits from before goes first, and while that cannot be taken, the others stay where they are.
    await dealAll();
    if (trouble?.code === 'E_SPOOL') return false;
    for await (const name of jsonNames(path)) {
      if (isClosed || files === MAX_FILES) break;
      await attempt(name, async () => {
        if (await moveFile(inside(path, name), inside(taking, name))) files += 1;
      });
    }
    if (files > 0) await dealAll();
    return files === MAX_FILES && trouble === undefined;
  };

  const look = async (): Promise<boolean> => {
    trouble = undefined;
    bad = undefined;
    const more = await turn().catch((thrown) => {
      trouble = failureOf(thrown, path);
      return false;
    });
    if (bad !== undefined) {
      const { file, message, count } = bad as { file: string; message: string; count: number };
      log('events:rejected', { folder: path, file, message, unsaid: count - 1 });
    }
    tell(trouble);
    return more;
  };

  /** Once for each kind of trouble, until there is none. */
  const tell = (failure: Failure | undefined): void => {
    if (failure !== undefined && failure.code !== failing) {
      log('events:folder_failed', { folder: path, code: failure.code, message: failure.message });
    }
    if (failure === undefined && failing !== undefined) log('events:folder_works', { folder: path });
    failing = failure?.code;
  };

  log('events:watching', { folder: path });
  const watch = watchFolder(path, every, clock, look);
  return {
    counts: () => ({ ...counts }),
    async close() {
      isClosed = true;
      await watch.close();
    },
  };
}

/** Text that ends too early, of a file that was changed this very moment. */
function mayGrow(failure: Failure, { changedNs }: DroppedFile, nowMs: number): boolean {
  const ageMs = nowMs - Number(changedNs / 1_000_000n);
  return ageMs >= 0 && ageMs < SETTLED_MS && /^the file (?:is empty|ends too early)/.test(failure.message);
}

const CODES: Readonly<Record<string, readonly [Code, string]>> = {
  ENOENT: ['E_NOT_FOUND', 'does not exist; make it, or correct events.folder.path'],
  ENOTDIR: ['E_NOT_FOUND', 'is no directory; correct events.folder.path'],
  EACCES: ['E_DENIED', 'may not be read and written by the user of the daemon; what is in it waits'],
  EPERM: [
    'E_DENIED',
    'may not be moved by the user of the daemon (is the folder sticky, or the file another’s?); it waits',
  ],
  EROFS: ['E_DENIED', 'is on a file system that is read-only; what is in it waits'],
  ENOSPC: ['E_CONNECT', 'is on a disk that is full; what is in it waits'],
};

function failureOf(thrown: unknown, path: string): Failure {
  if (thrown instanceof Failure && thrown.code !== 'E_BUG') return thrown;
  const known = CODES[systemCode(thrown) ?? ''];
  const details = { path, cause: thrown };
  if (known !== undefined) return new Failure(known[0], `${quoted(path, 200)} ${known[1]}`, details);
  return new Failure('E_CONNECT', `${quoted(path, 200)}: ${asFailure(thrown).message}`, details);
}
