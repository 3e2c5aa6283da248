/**
 * The spool of a running daemon: opened as soon as it can be, opened anew when it turns out to be corrupt, and delivered
 * from by one process alone.
 */
import type { Clock } from '../clock.ts';
import { moveAside, takeLock } from '../database.ts';
import { isCorrupt } from '../database-failures.ts';
import { asFailure, Failure } from '../errors.ts';
import type { Log } from '../log.ts';
import { openSpool, type Spool } from './spool.ts';
import type { SpoolOptions } from './spool-room.ts';

export interface HeldSpool {
  /** Throws `E_SPOOL`: why there is none now. */
  spool(): Spool;
  /** The same for who delivers: undefined while there is none, or another process delivers from it. */
  mine(): Spool | undefined;
  /** Tries what could not be had yet. Answers whether what is to be delivered may have changed behind our back. */
  look(): boolean;
  close(): void;
}

/** `opened` is called with each spool that is taken into use, before anything else is done with it. */
export function holdSpool(
  options: SpoolOptions,
  around: { readonly clock: Clock; readonly log: Log; readonly opened: (spool: Spool, isMine: boolean) => void },
): HeldSpool {
  const { clock, log } = around;
  const { path } = options;
  let release: (() => void) | undefined;
  let current: Spool | undefined;
  let broken: Failure = new Failure('E_SPOOL', `${path} is not open yet`, { path });
  let isSaid = false;
  let isShared = false;

  const fail = (thrown: unknown): void => {
    broken = asFailure(thrown);
    if (!isSaid) log('events:spool_failed', { code: broken.code, message: broken.message });
    isSaid = true;
  };
  const works = (): void => {
    if (isSaid) log('events:spool_works', {});
    isSaid = false;
  };
  const moved = (to: string): void =>
    log('events:spool_moved', { message: `${path} was no usable database; it is ${to} now, and a new one was begun` });
  const lock = (): void => {
    if (release !== undefined) return;
    release = takeLock(path);
    if (release === undefined && !isShared) {
      isShared = true;
      log('events:spool_shared', {
        message: `another process delivers from ${path}; what is taken here is left to it`,
      });
    } else if (release !== undefined && isShared) {
      isShared = false;
      log('events:spool_ours', { message: `${path} has no other process any more; this one delivers from it` });
    }
  };
  /** Who delivers from it must know whereto, or its events would wait for ever. */
  const use = (spool: Spool): void => {
    current = spool;
    try {
      around.opened(spool, release !== undefined);
    } catch (thrown) {
      shut();
      throw thrown;
    }
  };
  const shut = (): void => {
    const lost = current;
    current = undefined;
    lost?.close();
  };
  /** Whether all is as it is to be. */
  const open = (): boolean => {
    try {
      const hadLock = release !== undefined;
      lock();
      if (current === undefined) {
        const spool = openSpool(options, { mayMoveAside: release !== undefined, nowMs: clock.wallMs() });
        if (spool.database.movedAside !== undefined) moved(spool.database.movedAside);
        use(watched(spool, lose));
        works();
      } else if (!hadLock && release !== undefined) use(current);
      return true;
    } catch (thrown) {
      fail(thrown);
      return false;
    }
  };
  /** What is in use is corrupt: its owner moves it aside, others wait until he has. */
  const lose = (): void => {
    if (current === undefined) return;
    broken = new Failure('E_SPOOL', `${path} is no usable database any more`, { path });
    try {
      shut();
      if (release !== undefined) moved(moveAside(path, clock.wallMs()));
    } catch (thrown) {
      fail(thrown);
    }
  };
  open();
  return {
    spool() {
      if (current === undefined) throw broken;
      return current;
    },
    mine: () => (release === undefined ? undefined : current),
    look() {
      const before = current;
      const hadLock = release !== undefined;
      if ((current === undefined || release === undefined) && !open()) return false;
      if (current === undefined) return false;
      if (current !== before || hadLock !== (release !== undefined)) return true;
      try {
        const isChanged = current.database.changedElsewhere();
        works();
        return isChanged;
      } catch (thrown) {
        fail(thrown);
        return false;
      }
    },
    close() {
      try {
        current?.close();
      } finally {
        current = undefined;
        release?.();
        release = undefined;
      }
    },
  };
}

/** The spool, of which every call that finds it corrupt says so. */
function watched(spool: Spool, onCorrupt: () => void): Spool {
  const guard =
    <Args extends readonly unknown[], Result>(call: (...args: Args) => Result) =>
    (...args: Args): Result => {
      try {
        return call(...args);
      } catch (thrown) {
        if (isCorrupt(thrown)) onCorrupt();
        throw thrown;
      }
    };
  return {
    database: spool.database,
    accept: guard(spool.accept),
    setDestinations: guard(spool.setDestinations),
    open: guard(spool.open),
    advance: guard(spool.advance),
    deliveredLike: guard(spool.deliveredLike),
    age: guard(spool.age),
    note: guard(spool.note),
    setNote: guard(spool.setNote),
    get droppedForRoom() {
      return spool.droppedForRoom;
    },
    close: spool.close,
  };
}
