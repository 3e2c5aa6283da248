import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/errors.ts';
import { starsIn } from './measure.ts';
import { formats, parsePrinted } from './parse.ts';
import { partsOf } from './perfdata.ts';
import { MAX_VALUES, numberIn, type Value } from './record.ts';
import { converted } from './units.ts';

const NOW = 1_700_000_000_000;
const perf = (text: string) => parsePrinted('nagios', `OK | ${text}\n`, NOW);
/** Names and numbers; what has no number has its reason. */
const shown = (values: readonly Value[]) => values.map(({ name, value, why }) => [name, value ?? why]);

describe('numbers', () => {
  it.each([
    ['0', 0],
    ['-12', -12],
    ['+3', 3],
    ['1.50', 1.5],
    ['.5', 0.5],
    ['1e-05', 1e-5],
    ['2E3', 2000],
    ['18446744073709551615', 18446744073709551615n],
    ['100000000000000000000000', 1e23],
  ])('%s', (text, value) => {
    expect(numberIn(text)).toBe(value);
  });

  it.each([
    '',
    '-',
    '.',
    '5.',
    '1,5',
    '1 000',
    '1_000',
    '0x1F',
    'nan',
    'NaN',
    'inf',
    '-Infinity',
    '1e400',
    '1e99999',
    '1.2.3',
    '--1',
    '١',
    '1\u0000',
    '1n',
  ])('not %j', (text) => {
    expect(numberIn(text)).toBeUndefined();
  });
});

describe('perfdata', () => {
  it('is behind the bar of the first line, and behind that of a later one on all others', () => {
    const text = 'DISK OK - free | a=1\nlong\nlonger | b=2\nc=3 d=4\n';
    expect(partsOf(text)).toEqual({ said: 'DISK OK - free', perfdata: [' a=1', ' b=2', 'c=3 d=4'] });
    expect(shown(parsePrinted('nagios', text, NOW).values)).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ]);
    expect(partsOf('only text')).toEqual({ said: 'only text', perfdata: [] });
    expect(partsOf('one\ntwo | a=1')).toEqual({ said: 'one', perfdata: [' a=1'] });
    expect(partsOf('')).toEqual({ said: '', perfdata: [] });
  });

  it.each([
    [
      "'a b'=1 c=2",
      [
        ['a b', 1],
        ['c', 2],
      ],
    ],
    ["'it''s'=1", [["it's", 1]]],
    ["'a=b'=1", [['a=b', 1]]],
    ["'a|b'=1", [['a|b', 1]]],
    ["''=1", [['', 1]]],
    ['/=1B;2;3;0;4', [['/', 1]]],
    ['C:\\=5%', [['C:\\', 5]]],
    [
      'a=U b=U;1;2',
      [
        ['a', 'the program does not know it (U)'],
        ['b', 'the program does not know it (U)'],
      ],
    ],
    ['a=1;@10:20;~:5;;', [['a', 1]]],
    [
      '  a=1\t\tb=-2.5e3ms;;;; ',
      [
        ['a', 1],
        ['b', -2500],
      ],
    ],
  ])('%j', (text, values) => {
    const { values: found, problems } = perf(text);
    expect(problems).toEqual([]);
    expect(shown(found)).toEqual(values);
  });

  it('has units, and limits that are numbers', () => {
    expect(perf('a=1.5GB;1;2;0;10 b=7c c=1µs;;;x;').values).toEqual([
      { name: 'a', value: 1.5, unit: 'GB', min: 0, max: 10 },
      { name: 'b', value: 7, unit: 'c', min: undefined, max: undefined },
      { name: 'c', value: 1, unit: 'µs', min: undefined, max: undefined },
    ]);
  });

  // What would make a wrong number makes none.
  it.each([
    ['a=1,5s', [['a', '"1,5s" is no number with a unit']]],
    ['a=1.234,5', [['a', '"1.234,5" is no number with a unit']]],
    [
      'a=nan b=inf c=1e400 d=',
      [
        ['a', '"nan" is no number with a unit'],
        ['b', '"inf" is no number with a unit'],
        ['c', '"1e400" is no number with a unit'],
        ['d', '"" is no number with a unit'],
      ],
    ],
    ['a=5=6', [['a', '"5=6" is no number with a unit']]],
    ['a=0x10', [['a', '"0x10" is no number with a unit']]],
  ])('%j has none', (text, values) => {
    expect(shown(perf(text).values)).toEqual(values);
  });

  it.each([
    ['used=5 % free=95', ['%'], 'used', 'it is followed by "%", which belongs to nothing'],
    ['used=1 000', ['000'], 'used', 'it is followed by "000", which belongs to nothing'],
    ['my label=5', ['my'], 'label', 'a label with blanks must stand in quotes'],
    ["x=1 it's=5", ["it's=5"], 'x', `it is followed by "it's=5", which belongs to nothing`],
    ["x=1 'open=5 b=6", ["'open=5"], 'x', `it is followed by "'open=5", which belongs to nothing`],
    ["x=1 'a'b=5", ["'a'b=5"], 'x', `it is followed by "'a'b=5", which belongs to nothing`],
  ])('%j is doubtful', (text, [first], name, why) => {
    const { values, problems } = perf(text);
    expect(values.find((value) => value.name === name)).toMatchObject({ value: undefined, why });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ code: 'E_PARSE', evidence: { text: first, series: '' } });
    expect(values.filter(({ value }) => value !== undefined)).toEqual([]);
  });

  it('of more values than anybody has is cut, and told', () => {
    const { values, problems } = perf('a=1 '.repeat(MAX_VALUES + 5));
    expect(values).toHaveLength(MAX_VALUES);
    expect(problems.map(({ code }) => code)).toEqual(['E_OUTPUT_SIZE']);
  });

  it('of any text takes time that grows with it alone', () => {
    // Each would take hours where a pattern goes back.
    for (const piece of ["'", "''", 'a', '=', "'=", ' ', '|', "'a' "]) {
      const text = piece.repeat(200_000);
      expect(parsePrinted('nagios', `|${text}`, NOW).values.length).toBeLessThanOrEqual(MAX_VALUES);
    }
  });
});

describe('Graphite lines', () => {
  const graphite = (text: string) => parsePrinted('graphite', text, NOW);

  it('are a path, a number, and when it was counted', () => {
    const { values, problems } = graphite(`# comment\n\na.b 1\r\nc.d\t2.5  ${NOW / 1000 - 60}\ne 3 -1\nf 4 N`);
    expect(problems).toEqual([]);
    expect(values).toEqual([
      { name: 'a.b', value: 1, unit: '' },
      { name: 'c.d', value: 2.5, unit: '', countedAtMs: NOW - 60_000 },
      { name: 'e', value: 3, unit: '' },
      { name: 'f', value: 4, unit: '' },
    ]);
  });

  it('that are none are told, and values that are not of now are unknown', () => {
    const { values, problems } = graphite(
      `a\nb 1 2 3\nc 1,5\nd 1 ${NOW / 1000 - 3600}\ne 1 ${NOW / 1000 + 3600}\nf 1 x\n`,
    );
    expect(problems.map(({ message }) => message)).toEqual([
      'line 1: expected "path value [timestamp]", found "a" (and 1 more)',
    ]);
    expect(shown(values)).toEqual([
      ['c', '"1,5" is no number'],
      ['d', 'its time is 3600 s before this run; a value must be of now, and the clock of that machine right'],
      ['e', 'its time is 3600 s after this run; a value must be of now, and the clock of that machine right'],
      ['f', '"x" is no time in seconds since the epoch'],
    ]);
  });
});

describe('JSON', () => {
  const json = (text: string) => parsePrinted('json', text, NOW);

  it('is an array of what edgestatd itself prints', () => {
    const text = `[
{"series":"x","metric":"sent_bytes","labels":{"device":"eth0","vif":null},"value":18446744073709551615,"kind":"counter","unit":"bytes"},
{"metric":"up","value":1}
]`;
    expect(json(text).values).toEqual([
      { name: 'sent_bytes', unit: 'bytes', labels: { device: 'eth0' }, kind: 'counter', value: 18446744073709551615n },
      { name: 'up', unit: '', labels: {}, kind: undefined, value: 1 },
    ]);
  });

  it('values that are no numbers are unknown', () => {
    const { values } = json(
      '[{"metric":"a","value":null},{"metric":"b","value":"5"},{"metric":"c","value":1e400},{"metric":"d"},{"metric":"e","value":true}]',
    );
    expect(shown(values)).toEqual([
      ['a', 'the program does not know it (null)'],
      ['b', 'its value is the text "5"; expected a number'],
      ['c', 'its value is Infinity; expected a number'],
      ['d', 'its value is missing; expected a number'],
      ['e', 'its value is a boolean; expected a number'],
    ]);
  });

  it('items of another form are told, and a text of another form is none', () => {
    const { values, problems } = json(
      '[5,{"metric":1,"value":2},{"metric":"a","labels":{"b":5},"value":2},{"metric":"ok","value":3},[]]',
    );
    expect(shown(values)).toEqual([['ok', 3]]);
    expect(problems[0]?.message).toContain('item 0 of the array (and 3 more)');
    for (const text of ['', '{}', '5', 'null', '[1', '[{"metric":"a","value":01}]', '['.repeat(100_000)])
      expect(() => json(text)).toThrow(expect.objectContaining({ code: 'E_PARSE' }));
  });
});

it.each(formats)('whatever is printed as %s, there are finite numbers or reasons', (format) => {
  const word = fc.oneof(
    fc.constantFrom(
      "'",
      '=',
      '|',
      ' ',
      '\n',
      ';',
      'a',
      '1',
      '-',
      '.',
      ',',
      'e9',
      'U',
      '%',
      'MB',
      '{"metric":"a","value":',
      '[',
      ']',
      '}',
      '1e999',
      '\u0000',
      '\u202e',
      'NaN',
    ),
    fc.string({ maxLength: 3 }),
    fc.double().map(String),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      try {
        const { values, problems } = parsePrinted(format, words.join(''), NOW);
        for (const { value, why } of values) {
          if (value === undefined) expect(why).toMatch(/^[^\n\u0000\u202e]+$/);
          else expect(Number.isFinite(Number(value))).toBe(true);
        }
        for (const { message } of problems) expect(message).toMatch(/^[^\n\u0000\u202e]+$/);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(Failure);
        expect(thrown).toMatchObject({ code: 'E_PARSE' });
      }
    }),
    { numRuns: 500 },
  );
});

it('a label that is quoted as the guidelines say comes back as it was', () => {
  fc.assert(
    fc.property(
      fc.string().filter((label) => !/[\n\r|]/.test(label)),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (label, number) => {
        const { values, problems } = perf(`'${label.replaceAll("'", "''")}'=${number}`);
        expect(problems).toEqual([]);
        expect(values).toHaveLength(1);
        expect(values[0]?.name).toBe(label);
        expect(Number(values[0]?.value)).toBe(number === 0 ? 0 : number);
      },
    ),
  );
});

describe('units', () => {
  const gauge = { kind: 'gauge', unit: 'seconds' } as const;
  it.each([
    [1.5, 's', 'seconds', 1.5],
    [123, 'ms', 'seconds', 0.123],
    [1, 'us', 'seconds', 1e-6],
    [1, 'ns', 'seconds', 1e-9],
    [55, '%', 'ratio', 0.55],
    [55, '%', 'percent', 55],
    [9007199254740993n, 'B', 'bytes', 9007199254740993n],
    [9007199254740993n, 'KiB', 'bytes', 9223372036854776832n],
    [1.5, 'MiB', 'bytes', 1572864],
    [20, 'C', 'celsius', 20],
    [7, '', 'connections', 7],
    [7, 'packets', 'packets', 7],
  ])('%s %s in %s', (value, printed, unit, expected) => {
    expect(converted(value, printed, { ...gauge, unit })).toBe(expected);
  });

  it.each([
    ['ms', { unit: 'bytes' }, 'it is in "ms", which makes seconds, and declared in bytes'],
    ['ms', { unit: 'milliseconds' }, 'it is in "ms", which makes seconds, and declared in milliseconds'],
    ['%', { unit: 'bytes' }, 'it is in "%", which makes ratio or percent, and declared in bytes'],
    ['MB', { unit: 'bytes' }, 'it is in MB, of 1000 or of 1024: say "kilo: 1000" or "kilo: 1024"'],
    ['furlongs', { unit: 'bytes' }, 'it is in "furlongs", which is unknown here, and declared in bytes'],
    ['c', {}, 'it is a counter (c), and declared as a gauge'],
    ['ms', { scale: 1000 }, 'it has a unit, "ms", which "scale" would scale again: remove "scale"'],
    ['%', { kind: 'counter', unit: 'ratio' }, 'it is a percentage, which is no counter'],
  ] as const)('%s is refused for %j', (printed, declared, why) => {
    expect(converted(5, printed, { ...gauge, ...declared })).toBe(why);
  });

  it('that are doubtful are what the declaration says', () => {
    expect(converted(2, 'MB', { kind: 'gauge', unit: 'bytes', kilo: 1000 })).toBe(2_000_000);
    expect(converted(2, 'kB', { kind: 'gauge', unit: 'bytes', kilo: 1024 })).toBe(2048);
    expect(converted(2, 'MB', { kind: 'gauge', unit: 'seconds', kilo: 1024 })).toContain('which makes bytes');
  });

  it('a number without a unit is scaled', () => {
    expect(converted(5, '', { kind: 'gauge', unit: 'bytes', scale: 1024 })).toBe(5120);
    expect(converted(2n ** 60n, 'c', { kind: 'counter', unit: 'bytes', scale: 8 })).toBe(2n ** 63n);
    expect(converted(1e308, '', { kind: 'gauge', unit: 'bytes', scale: 1000 })).toContain('too large');
  });
});

it.each([
  ['a', 'a', []],
  ['a', 'b', undefined],
  ['*', '/var', ['/var']],
  ['*', '', undefined],
  ['eth*_in', 'eth0_in', ['0']],
  ['eth*_in', 'eth_in', undefined],
  ['*_*', 'a_b_c', ['a', 'b_c']],
  ['*aa', 'aaa', ['a']],
  ['a*a', 'aa', undefined],
  ['**', 'abc', ['a', 'bc']],
] as const)('%s of %s', (pattern, text, stars) => {
  expect(starsIn(pattern.split('*'), text)).toEqual(stars);
});
