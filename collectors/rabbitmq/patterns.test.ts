import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matcher } from '../../src/text.ts';
import { options } from './options.ts';
import { exchangeFilter, exchangeName, nameFilter } from './patterns.ts';
import { placer } from './survey.ts';

const settings = (more: Readonly<Record<string, unknown>> = {}) => options.parse(more);
/** What the server compares: the bytes of UTF-8, one character each. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** As the server takes it (rabbit_mgmt_util, match_value): `re:run(Name, Pattern, [caseless])`, over bytes. */
function filterOf(more: Readonly<Record<string, unknown>> = {}): { test(name: string): boolean } {
  const pattern = nameFilter(settings(more));
  if (pattern === undefined) throw new Error('too long');
  const regex = new RegExp(bytes(pattern), 'i');
  return { test: (name) => regex.test(bytes(name)) };
}

describe('what the server is asked for', () => {
  test.each(['compute.hv01', 'conductor', 'scheduler.ctl1', 'notifications.info', 'q-plugin', 'neutron-vo-Port-1.5'])(
    '%s, by default',
    (name) => {
      expect(filterOf().test(name)).toBe(true);
    },
  );

  test.each(['reply_0badc0de', 'scheduler_fanout_0badc0de', 'amq.gen-Xa94VCFWUJGeuO2wxHoRIw'])('not %s', (name) => {
    expect(filterOf().test(name)).toBe(false);
  });

  test('keep is before groups, and exclude before keep', () => {
    const filter = filterOf({ keep: ['reply_me'], exclude: ['compute.*'] });
    expect(['reply_me', 'reply_you', 'compute.hv01', 'other'].map((name) => filter.test(name))).toEqual([
      ...[true, false, false, true],
    ]);
  });

  test.each<[name: string, options: Readonly<Record<string, unknown>>, why: string]>([
    ['Reply_1', { groups: [{ name: 'reply', match: ['reply_*'] }] }, 'the server ignores case, and the options do not'],
    ['cx', { exclude: ['[ab]x'] }, 'a class is not told to the server'],
    ['é', { exclude: ['??'] }, 'one character may be two bytes'],
    ['temp\n', { exclude: ['temp'] }, 'a newline at the end is a part of the name'],
    ['a\nb', { include: ['a*b'] }, 'a star stands for newlines too'],
    ['aé', { include: ['a?'], keep: [] }, 'a question mark stands for one character, however many bytes'],
    ['[]]', { include: ['[]]'], keep: [] }, 'a class that is empty is none'],
  ])('%j with %j: %s', (name, more) => {
    expect(placer(settings(more))(name)).toBe('kept');
    expect(filterOf(more).test(name)).toBe(true);
  });

  test('nothing, where nothing is kept', () => {
    const filter = filterOf({ keep: [], include: [] });
    for (const name of ['', 'a', 'compute.hv01']) expect(filter.test(name)).toBe(false);
  });

  test('without groups, all that is included', () => {
    expect(filterOf({ keep: [], groups: [], include: ['a*'] }).test('ab')).toBe(true);
    expect(filterOf({ keep: [], groups: [], include: ['a*'] }).test('ba')).toBe(false);
  });

  test.each(['a.b', 'a+b', '(a', 'a)', 'a|b', '^a$', 'a{2}', 'a\\d', '[a', 'a]b', '.', '\\'])(
    '%s stands for itself',
    (name) => {
      const filter = filterOf({ keep: [name], groups: [], include: [] });
      expect(filter.test(name)).toBe(true);
      for (const other of ['aXb', 'aab', 'a', 'aa', 'a5', 'X', 'b'])
        if (other !== name) expect(filter.test(other)).toBe(false);
    },
  );

  test('a pattern of 1024 bytes at most, which is all that 4.3 takes; beyond that everything is asked for', () => {
    const ofLength = (length: number) => nameFilter(settings({ groups: [], include: [], keep: ['k'.repeat(length)] }));
    const around = (ofLength(1) ?? '').length - 1;
    expect(ofLength(1024 - around)).toHaveLength(1024);
    expect(ofLength(1025 - around)).toBeUndefined();
    // An é is two bytes.
    expect(nameFilter(settings({ groups: [], include: [], keep: ['é'.repeat(600)] }))).toBeUndefined();
  });
});

describe('whatever the globs and names are', () => {
  const piece = fc.constantFrom(
    '*',
    '?',
    '[',
    ']',
    '!',
    '-',
    'a',
    'b',
    'z',
    '\\',
    '.',
    '|',
    '(',
    ')',
    '^',
    '$',
    'é',
    '😀',
    '\n',
    'A',
  );
  const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const glob = text.filter((one) => one !== '');
  const globs = fc.array(glob, { maxLength: 3 });

  test('what is kept by its name is asked for', () => {
    let kept = 0;
    fc.assert(
      fc.property(globs, globs, globs, globs, fc.array(text, { minLength: 1, maxLength: 8 }), (...drawn) => {
        const [keep, include, exclude, match, names] = drawn;
        const groups = match.length === 0 ? [] : [{ name: 'group', match }];
        const more = { keep, include, exclude, groups };
        const place = placer(settings(more));
        const filter = filterOf(more);
        for (const name of [...names, ...keep, ...include]) {
          if (place(name) !== 'kept') continue;
          kept += 1;
          expect(filter.test(name), JSON.stringify({ ...more, name })).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
    expect(kept).toBeGreaterThan(100);
  });

  test('exchanges that are asked for are given by the server, and so is the one without a name', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(fc.oneof(glob, fc.constantFrom('default', 'd*')), { minLength: 1 }),
        fc.array(text),
        (...drawn) => {
          const [asked, names] = drawn;
          const pattern = exchangeFilter(asked);
          if (pattern === undefined) return;
          const regex = new RegExp(bytes(pattern), 'i');
          for (const name of ['', 'default', ...names, ...asked]) {
            if (!matcher(asked)(exchangeName(name))) continue;
            found += 1;
            expect(regex.test(bytes(name)), JSON.stringify({ asked, name })).toBe(true);
          }
        },
      ),
      { numRuns: 1000 },
    );
    expect(found).toBeGreaterThan(100);
  });
});

describe('exchanges', () => {
  test('one without a name is asked for as the default one alone', () => {
    const regex = (...globs: string[]) => new RegExp(exchangeFilter(globs) ?? 'no pattern', 'i');
    expect(regex('nova', 'default').test('')).toBe(true);
    expect(regex('nova').test('')).toBe(false);
    expect(regex('nova').test('nova_fanout')).toBe(false);
  });

  test('no pattern where all are asked for, or where it would be too long', () => {
    expect(exchangeFilter(['nova', '*'])).toBeUndefined();
    expect(exchangeFilter(['k'.repeat(1024)])).toBeUndefined();
  });
});
