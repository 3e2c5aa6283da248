/** A connection of a link, with what is known of it. */
import type { Connection } from './carbon-connection.ts';
import type { Place } from './carbon-roster.ts';

export interface Held {
  readonly number: number;
  readonly place: Place;
  connection: Connection | undefined;
  bytes: number;
  isBlocked: boolean;
  /** It is to be replaced as soon as that can be. */
  isDue: boolean;
  /** How often that was tried in vain. */
  failedTurns: number;
  cancel: () => void;
}

export const fresh = { isBlocked: false, isDue: false, failedTurns: 0, cancel: (): void => {} };

/** Whatever waits for it, or in it, is given up. */
export function release(held: Held): void {
  held.cancel();
  held.connection?.destroy();
}
