import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, parseJson } from '../src/events/in/body.ts';
import { jsonFault } from '../src/events/in/body-fault.ts';
import { eventsOfBody } from '../src/events/in/listener-events.ts';

const message = (text: Uint8Array | string): string => {
  try {
    parseJson(text);
  } catch (thrown) {
    expect(thrown).toMatchObject({ name: 'Failure', code: 'E_PARSE' });
    return (thrown as Error).message;
  }
  return 'taken';
};

describe('JSON from outside', () => {
  it.each([
    ['', 'the body is empty; expected JSON'],
    [' \n\t ', 'the body is empty; expected JSON'],
    ['{', 'the body ends too early, at character 2; expected a name in double quotes'],
    ['{"when":NaN}', 'the body has "NaN" at character 9; expected a value: a text in double quotes, a number, '],
    ['{"when":-Infinity}', 'the body has "-Infinity" at character 9; expected a value'],
    ['{"a":1\n,}', 'the body has "}" at line 2, character 2; expected a name in double quotes'],
    ['[1 2]', 'the body has "2" at character 4; expected "," or "]"'],
    ['[[]', 'the body ends too early, at character 4; expected "," or "]"'],
    ['{"a" 1}', 'the body has "1" at character 6; expected ":"'],
    ["{'a':1}", 'the body has "\'" at character 2; expected a name in double quotes'],
    ['{} {}', 'the body has "{" at character 4; expected nothing after it'],
    ['["a\nb"]', 'expected an escape such as \\n instead of a control character'],
    ['["\\x"]', 'expected an escape of JSON'],
    ['["\\u12"]', 'expected four hexadecimal digits after \\u'],
    ['["abc', 'the body ends too early, at character 6; expected a text’s closing double quote'],
    ['[01]', 'the body has "01" at character 2'],
    ['what=deploy&tags=x', 'the body has "what" at character 1; expected a value'],
  ])('%j is refused by one sentence that says where', (text, expected) => {
    expect(message(text)).toContain(expected);
    expect(message(Buffer.from(text))).toBe(message(text));
  });

  it('that is no UTF-8 is refused, with the first byte that is none', () => {
    expect(message(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toContain('no UTF-8 from its byte 2 on');
    expect(message(Buffer.from([0x22, 0x61, 0xff, 0x22]))).toContain('no UTF-8 from its byte 3 on');
    expect(message(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toContain('no UTF-8 from its byte 2 on');
    expect(message(Buffer.from('"ü"').subarray(0, 2))).toContain('no UTF-8 from its byte 2 on');
    expect(message(Buffer.from('{"what":"caf\u00e9"}', 'latin1'))).toContain('no UTF-8 from its byte 13 on');
  });

  it('may begin with a byte order mark', () => {
    expect(parseJson(Buffer.from('\ufeff{"a":1}'))).toEqual({ a: 1 });
  });

  it.each([33, 1000, 1_000_000])('nested %i deep is one error, not the end of the stack', (depth) => {
    for (const nested of ['['.repeat(depth), '['.repeat(depth) + ']'.repeat(depth), '{"a":'.repeat(depth)]) {
      expect(message(nested)).toContain('more than 32 lists and maps in each other');
    }
    expect(message(`${'['.repeat(32)}${']'.repeat(32)}`)).toBe('taken');
    // What stands in a text opens nothing.
    expect(message(JSON.stringify({ data: `\\"${'['.repeat(depth)}` }))).toBe('taken');
  });

  it('called __proto__ changes no object', () => {
    const value = parseJson('{"__proto__":{"what":"x","polluted":1},"constructor":{"prototype":{"polluted":1}}}');
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor']);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    const rules = { maxEvents: 10, stamp: () => 1.7e15, strict: false };
    expect(() => eventsOfBody(Buffer.from('{"__proto__":{"what":"x"}}'), rules)).toThrow('"what" is missing');
    expect(() => eventsOfBody(Buffer.from('{"what":"x","__proto__":1}'), { ...rules, strict: true })).toThrow(
      'unknown field "__proto__"',
    );
  });

  it('is what JSON.parse takes, and nothing else', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 10 }), (text) => {
        // The last of two keys counts, as everywhere.
        expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('that was broken anywhere has a fault in it', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 5 }),
        fc.nat(),
        fc.constantFrom('', '"', '}', ']', ',', 'x', '\\', '\n', '1'),
        (text, at, put) => {
          const where = at % (text.length + 1);
          const broken = text.slice(0, where) + put + text.slice(where + 1);
          let isJson = true;
          try {
            JSON.parse(broken);
          } catch {
            isJson = false;
          }
          fc.pre(!isJson);
          const fault = jsonFault(broken);
          expect(fault.at).toBeGreaterThanOrEqual(0);
          expect(fault.at).toBeLessThanOrEqual(broken.length);
          expect(fault.expected).not.toBe('');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of any bytes gives a value or one line of error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(message(bytes)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      }),
    );
  });

  it('is decoded as it was written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.startsWith('\ufeff'));
        expect(decode(Buffer.from(text))).toBe(text);
      }),
    );
  });
});

describe('a body', () => {
  let now = 1_700_000_000_000_000;
  const rules = { maxEvents: 3, stamp: () => (now += 1), strict: false };
  const events = (value: unknown) => eventsOfBody(Buffer.from(JSON.stringify(value)), rules);

  it('is one event or a list of them, and what graphite-web does not know is let pass', () => {
    expect(events({ what: 'a', other: [1] })).toHaveLength(1);
    const three = events([{ what: 'a' }, { what: 'a' }, { what: 'a', tags: 'x y' }]);
    expect(new Set(three.map(({ id }) => id)).size).toBe(3);
  });

  it('is refused whole, and the error names the event', () => {
    expect(() => events([{ what: 'a' }, { what: '' }])).toThrow('event 2 of 2: "what" is empty');
    expect(() => events([{ what: 'a' }, [{ what: 'b' }]])).toThrow('event 2 of 2: an event is a map');
    expect(() => events([])).toThrow('the list is empty');
    expect(() => events([1, 2, 3, 4])).toThrow('the list has 4 events; expected at most 3');
    expect(() => events('deploy')).toThrow('an event is a map');
  });
});
