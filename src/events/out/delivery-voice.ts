/** What a delivery says: each trouble once, however often it comes back, until it is over. */
import type { Clock } from '../../clock.ts';
import type { Code, Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { printable } from '../../text.ts';
import type { Event } from '../event.ts';

export interface Voice {
  down(failure: Failure): void;
  up(): void;
  dead(event: Event, message: string): void;
  halved(event: Event, left: number): void;
  held(failure: Failure): void;
  resumed(): void;
}

/** Of events that are refused for good, so many are said within a minute. */
const MAX_DEAD = 10;
const MINUTE_MS = 60_000;

export function createVoice({ name, to }: { name: string; to: string }, clock: Clock, log: Log): Voice {
  const said = new Set<Code>();
  let downMs = 0;
  let isHeld = false;
  let deadMs = Number.NEGATIVE_INFINITY;
  let deadSaid = 0;
  let unsaid = 0;
  return {
    down({ code, message }) {
      if (said.size === 0) downMs = clock.monotonicMs();
      if (said.has(code)) return;
      said.add(code);
      log('events:down', { destination: name, to, code, message: printable(message) });
    },
    up() {
      if (said.size === 0) return;
      said.clear();
      const downSeconds = Math.round(clock.monotonicMs() - downMs) / 1000;
      log('events:up', { destination: name, to, downSeconds });
    },
    dead({ id, what }, message) {
      const nowMs = clock.monotonicMs();
      if (nowMs - deadMs >= MINUTE_MS) [deadMs, deadSaid] = [nowMs, 0];
      if (deadSaid >= MAX_DEAD) {
        unsaid++;
        return;
      }
      deadSaid++;
      log('events:dead', { destination: name, id, what: printable(what), message: printable(message), unsaid });
      unsaid = 0;
    },
    halved({ id, what }, left) {
      log('events:halved', { destination: name, id, what: printable(what), left });
    },
    held({ code, message }) {
      if (!isHeld) log('events:held', { destination: name, code, message: printable(message) });
      isHeld = true;
    },
    resumed() {
      if (isHeld) log('events:resumed', { destination: name });
      isHeld = false;
    },
  };
}
