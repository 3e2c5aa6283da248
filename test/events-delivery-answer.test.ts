import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { answerOf } from '../src/events/out/answer.ts';
import { raisedIn, reasonIn } from '../src/events/out/answer-reason.ts';
import { backOff, createPace } from '../src/events/out/delivery-pace.ts';
import { fakeClock } from './support/fake-clock.ts';

const pages = new URL('testdata/graphite/', import.meta.url);
const recorded = (name: string): string => readFileSync(new URL(name, pages), 'utf8');
const answered = (status: number, text = '', more = {}) =>
  ({
    kind: 'answered',
    status,
    text,
    isPage: false,
    retryAfter: undefined,
    date: undefined,
    secrets: [],
    ...more,
  }) as const;
const judged = (status: number, text = '', more = {}) =>
  answerOf(answered(status, text, more), 'http://g/events/', 0, () => true);

describe('a page of graphite-web', () => {
  it.each([
    ['500-when-string.html', 'TypeError'],
    ['500-when-milliseconds.html', 'ValueError'],
    ['500-what-missing.html', 'IntegrityError'],
    ['500-not-json.html', 'JSONDecodeError'],
    ['500-not-an-object.html', 'AssertionError'],
    ['500-locked.html', 'OperationalError'],
    ['500-locked-get-data.html', 'OperationalError'],
  ])('%s tells of %s', (page, name) => {
    expect(raisedIn(recorded(page))?.name).toBe(name);
  });

  it('is told by the exception alone', () => {
    expect(reasonIn(recorded('500-locked.html'), [])).toBe('OperationalError: database is locked');
    expect(reasonIn(recorded('400-too-large.html'), [])).toBe('Bad Request (400): Bad Request (400)');
  });

  it('is understood with explanations after the exception, with entities, and as Django shows it to developers', () => {
    const trace = (end: string): string =>
      `<pre>\nTraceback (most recent call last):\n  File &quot;x&quot;\n${end}\n</pre>`;
    expect(
      raisedIn(trace('psycopg2.errors.UniqueViolation: duplicate\nDETAIL:  Key (id)=(5) already exists.\n')),
    ).toEqual({ name: 'UniqueViolation', message: 'duplicate' });
    expect(raisedIn(trace('django.db.utils.DataError: &#x27;a&#39; &lt;b&gt;'))).toEqual({
      name: 'DataError',
      message: "'a' <b>",
    });
    const debug = '<title>DataError\n          at /events/</title><pre class="exception_value">too long</pre>';
    expect(raisedIn(debug)).toEqual({ name: 'DataError', message: 'too long' });
  });

  it('of anybody else tells of nothing', () => {
    expect(raisedIn('<html><pre>SomeError: x</pre></html>')).toBeUndefined();
    expect(raisedIn('')).toBeUndefined();
  });

  it('that is hostile costs little time and breaks no line', () => {
    const hostile = ['<pre>', '<script', '<title', '&#x', 'a.', '<', 'Traceback \n', '\u001b[2J\n'].map((one) =>
      one.repeat(Math.floor(262_144 / one.length)),
    );
    const began = performance.now();
    for (const text of hostile) expect(reasonIn(text, [])).not.toMatch(/[\u0000-\u001f]/);
    expect(performance.now() - began).toBeLessThan(2000);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(reasonIn(text, []).length).toBeLessThanOrEqual(2500);
        expect(reasonIn(text, [])).not.toMatch(/[\u0000-\u001f]/);
      }),
    );
  });
});

describe('an answer', () => {
  it('that is empty took the event, whatever it is called', () => {
    expect(judged(200)).toEqual({ kind: 'taken' });
    expect(judged(200, ' \n', { isPage: true })).toEqual({ kind: 'taken' });
    expect(judged(204)).toEqual({ kind: 'taken' });
    expect(judged(200, '{"id":1}', { isPage: true })).toEqual({ kind: 'taken' });
  });

  it.each([
    [400, 'ask', true, 1],
    [401, 'no', true, undefined],
    [403, 'no', true, 3],
    [404, 'no', true, undefined],
    [408, 'no', false, undefined],
    [413, 'ask', true, 1],
    [415, 'no', true, 3],
    [429, 'no', false, undefined],
    [301, 'no', true, undefined],
    [304, 'no', true, undefined],
    [500, 'ask', true, 3],
    [501, 'no', true, undefined],
    [502, 'later', false, undefined],
    [503, 'later', false, undefined],
    [504, 'later', false, undefined],
    [522, 'later', false, undefined],
    [599, 'later', false, undefined],
  ])('of %i', (status, mayStand, isSuspect, deadAfter) => {
    expect(judged(status)).toMatchObject({ kind: 'untaken', mayStand, isSuspect });
    expect((judged(status) as { deadAfter?: number }).deadAfter).toBe(deadAfter);
  });

  it.each([
    ['500-when-milliseconds.html', 1],
    ['500-when-string.html', 2],
    ['500-what-missing.html', 2],
    ['500-locked.html', undefined],
  ])('of 500 with %s', (page, deadAfter) => {
    expect((judged(500, recorded(page)) as { deadAfter?: number }).deadAfter).toBe(deadAfter);
  });

  it('of MySQL about a character that it cannot hold is of the data', () => {
    const page =
      '<pre>Traceback (most recent call last):\ndjango.db.utils.OperationalError: (1366, "Incorrect string value")</pre>';
    expect(judged(500, page)).toMatchObject({ deadAfter: 1 });
  });

  it('that did not come leaves it open, unless there was no connection or no trust', () => {
    const lost = (code: 'E_CONNECT' | 'E_AUTH', wasSent: boolean) =>
      answerOf({ kind: 'failed', failure: new Failure(code, 'x'), wasSent }, 'u', 0, () => true);
    expect(lost('E_CONNECT', true)).toMatchObject({ mayStand: 'later' });
    expect(lost('E_CONNECT', false)).toMatchObject({ mayStand: 'no' });
    expect(lost('E_AUTH', true)).toMatchObject({ mayStand: 'no' });
  });

  it('shows no secret', () => {
    const answer = judged(403, 'no access with s3cret for s3cret', { secrets: ['s3cret'] });
    expect(JSON.stringify(answer)).not.toContain('s3cret');
    expect(answer).toMatchObject({ failure: { message: expect.stringContaining('no access with *** for ***') } });
  });

  it('is known for every recorded one', () => {
    for (const name of readdirSync(pages).filter((file) => /^[45]/.test(file))) {
      expect(judged(Number(name.slice(0, 3)), recorded(name)), name).toMatchObject({ kind: 'untaken' });
    }
  });
});

describe('the back-off', () => {
  it('doubles from a second to five minutes, half of it by chance', () => {
    expect([0, 1, 2, 8, 9, 1000].map((step) => backOff(step, () => 1))).toEqual([
      1000, 2000, 4000, 256_000, 300_000, 300_000,
    ]);
    expect([0, 1, 9].map((step) => backOff(step, () => 0))).toEqual([500, 1000, 150_000]);
  });

  it('counts what began together once, and begins anew after a success', () => {
    const clock = fakeClock();
    const pace = createPace(clock, () => 1);
    const together = [pace.begin(), pace.begin(), pace.begin()];
    expect(together.map((attempt) => pace.failed(attempt, { isLost: false }))).toEqual([true, false, false]);
    expect([pace.isDown, pace.fromMs]).toEqual([true, 1000]);
    pace.failed(pace.begin(), { isLost: false });
    expect(pace.fromMs).toBe(2000);
    pace.succeeded(pace.begin());
    expect(pace.isDown).toBe(false);
    pace.failed(pace.begin(), { isLost: true });
    expect(pace.isDown).toBe(false);
    pace.failed(pace.begin(), { isLost: true });
    expect(pace.isDown).toBe(true);
  });
});
