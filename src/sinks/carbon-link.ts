/**
 * The way to one destination, or to the first of several that takes: connections that are opened, replaced and opened
 * again, so that what was read at the other end becomes known a part at a time.
 *
 * About once a minute a new connection takes over, and the old one is ended: when Carbon has ended it too, all that was
 * written to it has been read. Whatever else happens to a connection is a loss of all that is not known to be read.
 */
import type { Clock } from '../clock.ts';
import { asFailure, Failure } from '../errors.ts';
import { openConnection, tryConnection, type Wire } from './carbon-connection.ts';
import { fresh, type Held, release } from './carbon-held.ts';
import type { Endpoint } from './carbon-options.ts';
import { createRoster, type Place, type RosterEvents } from './carbon-roster.ts';

export interface LinkEvents extends RosterEvents {
  /** `isReady` has become true. */
  ready(): void;
  /** All that was written to the connection of this number has been read. */
  confirmed(connection: number, to: string): void;
  /** What was written and not confirmed may be lost, and there is no connection. */
  lost(): void;
}

export interface Link {
  /** Whether there is a connection that takes more now. */
  readonly isReady: boolean;
  /** Whether there is a connection, or one may come about in a moment. */
  readonly isHopeful: boolean;
  /** Hands whole lines over while it is ready; answers the number of the connection. */
  write(data: Buffer): number;
  /** Ends the connections and waits, for at most this long, to know what was read; the rest is lost. */
  close(withinMs: number): Promise<void>;
}

const ROTATE_MS = 60_000;
/** The first connection after a failure is to be known early. */
const FIRST_ROTATE_MS = 1000;
export const ROTATE_BYTES = 2 * 2 ** 20;
/** What is written, and not known to be read: no more than this. */
export const MAX_UNCONFIRMED_BYTES = 4 * 2 ** 20;
/** Carbon's end is waited for; twice as long each time that it was not enough, since it may be slow. */
const [CONFIRM_MS, MAX_CONFIRM_MS] = [30_000, 300_000];
const RETURN_MS = 30_000;
/** A connection that cannot be replaced is given up after so many attempts, this far apart. */
const [MAX_FAILED_TURNS, TURN_AGAIN_MS] = [4, 5000];

export function createLink(endpoints: readonly Endpoint[], wire: Wire, clock: Clock, events: LinkEvents): Link {
  const roster = createRoster(endpoints, clock, events);
  const closing = new Set<Held>();
  const abandon = new AbortController();
  let current: Held | undefined;
  let connections = 0;
  let unconfirmedBytes = 0;
  let lateConfirmations = 0;
  let isOpening = false;
  let isClosed = false;
  let cancelReach = (): void => {};
  let cancelReturn = (): void => {};
  let onClosed = (): void => {};

  const isReady = (): boolean =>
    current !== undefined && !isClosed && !current.isBlocked && unconfirmedBytes < MAX_UNCONFIRMED_BYTES;

  const open = async (place: Place): Promise<Held> => {
    connections += 1;
    const held: Held = { number: connections, place, connection: undefined, bytes: 0, ...fresh };
    const ended = (failure: Failure | undefined): void => over(held, failure);
    const drained = (): void => {
      held.isBlocked = false;
      if (isReady()) events.ready();
    };
    held.connection = await openConnection(place.endpoint, wire, clock, { ended, drained }, abandon.signal);
    return held;
  };

  const probe = async (place: Place): Promise<void> => {
    if (!place.isProven) await tryConnection(place.endpoint, wire, clock, abandon.signal);
    place.isProven = true;
  };

  const over = (held: Held, failure: Failure | undefined): void => {
    if (failure !== undefined) lose(held.place, failure);
    else if (closing.delete(held)) {
      held.cancel();
      unconfirmedBytes -= held.bytes;
      lateConfirmations = 0;
      roster.took(held.place);
      events.confirmed(held.number, held.place.endpoint.to);
      if (isClosed && closing.size === 0) onClosed();
      else if (current?.isDue === true) void rotate(current.place);
      if (isReady()) events.ready();
    }
  };

  const lose = (place: Place, failure: Failure): void => {
    if (current !== undefined) release(current);
    closing.forEach(release);
    closing.clear();
    current = undefined;
    unconfirmedBytes = 0;
    cancelReturn();
    if (!isClosed) roster.failed(place, failure);
    events.lost();
    if (isClosed) onClosed();
    else void reach();
  };

  const retire = (held: Held): void => {
    held.cancel();
    closing.add(held);
    const waitMs = Math.min(CONFIRM_MS * 2 ** lateConfirmations, MAX_CONFIRM_MS);
    held.cancel = clock.after(waitMs, () => {
      lateConfirmations += 1;
      const { to } = held.place.endpoint;
      const late = `${to} has not read what was sent to it for ${waitMs / 1000} s; is its process stopped, or overloaded?`;
      lose(held.place, new Failure('E_TIMEOUT', `${late} It is sent again`));
    });
    held.connection?.finish();
  };

  const adopt = (held: Held): void => {
    current = held;
    cancelReturn();
    if (roster.placesBefore(held.place).length > 0) cancelReturn = clock.after(RETURN_MS, () => void goBack());
    if (isReady()) events.ready();
  };

  /** The present one may work all the same (a name server that is away), so it is left a little longer. */
  const notReplaced = (old: Held, place: Place, failure: Failure): void => {
    if (place !== old.place) roster.failed(place, failure);
    old.failedTurns += 1;
    if (old.failedTurns >= MAX_FAILED_TURNS) {
      lose(old.place, failure);
      return;
    }
    old.cancel();
    old.cancel = clock.after(TURN_AGAIN_MS, () => void rotate(old.place));
  };

  /** Opens the connection that takes over from the present one. */
  const rotate = async (place: Place): Promise<void> => {
    const old = current;
    if (old === undefined || isClosed) return;
    old.isDue = true;
    // What is unconfirmed would grow, and the more connections there are the less each of them tells.
    if (isOpening || closing.size > 0) return;
    isOpening = true;
    try {
      const next = await open(place);
      if (current !== old || isClosed) release(next);
      else {
        retire(old);
        adopt(next);
      }
    } catch (thrown) {
      if (current === old && !isClosed) notReplaced(old, place, asFailure(thrown));
    } finally {
      isOpening = false;
      if (current === undefined) void reach();
    }
  };

  /** Connects to the first place that takes. */
  const reach = async (): Promise<void> => {
    if (isOpening || isClosed || current !== undefined) return;
    cancelReach();
    isOpening = true;
    for (const place of roster.ready()) {
      try {
        await probe(place);
        const held = await open(place);
        isOpening = false;
        if (isClosed) release(held);
        else adopt(held);
        return;
      } catch (thrown) {
        if (isClosed) break;
        roster.failed(place, asFailure(thrown));
      }
    }
    isOpening = false;
    if (!isClosed) cancelReach = clock.after(roster.waitMs(), () => void reach());
  };

  /** An earlier place is preferred; whether it reads again is tried without leaving the present one. */
  const goBack = async (): Promise<void> => {
    const from = current;
    if (from === undefined || isClosed) return;
    for (const place of roster.placesBefore(from.place)) {
      try {
        await probe(place);
        if (current === from) await rotate(place);
        return;
      } catch (thrown) {
        if (isClosed) return;
        roster.failed(place, asFailure(thrown));
      }
    }
    if (current === from) cancelReturn = clock.after(RETURN_MS, () => void goBack());
  };

  void reach();
  return {
    get isReady() {
      return isReady();
    },
    get isHopeful() {
      return current !== undefined || isOpening;
    },
    write(data) {
      const held = current;
      if (held?.connection === undefined) throw new Failure('E_BUG', 'written to a link that is not ready');
      if (held.bytes === 0) {
        const rotateMs = held.place.hasTaken ? ROTATE_MS : FIRST_ROTATE_MS;
        held.cancel = clock.after(rotateMs, () => void rotate(held.place));
      }
      held.bytes += data.length;
      unconfirmedBytes += data.length;
      held.isBlocked = !held.connection.write(data);
      if (held.bytes >= ROTATE_BYTES && !held.isDue) void rotate(held.place);
      return held.number;
    },
    async close(withinMs) {
      isClosed = true;
      cancelReach();
      cancelReturn();
      const held = current;
      current = undefined;
      if (held !== undefined && held.bytes > 0) retire(held);
      else if (held !== undefined) release(held);
      abandon.abort();
      if (closing.size === 0) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(withinMs, () => onClosed());
        onClosed = () => {
          onClosed = () => {};
          cancel();
          resolve();
        };
      });
      if (closing.size === 0) return;
      closing.forEach(release);
      closing.clear();
      events.lost();
    },
  };
}
