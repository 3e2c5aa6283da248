/** The sockets on which a daemon takes events: its own, for the commands of its machine, and the listener. */
import { type Door, openDoor } from '../door.ts';
import { controlSocket } from './desk.ts';
import { type ListenerSurroundings, startListener } from './in/listener.ts';
import type { EventsOptions } from './options.ts';

export function openDoors(options: EventsOptions, around: Omit<ListenerSurroundings, 'options' | 'trusted'>): Door {
  const own = { ...around, options: { socket: controlSocket(options) }, trusted: true };
  const wanted = options.listen === undefined ? [] : [{ ...around, options: options.listen }];
  const all = [own, ...wanted].map((one) =>
    openDoor(
      () => startListener(one),
      around.clock,
      ({ code, message }) => around.log('events:listen_failed', { code, message }),
    ),
  );
  return {
    close: async (withinMs) => void (await Promise.all(all.map((one) => one.close(withinMs)))),
  };
}
