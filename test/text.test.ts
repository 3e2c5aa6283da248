import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { integer, lines, matcher, nearest, printable, quoted, words } from '../src/text.ts';

describe('lines', () => {
  it('ends at \\n and \\r\\n alike, and a last end makes no empty line', () => {
    expect(lines('a\r\nb\nc\n')).toEqual(['a', 'b', 'c']);
    expect(lines('a\nb')).toEqual(['a', 'b']);
  });

  it('keeps empty lines inside, and all but one at the end', () => {
    expect(lines('a\n\nb\n\n')).toEqual(['a', '', 'b', '']);
  });

  it('has none in an empty text', () => {
    expect(lines('')).toEqual([]);
    expect(lines('\n')).toEqual(['']);
  });

  it('leaves a carriage return alone that ends no line', () => {
    expect(lines('a\rb\n')).toEqual(['a\rb']);
  });

  it('gives back any list of texts without line ends', () => {
    const line = fc.string({ unit: 'binary' }).map((text) => text.replace(/[\r\n]/g, ''));
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom('\n', '\r\n'), (all, end) => {
        expect(lines(all.map((one) => one + end).join(''))).toEqual(all);
      }),
    );
  });
});

describe('words', () => {
  it('splits at blanks and tabs, wherever they are', () => {
    expect(words('  TcpExt:\tInSegs   5 ')).toEqual(['TcpExt:', 'InSegs', '5']);
    expect(words(' \t ')).toEqual([]);
    expect(words('')).toEqual([]);
  });

  it('does not split at other white space, which may be a part of a name', () => {
    expect(words('a\u00a0b c\u2003d')).toEqual(['a\u00a0b', 'c\u2003d']);
  });
});

describe('integer', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['007', 7],
    ['-1', -1],
    ['4294967296', 4294967296],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
  ])('%s is a number', (text, value) => {
    expect(Object.is(integer(text), value)).toBe(true);
  });

  it.each([
    ['9007199254740992', 9007199254740992n],
    ['9007199254740993', 9007199254740993n],
    ['18446744073709551614', 18446744073709551614n],
    ['18446744073709551615', 18446744073709551615n],
    ['-9223372036854775808', -9223372036854775808n],
  ])('%s is exact as a bigint', (text, value) => {
    expect(integer(text)).toBe(value);
  });

  it.each([
    ['18446744073709551616'],
    ['99999999999999999999'],
    ['-9223372036854775809'],
    ['000000000000000000001'],
    [''],
    ['-'],
    ['+1'],
    ['--1'],
    ['?'],
    ['0x10'],
    ['1.0'],
    ['1e3'],
    [' 1'],
    ['1 '],
    ['1\n'],
    ['١'],
    ['Infinity'],
    ['NaN'],
  ])('%j is none', (text) => {
    expect(integer(text)).toBeUndefined();
  });

  it('is none where there is no text', () => {
    expect(integer(undefined)).toBeUndefined();
  });

  it('gives back every unsigned number of 64 bits exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(BigInt(integer(String(value)) ?? -1)).toBe(value);
      }),
    );
  });
});

/** What may break a line, drive a terminal or turn its direction. */
const HOSTILE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

describe('printable and quoted', () => {
  it('write what could harm as an escape', () => {
    expect(printable('a\nb\r\u001b[31m\u0000\u007f')).toBe('a\\u000ab\\u000d\\u001b[31m\\u0000\\u007f');
    expect(printable('\u009b2J')).toBe('\\u009b2J');
    expect(printable('\u202egnp.exe\u2069')).toBe('\\u202egnp.exe\\u2069');
    expect(printable('\u2028\u2029\ufeff')).toBe('\\u2028\\u2029\\ufeff');
  });

  it('leave readable text of any script as it is', () => {
    expect(printable('Größe 東京 😀 ~')).toBe('Größe 東京 😀 ~');
  });

  it('never let a hostile character through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(HOSTILE);
        expect(quoted(text)).not.toMatch(HOSTILE);
        // Once more changes nothing.
        expect(printable(printable(text))).toBe(printable(text));
      }),
    );
  });

  it('put a text between quotation marks and mark the ones inside', () => {
    expect(quoted('say "x"')).toBe('"say \\"x\\""');
  });

  it('cut a long text', () => {
    expect(quoted('abcdef', 3)).toBe('"abc…"');
    expect(quoted('abc', 3)).toBe('"abc"');
    expect(quoted('x'.repeat(121))).toBe(`"${'x'.repeat(120)}…"`);
  });
});

describe('matcher', () => {
  const matches = (glob: string, name: string): boolean => matcher([glob])(name);

  it.each([
    ['eth0', 'eth0', true],
    ['eth0', 'eth01', false],
    ['eth0', 'xeth0', false],
    ['eth*', 'eth', true],
    ['eth*', 'eth1.100', true],
    ['*', '', true],
    ['*', 'a\nb', true],
    ['**a**', 'xay', true],
    ['*ab*ab', 'ababab', true],
    ['*ab*abc', 'abab', false],
    ['?', 'a', true],
    ['?', '', false],
    ['?', 'ab', false],
    ['?', '\n', true],
    ['?', '😀', true],
    ['tap[abc]', 'tapb', true],
    ['tap[abc]', 'tapd', false],
    ['tap[a-c]', 'tapb', true],
    ['tap[a-c]', 'tap-', false],
    ['tap[a-c][0-9]', 'tapb7', true],
    ['[!a]', 'b', true],
    ['[!a]', 'a', false],
    ['[!a]', '', false],
    ['[!a-c]', 'd', true],
    ['[!a-c]', 'b', false],
    ['[😀-😂]', '😁', true],
    ['', '', true],
    ['', 'a', false],
  ])('%j on %j: %s', (glob, name, expected) => {
    expect(matches(glob, name)).toBe(expected);
  });

  it('takes a backward range as its three characters', () => {
    expect(['z', '-', 'a', 'm'].map((name) => matches('[z-a]', name))).toEqual([true, true, true, false]);
    expect(['z', '-', 'a', 'm'].map((name) => matches('[!z-a]', name))).toEqual([false, false, false, true]);
  });

  it('takes a range before a backward one as a range', () => {
    expect(['b', 'y', 'z', '-', 'x'].map((name) => matches('[a-cz-y]', name))).toEqual([true, true, true, true, false]);
  });

  it('takes a dash at an end as itself', () => {
    expect(['-', 'a', 'b'].map((name) => matches('[-a]', name))).toEqual([true, true, false]);
    expect(['-', 'a', 'b'].map((name) => matches('[a-]', name))).toEqual([true, true, false]);
  });

  it('takes brackets that are no set as themselves', () => {
    expect(matches('[', '[')).toBe(true);
    expect(matches('[]', '[]')).toBe(true);
    expect(matches('a]b', 'a]b')).toBe(true);
    expect(matches('[abc', '[abc')).toBe(true);
    expect(matches('[!]', '!')).toBe(true);
    expect(matches('[!]', 'a')).toBe(false);
    expect(matches('[[]x', '[x')).toBe(true);
    expect(matches('[]a]', '[]a]')).toBe(true);
    expect(matches('[]a[b]', '[]ab')).toBe(true);
  });

  it('knows no other special character', () => {
    for (const special of [
      '.',
      '+',
      '^',
      '$',
      '|',
      '(',
      ')',
      '{',
      '}',
      '/',
      '\\',
      'a|b',
      '(?:x)',
      'a{2}',
      '\\d',
      '^a$',
    ]) {
      expect(matches(special, special), special).toBe(true);
      expect(matches(`${special}*`, `${special}x`), special).toBe(true);
      expect(matches(`[${special}]`, special[0] ?? ''), special).toBe(true);
    }
    expect(matches('.', 'a')).toBe(false);
    expect(matches('a|b', 'a')).toBe(false);
    expect(matches('\\d', '1')).toBe(false);
    expect(matches('[^a]', 'b')).toBe(false);
    expect(matches('[^a]', 'a')).toBe(true);
    expect(matches('[\\d]', '1')).toBe(false);
  });

  it('matches any one of several, and nothing when there is none', () => {
    const any = matcher(['eth*', 'lo', 'tap?']);
    expect(['eth1', 'lo', 'tap1', 'lo1', 'tap'].map(any)).toEqual([true, true, true, false, false]);
    expect(matcher([])('')).toBe(false);
  });

  it('never throws, and every text without special characters matches itself alone', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...'[]!-*?^\\$.|+(){}/az09\n😀\u0000\ud800') });
    fc.assert(
      fc.property(fc.array(fc.oneof(hostile, fc.string({ unit: 'binary' }))), fc.string(), (globs, name) => {
        expect(typeof matcher(globs)(name)).toBe('boolean');
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, other) => {
        const plain = text.replace(/[*?[]/g, '_');
        expect(matches(plain, plain)).toBe(true);
        expect(matches(plain, other)).toBe(plain === other);
        expect(matches(`*${plain}`, other + plain)).toBe(true);
      }),
    );
  });

  it('never throws on a huge glob', () => {
    const part = fc.constantFrom('a', '*?', '[', '[]', '[a]', '[z-a]', ']', '[!', '\\', '(', '*a');
    fc.assert(
      fc.property(part, fc.integer({ min: 10_000, max: 200_000 }), (text, times) => {
        expect(matches(text.repeat(times), 'bbb')).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('takes no exponential time for many stars on a name that nearly fits', () => {
    // A backtracking expression would need more than 10^15 steps: this test would not end.
    expect(matches(`${'*a'.repeat(12)}*b`, 'a'.repeat(255))).toBe(false);
  });
});

describe('nearest', () => {
  it.each([
    ['evry', 'every'],
    ['Every', 'every'],
    ['ecvery', 'every'],
    ['eveyr', 'every'],
    ['tiemout', 'timeout'],
    ['tiemotu', 'timeout'],
    ['optoins', 'options'],
  ])('%s means %s', (word, meant) => {
    expect(nearest(word, ['every', 'timeout', 'options', 'cron'])).toBe(meant);
  });

  it('takes the nearest of several, and the first of equals', () => {
    expect(nearest('cat', ['cart', 'cat', 'bat'])).toBe('cat');
    expect(nearest('bog', ['dog', 'fog'])).toBe('dog');
  });

  it('suggests nothing that was hardly meant', () => {
    expect(nearest('colour', ['every', 'timeout'])).toBeUndefined();
    expect(nearest('every', [])).toBeUndefined();
    expect(nearest('x'.repeat(65), ['x'.repeat(65)])).toBeUndefined();
    expect(nearest('every', ['e'.repeat(100_000)])).toBeUndefined();
  });

  it('finds a word again after any one edit', () => {
    const word = fc.stringMatching(/^[a-z]{5,20}$/);
    fc.assert(
      fc.property(word, fc.nat(), fc.constantFrom('insert', 'delete', 'replace', 'swap'), (text, place, edit) => {
        const at = place % (text.length - 1);
        const [head, one, two, tail] = [text.slice(0, at), text[at], text[at + 1], text.slice(at + 2)];
        const edited = {
          insert: `${head}0${one}${two}${tail}`,
          delete: `${head}${two}${tail}`,
          replace: `${head}0${two}${tail}`,
          swap: `${head}${two}${one}${tail}`,
        }[edit];
        expect(nearest(edited, [`${text}-and-longer`, text])).toBe(text);
      }),
    );
  });
});
