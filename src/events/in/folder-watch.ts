/** Looks at a folder at once when the kernel says that it changed, and every so often where it does not say so. */
import { type FSWatcher, statSync, watch } from 'node:fs';
import type { Clock } from '../../clock.ts';

export interface Watch {
  /** Looks no more; resolves when the last look is over. */
  close(): Promise<void>;
}

/** What comes together is looked at together. */
const GATHER_MS = 20;

/** `look` answers whether to look again at once; it is never called while it runs, and must not reject. */
export function watchFolder(path: string, everyMs: number, clock: Clock, look: () => Promise<boolean>): Watch {
  let watcher: FSWatcher | undefined;
  let watched = '';
  let cancel = (): void => {};
  let running: Promise<void> | undefined;
  let isChanged = false;
  let isClosed = false;

  /** By whatever stands at the path now: a folder that is made anew is another. */
  const follow = (): void => {
    const identity = identityOf(path);
    if (identity === watched && watcher !== undefined) return;
    watcher?.close();
    watcher = undefined;
    watched = identity;
    if (identity === '') return;
    try {
      watcher = watch(path, { persistent: false }, () => {
        isChanged = true;
        if (running === undefined) next(GATHER_MS);
      });
      // Where the kernel watches no more, looking every so often remains.
      watcher.on('error', () => {
        watcher?.close();
        watcher = undefined;
      });
    } catch {
      // As many folders are watched on this machine as may be (inotify), or it cannot be: the same remains.
    }
  };

  const next = (delayMs: number): void => {
    cancel();
    if (!isClosed) cancel = clock.after(delayMs, begin);
  };
  const begin = (): void => {
    if (running !== undefined || isClosed) return;
    isChanged = false;
    follow();
    running = look()
      .catch(() => false)
      .then((more) => {
        running = undefined;
        next(more ? 0 : isChanged ? GATHER_MS : everyMs);
      });
  };
  next(0);
  return {
    async close() {
      isClosed = true;
      cancel();
      watcher?.close();
      await running;
    },
  };
}

function identityOf(path: string): string {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return '';
  }
}
