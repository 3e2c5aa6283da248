import { expect, it } from 'vitest';
import type { Offer } from '../src/collector.ts';
import { Failure } from '../src/errors.ts';
import { type Event, MAX_DATA_BYTES, MAX_TAGS, MAX_WHAT } from '../src/events/event.ts';
import { eventOfOffer, offerTo } from '../src/events/offers.ts';
import { fakeClock } from './support/fake-clock.ts';
import { keptLog } from './support/sink-log.ts';

const nowMs = Date.UTC(2026, 10, 21);
const who = { job: 'nagios', target: 'hv01' };
const offer = (changes: Partial<Offer> = {}): Offer => ({
  ...{ id: 'h;s;CRITICAL;1', what: 'CRITICAL h/s', tags: ['nagios'], atMs: nowMs - 60_000 },
  ...changes,
});
const event = (changes: Partial<Offer> = {}): Event => {
  const made = eventOfOffer(offer(changes), who, nowMs);
  if (typeof made === 'string') throw new Error(made);
  return made;
};

it('becomes an event at its own time, with the target among its tags', () => {
  expect(event({ data: 'load 99' })).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    what: 'CRITICAL h/s',
    tags: ['edgestatd', 'hv01', 'nagios'],
    data: 'load 99',
    whenUs: (nowMs - 60_000) * 1000,
  });
});

it('is the same event when it is offered again, and another one of another job or target', () => {
  expect(event({ what: 'said otherwise' }).id).toBe(event().id);
  const elsewhere = eventOfOffer(offer(), { ...who, target: 'hv02' }, nowMs);
  expect(elsewhere).not.toMatchObject({ id: event().id });
});

it('cuts and replaces what an event cannot hold', () => {
  const made = event({
    what: `a\nb ${'x'.repeat(400)}`,
    tags: ['a b', 'ü', ...Array.from({ length: 40 }, (_, at) => `tag-number-${at}`)],
    data: `\0${'é'.repeat(MAX_DATA_BYTES)}`,
  });
  expect(made.what).toMatch(/^a\\u000ab x+…$/);
  expect([...made.what].length).toBe(MAX_WHAT);
  expect(made.tags.slice(0, 4)).toEqual(['edgestatd', 'hv01', 'a_b', '_']);
  expect(made.tags.join(' ').length).toBeLessThanOrEqual(MAX_TAGS);
  expect(Buffer.byteLength(made.data)).toBeLessThanOrEqual(MAX_DATA_BYTES);
  expect(made.data.includes('\0')).toBe(false);
});

it.each([
  [{ id: '' }, 'no "id"'],
  [{ what: '  ' }, 'no "what"'],
  [{ tags: 'nagios' as never }, 'no list of texts'],
  [{ data: 7 as never }, '"data"'],
  [{ atMs: Number.NaN }, 'is no time'],
  [{ atMs: nowMs + 30 * 86_400_000 }, 'the time of an offer'],
])('tells what is wrong with %j', (changes, told) => {
  expect(eventOfOffer(offer(changes), who, nowMs)).toContain(told);
});

it('takes the good ones, and says the others once', async () => {
  const log = keptLog();
  const taken: Event[] = [];
  const take = async (events: readonly Event[]) => {
    taken.push(...events);
    return [];
  };
  const around = { clock: fakeClock(nowMs), log: log.log };
  await offerTo(take, [offer({ id: '' }), offer(), offer({ what: '' })], who, around);
  expect(taken.map(({ what }) => what)).toEqual(['CRITICAL h/s']);
  expect(log.of('events:offer_failed')).toEqual([
    { ...who, code: 'E_PARSE', message: 'an offer has no "id" (and 1 more)' },
  ]);
});

it('bounds a flood, and never rejects', async () => {
  const log = keptLog();
  const around = { clock: fakeClock(nowMs), log: log.log };
  const take = async (): Promise<never> => {
    throw new Failure('E_SPOOL', 'the disk is full');
  };
  const many = Array.from({ length: 1001 }, (_, at) => offer({ id: String(at) }));
  await offerTo(take, many, who, around);
  expect(log.of('events:offer_failed').map(({ code, message }) => [code, message])).toEqual([
    ['E_PARSE', '1001 were offered at once; the last 1 are left out'],
    ['E_SPOOL', '1000 events: the disk is full'],
  ]);
});
