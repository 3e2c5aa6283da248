/** The connections of all SSH targets: a machine that is a target and on the way to hundreds of others has one. */
import type { Clock } from '../clock.ts';
import { createTurns } from '../turns.ts';
import { createLink, type Surroundings } from './ssh-link.ts';
import type { SshSettings } from './ssh-options.ts';
import type { Link } from './ssh-wire.ts';

export interface TakenLink {
  readonly link: Link;
  /** The last one to release it closes the connection. A second call does nothing. */
  release(): void;
}

export interface Links {
  /** Who takes a link before its other users have released it gets the connection as it is. */
  take(settings: SshSettings): TakenLink;
}

interface Shared {
  readonly link: Link;
  readonly way: TakenLink | undefined;
  users: number;
}

/** Each takes some 15 ms of a core: after a failure of the network all targets come back at once. */
const LOGINS_AT_ONCE = 16;
/** One that takes longer waits for its machine, and others begin. */
const LOGIN_MS = 3000;

export function createLinks(clock: Clock, dial?: Surroundings['dial']): Links {
  const all = new Map<string, Shared>();
  const { take: turn } = createTurns(LOGINS_AT_ONCE, clock, LOGIN_MS);

  const take = (settings: SshSettings): TakenLink => {
    const id = idOf(settings);
    let shared = all.get(id);
    if (shared === undefined) {
      const way = settings.through === undefined ? undefined : take(settings.through);
      const link = createLink(settings, { clock, through: way?.link, turn, ...(dial === undefined ? {} : { dial }) });
      shared = { link, way, users: 0 };
      all.set(id, shared);
    }
    const mine = shared;
    mine.users += 1;
    let isReleased = false;
    return {
      link: mine.link,
      release() {
        if (isReleased) return;
        isReleased = true;
        mine.users -= 1;
        if (mine.users > 0) return;
        all.delete(id);
        mine.link.close();
        mine.way?.release();
      },
    };
  };
  return { take };
}

/** Alike for equal settings, in whatever order they were written. */
function idOf(settings: SshSettings): string {
  return JSON.stringify(settings, (_, value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
