/** The sockets on which a daemon takes events: its own, for the commands of its machine, and the listener. */
import type { Clock } from '../clock.ts';
import { asFailure } from '../errors.ts';
import type { Log } from '../log.ts';
import { controlSocket } from './desk.ts';
import { type Listener, type ListenerSurroundings, startListener } from './in/listener.ts';
import type { EventsOptions } from './options.ts';

export interface Doors {
  /** Takes no more; requests that are under way have so long to end. */
  close(withinMs: number): Promise<void>;
}

/** What cannot be listened on is tried again this often. */
const AGAIN_MS = 10_000;

export function openDoors(options: EventsOptions, around: Omit<ListenerSurroundings, 'options' | 'trusted'>): Doors {
  const own = { ...around, options: { socket: controlSocket(options) }, trusted: true };
  const wanted = options.listen === undefined ? [] : [{ ...around, options: options.listen }];
  const all = [own, ...wanted].map((one) => openDoor(() => startListener(one), around.clock, around.log));
  return {
    close: async (withinMs) => void (await Promise.all(all.map((one) => one.close(withinMs)))),
  };
}

function openDoor(start: () => Promise<Listener>, clock: Clock, log: Log): Doors {
  let isClosed = false;
  let cancel = (): void => {};
  let said = '';
  const open = async (): Promise<Listener | undefined> => {
    try {
      return await start();
    } catch (thrown) {
      const { code, message } = asFailure(thrown);
      if (message !== said) log('events:listen_failed', { code, message });
      said = message;
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
