/** The sockets on which a daemon tells of itself: the unix socket of its commands, and the status page. */
import type { Clock } from '../clock.ts';
import { type Door, openDoor } from '../door.ts';
import type { Log } from '../log.ts';
import type { StatusOptions } from './options.ts';
import { defaultSocket, ownSurroundings, type PlaceSurroundings } from './place.ts';
import { type Routes, type StatusPlace, startServer } from './server.ts';

export interface StatusDoors {
  readonly options: StatusOptions;
  /** The configuration's file, of which the default socket is. */
  readonly file: string;
  /** `page`: also what the page alone has. */
  readonly routes: { readonly socket: Routes; readonly page: Routes };
  readonly clock: Clock;
  readonly log: Log;
  readonly around?: PlaceSurroundings;
}

/** The unix socket of these options; undefined: none. */
export function statusSocket(
  { socket }: StatusOptions,
  file: string,
  around: PlaceSurroundings = ownSurroundings(),
): string | undefined {
  return socket === false ? undefined : (socket ?? defaultSocket(file, around));
}

export function openStatusDoors({ options, file, routes, clock, log, around }: StatusDoors): Door {
  const socket = statusSocket(options, file, around);
  const places: { readonly place: StatusPlace; readonly routes: Routes }[] = [
    ...(socket === undefined ? [] : [{ place: { socket }, routes: routes.socket }]),
    ...(options.listen === undefined ? [] : [{ place: options.listen, routes: routes.page }]),
  ];
  const all = places.map(({ place, routes: own }) =>
    openDoor(
      () =>
        startServer({
          ...{ place, routes: own, clock },
          onFault: ({ code, message }) => log('status:failed', { code, message }),
        }),
      clock,
      ({ code, message }) => log('status:listen_failed', { code, message }),
      ({ address }, wasFailed) => {
        // The socket is always there; that it is there is worth a word when it was not, or when it is the page.
        if (wasFailed || !('socket' in place)) log('status:listening', { at: address });
      },
    ),
  );
  return {
    close: async (withinMs) => void (await Promise.all(all.map((one) => one.close(withinMs)))),
  };
}
