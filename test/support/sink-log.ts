/** Keeps what a sink or a daemon logs, so that tests wait for events. */
import type { Log } from '../../src/log.ts';
import type { EventMap } from '../../src/log-events.ts';

export interface KeptLog {
  readonly log: Log;
  /** Names in order. */
  names(): string[];
  of<Name extends keyof EventMap>(name: Name): EventMap[Name][];
  /** Resolves with the next event of this name, or at once with one that came before. */
  next<Name extends keyof EventMap>(name: Name): Promise<EventMap[Name]>;
}

export function keptLog(): KeptLog {
  const kept: { name: keyof EventMap; fields: EventMap[keyof EventMap] }[] = [];
  const waiting: { name: keyof EventMap; resolve: (fields: never) => void }[] = [];
  return {
    log(name, fields) {
      kept.push({ name, fields });
      for (const waiter of waiting.filter((one) => one.name === name)) waiter.resolve(fields as never);
    },
    names: () => kept.map(({ name }) => name),
    of: (name) => kept.filter((one) => one.name === name).map(({ fields }) => fields as never),
    next(name) {
      const [last] = kept.filter((one) => one.name === name).slice(-1);
      if (last !== undefined) return Promise.resolve(last.fields as never);
      return new Promise((resolve) => waiting.push({ name, resolve }));
    },
  };
}
