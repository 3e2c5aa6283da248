import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Event, eventOf, hashOf, likenessOf, MAX_DATA_BYTES, tagOf } from '../src/events/event.ts';

const NOW = 1_795_262_400_000_000;
const loose = { nowUs: NOW, strict: false, repeatable: false };
const of = (body: unknown, around = {}): Event => eventOf(body, { ...loose, ...around });

function message(body: unknown, around = {}): string {
  try {
    of(body, around);
  } catch (thrown) {
    expect(thrown).toMatchObject({ name: 'Failure', code: 'E_PARSE' });
    return (thrown as Error).message;
  }
  return 'taken';
}

describe('an event', () => {
  it('is what graphite-web takes, and has an id', () => {
    const event = of({ what: 'deploy', tags: ['b', 'a', 'b'], data: 'x\ny', when: 1_700_000_000.5 });
    const fields = { what: 'deploy', tags: ['b', 'a'], data: 'x\ny', whenUs: 1_700_000_000_500_000 };
    expect(event).toEqual({ ...fields, id: hashOf(fields), isRelative: false });
    expect(event.id).toMatch(/^[0-9a-f]{32}$/);
    expect(of({ what: 'x', tags: ' a\tb  a\n' }).tags).toEqual(['a', 'b']);
    expect(of({ what: 'x' })).toMatchObject({ tags: [], data: '', whenUs: NOW, isRelative: true });
    expect(of({ what: 'x', when: '-90m' })).toMatchObject({ whenUs: NOW - 5400e6, isRelative: true });
    expect(of({ what: 'x', id: 'mine', when: 1 })).toMatchObject({ id: 'mine', whenUs: 1e6 });
  });

  it('is the same by its id whatever the order of its tags, and another when anything else differs', () => {
    const base = { what: 'a', tags: ['x', 'y'], data: 'd', when: 1 };
    const { id } = of(base);
    expect(of({ ...base, tags: 'y x' }).id).toBe(id);
    for (const other of [{ what: 'b' }, { tags: ['x'] }, { data: '' }, { when: 1.000001 }]) {
      expect(of({ ...base, ...other }).id).not.toBe(id);
    }
    // Graphite finds by the second.
    expect(likenessOf(of({ ...base, when: 1.9 }))).toBe(likenessOf(of(base)));
    expect(likenessOf(of({ ...base, when: 2 }))).not.toBe(likenessOf(of(base)));
  });

  it('has fields that cannot be mistaken for each other', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '[', ']', '1'), minLength: 1, maxLength: 5 });
    const event = fc.record({ what: text, data: text, tags: fc.array(fc.constantFrom('a', 'b', 'ab')) });
    fc.assert(
      fc.property(event, event, (a, b) => {
        const [one, two] = [of({ ...a, when: 1 }), of({ ...b, when: 1 })];
        const shown = ({ what, tags, data }: Event): string => JSON.stringify([what, data, tags.toSorted()]);
        expect(one.id === two.id).toBe(shown(one) === shown(two));
      }),
    );
  });

  it('is made of its own keys alone', () => {
    expect(message(Object.create({ what: 'inherited' }))).toContain('"what" is missing');
    expect(message(JSON.parse('{"__proto__":{"what":"x"}}'))).toContain('"what" is missing');
    expect(of(JSON.parse('{"what":"x","__proto__":{"id":"y"}}')).id).not.toBe('y');
  });

  it.each([null, undefined, 1, 'deploy', [{ what: 'x' }], true])('is no %j', (body) => {
    expect(message(body)).toContain('an event is a map with "what"; found');
  });

  it('may have what is not known, unless it is to be strict', () => {
    expect(message({ what: 'x', priority: 1 })).toBe('taken');
    expect(message({ what: 'x', tag: 'y' }, { strict: true })).toBe('unknown field "tag"; did you mean "tags"?');
    expect(message({ what: 'x', priority: 1 }, { strict: true })).toBe(
      'unknown field "priority"; expected id, what, tags, data, when',
    );
    expect(message({ what: 'x', 'a\u001b[2J': 1 }, { strict: true })).toContain('unknown field "a\\u001b[2J"');
  });

  it('that may come again has a time or an id of its own', () => {
    const around = { repeatable: true };
    for (const when of [{}, { when: 'now' }, { when: '-1h' }]) {
      expect(message({ what: 'x', ...when }, around)).toContain(
        '"when" is relative to now, so that this would be another',
      );
      expect(message({ what: 'x', id: '1', ...when }, around)).toBe('taken');
    }
    expect(message({ what: 'x', when: '2023-11-14T22:13:20Z' }, around)).toBe('taken');
  });
});

describe('a field', () => {
  it.each([
    [{}, '"what" is missing; expected a text that says what happened'],
    [{ what: null }, '"what" is null; expected a text'],
    [{ what: 5 }, '"what" is the number 5; expected a text'],
    [{ what: '' }, '"what" is empty'],
    [{ what: ' \u00a0' }, '"what" is empty'],
    [{ what: 'x'.repeat(256) }, '"what" has 256 characters; expected at most 255, the rest as "data"'],
    [{ what: 'a\nb' }, '"what" is "a\\u000ab"; expected one line without control characters'],
    [{ what: 'a\u2028b' }, 'expected one line'],
    [{ what: 'a\u009bb' }, 'expected one line'],
    [{ what: 'a\ud83d' }, '"what" has half of a character in it'],
    [{ what: 'x', tags: 1 }, '"tags" is the number 1; expected a list of texts, or one text with blanks between them'],
    [{ what: 'x', tags: null }, '"tags" is null'],
    [{ what: 'x', tags: { a: 1 } }, '"tags" is a map'],
    [{ what: 'x', tags: [['a']] }, '"tags" has a list in it; expected texts'],
    [{ what: 'x', tags: [1] }, '"tags" has the number 1 in it'],
    [{ what: 'x', tags: ['a', ''] }, '"tags" has an empty text in it'],
    [
      { what: 'x', tags: ['a,b'] },
      'Graphite could not find the tag "a,b" again; expected letters, digits, "_", ".", ":" and "-", such as "a_b"',
    ],
    [{ what: 'x', tags: ['a"b'] }, 'such as "a_b"'],
    [{ what: 'x', tags: ['a b'] }, 'the tag "a b" again'],
    [{ what: 'x', tags: 'a b,c' }, 'the tag "b,c" again'],
    [{ what: 'x', tags: ['t'.repeat(51)] }, 'has 51 characters; expected at most 50'],
    [{ what: 'x', tags: Array(10_000).fill('t') }, '"tags" has 10000 entries; expected at most 255 characters'],
    [{ what: 'x', tags: 't '.repeat(5000) }, '"tags" has 10000 characters'],
    [
      { what: 'x', tags: Array.from({ length: 6 }, (_, n) => `${n}`.repeat(50)) },
      '"tags" has 305 characters with the blanks',
    ],
    [{ what: 'x', data: null }, '"data" is null; expected a text'],
    [{ what: 'x', data: 'a\0b' }, '"data" has a NUL character'],
    [{ what: 'x', data: '\udc00' }, '"data" has half of a character'],
    [{ what: 'x', data: 'ü'.repeat(MAX_DATA_BYTES / 2 + 1) }, '"data" has 262146 bytes; expected at most 262144'],
    [{ what: 'x', id: 5 }, '"id" is the number 5'],
    [{ what: 'x', id: '' }, '"id" is empty'],
    [{ what: 'x', id: 'x'.repeat(129) }, '"id" has 129 characters; expected at most 128'],
    [{ what: 'x', id: 'a\tb' }, '"id" is "a\\u0009b"; expected no control characters'],
    [{ what: 'x', when: null }, '"when" is null; expected seconds'],
    [{ what: 'x', when: [] }, '"when" is a list'],
    [{ what: 'x', when: true }, '"when" is the boolean true'],
    [{ what: 'x', when: Number.NaN }, '"when" is NaN'],
    [{ what: 'x', when: -1 }, '"when" is -1, which is before 1970'],
    [{ what: 'x', when: 1_700_000_000_000 }, 'did you mean 1700000000?'],
    [{ what: 'x', when: '9999-12-31T23:59:59Z' }, 'in the future'],
    [{ what: 'x', when: '-999999999w' }, '"when" is before 1970'],
  ])('%.60j is refused with one clear error', (body, expected) => {
    expect(message(body)).toContain(expected);
    expect(message(body)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
  });

  it('is taken up to its bounds', () => {
    const event = of({
      what: '😀'.repeat(255),
      tags: Array.from({ length: 5 }, (_, n) => `${n}`.repeat(50)),
      data: 'x'.repeat(MAX_DATA_BYTES),
      id: 'i'.repeat(128),
      when: NOW / 1e6 + 86_400,
    });
    expect(event.tags.join(' ')).toHaveLength(254);
    expect(of({ what: 'x', tags: Array(255).fill('t') }).tags).toEqual(['t']);
  });

  it('of any kind is taken, or refused by one line', () => {
    const body = fc.record(
      { id: fc.anything(), what: fc.anything(), tags: fc.anything(), data: fc.anything(), when: fc.anything() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(body, (one) => {
        expect(message(one)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      }),
    );
  });
});

it('makes a tag of any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => message({ what: 'x', tags: [tagOf(text)] }) === 'taken'),
  );
  expect([tagOf(''), tagOf('web shop/2'), tagOf('x'.repeat(60)).length]).toEqual(['_', 'web_shop_2', 50]);
});
