/** The events of one dropped file: the same whenever the file is read again. */
import { createHash } from 'node:crypto';
import { Failure } from '../../errors.ts';
import { type Event, eventOf } from '../event.ts';
import { whenFault } from '../when.ts';
import { parseJson } from './body.ts';
import type { DroppedFile } from './folder-files.ts';

const MAX_EVENTS = 10_000;

/**
 * All of them, or `E_PARSE`. An event without `when`, or with a time ago, is one of the time at which the file was last
 * changed; it is another event than the same text in another file, or written again.
 */
export function eventsOfFile(name: Buffer, { content, changedNs }: DroppedFile, nowUs: number): Event[] {
  const value = parseJson(content, 'the file');
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.length === 0) throw new Failure('E_PARSE', 'the list is empty; expected at least one event');
  if (all.length > MAX_EVENTS) {
    throw new Failure('E_PARSE', `the list has ${all.length} events; expected at most ${MAX_EVENTS}`);
  }
  const changedUs = Number(changedNs / 1000n);
  const hash = createHash('sha256').update(content).digest('hex');
  return all.map((body, index) => {
    try {
      const event = eventOf(body, { nowUs: changedUs, strict: true, repeatable: false });
      const wrong = whenFault(event.whenUs, nowUs);
      if (wrong !== undefined) throw new Failure('E_PARSE', `"when", told by the time of the file, ${wrong}`);
      const isNamed = Object.hasOwn(body as object, 'id');
      if (isNamed || event.isRelative !== true) return event;
      return { ...event, id: idOf([name.toString('latin1'), changedNs.toString(), hash, index]) };
    } catch (thrown) {
      if (!(thrown instanceof Failure) || all.length === 1) throw thrown;
      throw new Failure(thrown.code, `event ${index + 1} of ${all.length}: ${thrown.message}`, { cause: thrown });
    }
  });
}

function idOf(parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
