/** The events of one body, all or none, and what is asked with them. */
import { Failure } from '../../errors.ts';
import { type Event, eventOf } from '../event.ts';
import { parseJson } from './body.ts';

export interface BodyRules {
  readonly maxEvents: number;
  /** Now in microseconds, later than at any call before. */
  readonly stamp: () => number;
  readonly strict: boolean;
  /** Of the commands: a time is told in seconds, and by `relative: true` that it was none of the event's own. */
  readonly mayBeRelative?: boolean;
}

/** One object or a list of them. `E_PARSE` names the one that is wrong, and its field. */
export function eventsOfBody(body: Uint8Array, { maxEvents, stamp, strict, mayBeRelative }: BodyRules): Event[] {
  const value = parseJson(body);
  const oneOf = (one: unknown): Event => {
    const event = eventOf(one, { nowUs: stamp(), strict, repeatable: false });
    return mayBeRelative === true && (one as { relative?: unknown }).relative === true
      ? { ...event, isRelative: true }
      : event;
  };
  if (!Array.isArray(value)) return [oneOf(value)];
  const { length } = value;
  if (length === 0) throw new Failure('E_PARSE', 'the list is empty; expected at least one event');
  if (length > maxEvents) {
    throw new Failure('E_PARSE', `the list has ${length} events; expected at most ${maxEvents}, the rest in another`);
  }
  return value.map((one, index) => {
    try {
      return oneOf(one);
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      throw new Failure(thrown.code, `event ${index + 1} of ${length}: ${thrown.message}`, { cause: thrown });
    }
  });
}

/** What the query of a trusted request asks for. */
export interface Wishes {
  readonly source: string;
  readonly conflicts: 'refuse' | 'report';
  readonly strict: boolean;
}

/** Of every other request. */
export const PLAIN: Wishes = { source: 'listener', conflicts: 'refuse', strict: false };

export function wishesOf(url: string): Wishes {
  const query = new URLSearchParams(url.split('?')[1] ?? '');
  const source = query.get('source') ?? '';
  return {
    source: /^[a-z_]{1,20}$/.test(source) ? source : 'command',
    conflicts: query.get('conflicts') === 'report' ? 'report' : 'refuse',
    strict: query.get('strict') === '1',
  };
}
