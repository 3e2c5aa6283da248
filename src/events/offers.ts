/** What jobs offer (`Reading.offers`) → events. */
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Offer } from '../collector.ts';
import { asFailure } from '../errors.ts';
import type { Log } from '../log.ts';
import { printable } from '../text.ts';
import { type Event, MAX_DATA_BYTES, MAX_TAG, MAX_TAGS, MAX_WHAT, tagOf } from './event.ts';
import type { Take } from './taking.ts';
import { whenFault } from './when.ts';

/** Of one run: more is a flood. */
const MAX_OFFERS = 1000;

/**
 * The event, or what is wrong with the offer. One id of a job on a target is one event, however often it is offered;
 * what an event cannot hold is cut or replaced.
 */
export function eventOfOffer(
  offer: Offer,
  { job, target }: { readonly job: string; readonly target: string },
  nowMs: number,
): Event | string {
  const { id, what, tags, data = '', atMs } = offer ?? {};
  if (typeof id !== 'string' || id === '') return 'an offer has no "id"';
  if (typeof what !== 'string' || what.trim() === '') return 'an offer has no "what"';
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string'))
    return '"tags" of an offer is no list of texts';
  if (typeof data !== 'string') return '"data" of an offer is no text';
  const whenUs = Math.round(atMs * 1000);
  const fault = Number.isFinite(whenUs) ? whenFault(whenUs, nowMs * 1000) : 'is no time';
  if (fault !== undefined) return `the time of an offer ${fault}`;
  return {
    id: createHash('sha256')
      .update(JSON.stringify([job, target, id]))
      .digest('hex')
      .slice(0, 32),
    what: cut(printable(what.toWellFormed()), MAX_WHAT),
    tags: fitting([...new Set(['edgestatd', tagOf(target), ...tags.map(tagOf)])]),
    data: bounded(data.toWellFormed().replaceAll('\0', '\ufffd')),
    whenUs,
  };
}

/** As many as Graphite keeps, in their order. */
function fitting(tags: readonly string[]): string[] {
  let left = MAX_TAGS + 1;
  return tags.filter((tag) => {
    const isIn = tag.length <= MAX_TAG && tag.length + 1 <= left;
    if (isIn) left -= tag.length + 1;
    return isIn;
  });
}

function cut(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

function bounded(text: string): string {
  const bytes = Buffer.from(text);
  // A character that is cut in two becomes U+FFFD, which has three bytes.
  return bytes.length <= MAX_DATA_BYTES ? text : bytes.subarray(0, MAX_DATA_BYTES - 3).toString('utf8');
}

/** Takes a run's offers. One that is no event is said, and costs the others nothing; never rejects. */
export async function offerTo(
  take: Take,
  offers: readonly Offer[],
  who: { readonly job: string; readonly target: string },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const made = offers.slice(0, MAX_OFFERS).map((offer) => eventOfOffer(offer, who, clock.wallMs()));
  const events = made.filter((one) => typeof one !== 'string');
  const faults = made.filter((one) => typeof one === 'string');
  const more = offers.length - made.length;
  if (more > 0) faults.push(`${offers.length} were offered at once; the last ${more} are left out`);
  const [first] = faults;
  if (first !== undefined) {
    const message = faults.length === 1 ? first : `${first} (and ${faults.length - 1} more)`;
    log('events:offer_failed', { ...who, code: 'E_PARSE', message });
  }
  if (events.length === 0) return;
  try {
    await take(events, { source: 'job', conflicts: 'report' });
  } catch (thrown) {
    const { code, message } = asFailure(thrown);
    log('events:offer_failed', { ...who, code, message: `${events.length} events: ${message}` });
  }
}
