/** What sinks and destinations of events say of their troubles, overheard on its way to the log. */

import type { Log } from '../log.ts';
import type { EventMap } from '../log-events.ts';
import type { ProblemStatus } from './document.ts';

export interface TroubleNotes {
  /** Hands everything on to the log. */
  readonly log: Log;
  /** By where they deliver to, or by the name of the destination: what is wrong there now. */
  readonly down: Map<string, ProblemStatus>;
}

export function noteTroubles(log: Log, wallMs: () => number): TroubleNotes {
  const down = new Map<string, ProblemStatus>();
  const begin = (where: string, { code, message }: Pick<ProblemStatus, 'code' | 'message'>): void =>
    void down.set(where, { code, message, sinceMs: down.get(where)?.sinceMs ?? Math.round(wallMs()), fatal: true });
  const overheard: { readonly [Name in keyof EventMap]?: (fields: EventMap[Name]) => void } = {
    'sink:down': (fields) => begin(fields.to, fields),
    'sink:up': ({ to }) => void down.delete(to),
    'events:down': (fields) => begin(fields.destination, fields),
    'events:up': ({ destination }) => void down.delete(destination),
  };
  return {
    down,
    log(event, fields) {
      overheard[event]?.(fields);
      log(event, fields);
    },
  };
}
