/** What listens for others, opened as soon as it can be: a socket that cannot be had now is tried again. */
import type { Clock } from './clock.ts';
import { asFailure, type Failure } from './errors.ts';

export interface Door {
  /** Takes no more; requests that are under way have so long to end. */
  close(withinMs: number): Promise<void>;
}

/** What cannot be listened on is tried again this often. */
const AGAIN_MS = 10_000;

/** `onFailed` is told each trouble once; `onOpen` comes when it listens, and hears whether there was any. */
export function openDoor<Listener extends Door>(
  start: () => Promise<Listener>,
  clock: Clock,
  onFailed: (failure: Failure) => void,
  onOpen: (listener: Listener, wasFailed: boolean) => void = () => {},
): Door {
  let isClosed = false;
  let cancel = (): void => {};
  let said = '';
  const open = async (): Promise<Listener | undefined> => {
    try {
      const opened = await start();
      onOpen(opened, said !== '');
      return opened;
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (isClosed) return undefined;
      if (failure.message !== said) onFailed(failure);
      said = failure.message;
      cancel = clock.after(AGAIN_MS, () => {
        if (!isClosed) listener = open();
      });
      return undefined;
    }
  };
  let listener = open();
  return {
    async close(withinMs) {
      isClosed = true;
      cancel();
      await (await listener)?.close(withinMs);
    },
  };
}
