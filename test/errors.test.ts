import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asFailure, codes, Failure, systemCode } from '../src/errors.ts';

describe('Failure', () => {
  it('has a code, a message, its cause and its evidence', () => {
    const cause = new Error('below');
    const failure = new Failure('E_EXIT', 'tc ended with 2', { cause, argv: ['tc', '-s'], exitCode: 2, stderr: 'no' });
    expect(failure).toBeInstanceOf(Error);
    expect(failure.name).toBe('Failure');
    expect(failure.code).toBe('E_EXIT');
    expect(failure.message).toBe('tc ended with 2');
    expect(failure.cause).toBe(cause);
    expect(failure.evidence).toEqual({ argv: ['tc', '-s'], exitCode: 2, stderr: 'no' });
  });

  it('has no cause and no evidence of its own accord', () => {
    const failure = new Failure('E_PARSE', 'x');
    expect(failure.evidence).toEqual({});
    expect('cause' in failure).toBe(false);
  });

  it('takes only the codes of the table', () => {
    // @ts-expect-error: a code is a metric label, so the table is closed.
    expect(new Failure('E_OTHER', 'x').code).toBe('E_OTHER');
  });
});

describe('asFailure', () => {
  it('leaves a failure as it is', () => {
    const failure = new Failure('E_DENIED', 'x');
    expect(asFailure(failure)).toBe(failure);
  });

  it.each([
    ['an error', new TypeError('x is not a function'), 'TypeError: x is not a function'],
    ['a text', 'oops', 'thrown: oops'],
    ['nothing', undefined, 'thrown: undefined'],
    ['null', null, 'thrown: null'],
    ['a symbol', Symbol('s'), 'thrown: Symbol(s)'],
    ['a number', 17n, 'thrown: 17'],
    ['an object that has no text', Object.create(null), 'thrown: something that has no text (object)'],
    [
      'an object whose text throws',
      {
        toString() {
          throw new Error('no');
        },
      },
      'thrown: something that has no text (object)',
    ],
  ])('makes E_BUG of %s', (_, thrown, message) => {
    const failure = asFailure(thrown);
    expect(failure).toBeInstanceOf(Failure);
    expect([failure.code, failure.message]).toEqual(['E_BUG', message]);
    expect(failure.cause).toBe(thrown === undefined ? undefined : thrown);
  });
});

describe('systemCode', () => {
  it('is the code of a Node.js error', () => {
    expect(systemCode(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe('ENOENT');
    expect(systemCode({ code: 'EPIPE' })).toBe('EPIPE');
  });

  it('is none of anything else', () => {
    for (const thrown of [new Error('x'), { code: 5 }, { code: undefined }, null, undefined, 'ENOENT', 5]) {
      expect(systemCode(thrown)).toBeUndefined();
    }
  });
});

describe('docs/errors.md', () => {
  const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const [, ...sections] = text.split(/^## /m);
  const documented = sections.map((section) => section.slice(0, section.indexOf('\n')).trim());

  it('describes exactly the codes of the table, in its order', () => {
    expect(documented).toEqual(Object.keys(codes));
  });

  it('says of each what it means, how it comes about and what to do', () => {
    for (const section of sections) {
      const parts = [...section.matchAll(/^\*\*(.+?)\.\*\* +(.+)$/gm)];
      expect(
        parts.map(([, title]) => title),
        section,
      ).toEqual(['Meaning', 'How it comes about', 'What to do']);
      for (const [, title, said] of parts) expect(said?.length ?? 0, `${title} of ${section}`).toBeGreaterThan(7);
    }
  });

  it('gives the meaning in the words of the table', () => {
    const told = Object.fromEntries(
      sections.map((section) => [section.split('\n')[0]?.trim(), /^\*\*Meaning\.\*\* (.+)$/m.exec(section)?.[1] ?? '']),
    );
    for (const [code, meaning] of Object.entries(codes)) {
      // The table may add what to do behind a colon, and sets asides in brackets.
      const beginning = meaning.split(/[:(]/)[0]?.trim().replace(/\.$/, '') ?? '';
      expect(told[code]?.startsWith(beginning), `${code}: ${told[code]}`).toBe(true);
    }
  });
});
