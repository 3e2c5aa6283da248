/** The places where a link may connect to, in order of preference: which of them failed, and when to try again. */
import type { Clock } from '../clock.ts';
import type { Failure } from '../errors.ts';
import type { Endpoint } from './carbon-options.ts';

export interface Place {
  readonly endpoint: Endpoint;
  /** Somebody reads there, and nothing has failed since that was found. */
  isProven: boolean;
  /** What was sent there has been read, and nothing has failed since. */
  hasTaken: boolean;
  /** In a row. */
  failures: number;
  notBeforeMs: number;
  /** By the monotonic clock; undefined: it works, as far as is known. */
  downSinceMs: number | undefined;
  hasEverTaken: boolean;
}

/** Each is told once. */
export interface RosterEvents {
  delivering(to: string): void;
  down(to: string, failure: Failure): void;
  up(to: string, downSeconds: number): void;
}

export interface Roster {
  /** Those that may be tried now, in order. */
  ready(): Place[];
  /** Until one may be tried. */
  waitMs(): number;
  /** Those that are preferred to this one, and may be tried now or later. */
  placesBefore(place: Place): Place[];
  failed(place: Place, failure: Failure): void;
  took(place: Place): void;
}

const [FIRST_BACK_OFF_MS, MAX_BACK_OFF_MS] = [250, 30_000];

/** `random`: from 0 to 1, so that a thousand senders do not return at one moment. */
export function createRoster(
  endpoints: readonly Endpoint[],
  clock: Clock,
  events: RosterEvents,
  random: () => number = Math.random,
): Roster {
  const state = { isProven: false, hasTaken: false, failures: 0, notBeforeMs: 0, hasEverTaken: false };
  const places = endpoints.map((endpoint): Place => ({ endpoint, ...state, downSinceMs: undefined }));
  return {
    ready: () => places.filter((place) => place.notBeforeMs <= clock.monotonicMs()),
    waitMs: () => Math.max(0, Math.min(...places.map((place) => place.notBeforeMs)) - clock.monotonicMs()),
    placesBefore: (place) => places.slice(0, places.indexOf(place)),
    failed(place, failure) {
      const nowMs = clock.monotonicMs();
      place.failures += 1;
      place.isProven = false;
      place.hasTaken = false;
      const mostMs = Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** place.failures);
      place.notBeforeMs = nowMs + mostMs * (0.5 + 0.5 * random());
      if (place.downSinceMs !== undefined) return;
      place.downSinceMs = nowMs;
      events.down(place.endpoint.to, failure);
    },
    took(place) {
      place.failures = 0;
      place.isProven = true;
      place.hasTaken = true;
      if (place.downSinceMs !== undefined) {
        const downSeconds = Math.round((clock.monotonicMs() - place.downSinceMs) / 1000);
        place.downSinceMs = undefined;
        events.up(place.endpoint.to, downSeconds);
      } else if (!place.hasEverTaken) events.delivering(place.endpoint.to);
      place.hasEverTaken = true;
    },
  };
}
