/** Words quoted for a shell, read back by real ones. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { quoteCommand, quoteWord } from '../src/hosts/quote.ts';

const shells: Readonly<Record<string, readonly [string, ...string[]]>> = {
  sh: ['/bin/sh'],
  dash: ['dash'],
  bash: ['bash'],
  'bash as sh': ['bash', '--posix'],
  busybox: ['busybox', 'sh'],
  mksh: ['mksh'],
  ksh93: ['ksh'],
  zsh: ['zsh', '-f'],
};
const isThere = (program: string): boolean =>
  program.startsWith('/') || (process.env.PATH ?? '').split(delimiter).some((part) => existsSync(join(part, program)));

/** What shells care for, more often than chance has it. */
const special = fc.constantFrom(
  ...[
    "'",
    '"',
    '\\',
    '\n',
    '\r',
    '\t',
    ' ',
    '$',
    '$(id)',
    '`id`',
    '!',
    '!!',
    '~',
    '*',
    '?',
    '[a]',
    '{a,b}',
    '#',
    '-',
    '=',
  ],
  ...[';', '&', '|', '<', '>', '(', ')', '%', '^', '$HOME', "'\\''", '\\\n', '\u0001', '\u00e9', '\u{1f600}', '\u2028'],
);
const word = fc
  .array(fc.oneof(special, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 12 })
  .map((parts) => parts.join('').replaceAll('\0', '').toWellFormed());

/** No rc file is read: bash does so where its input is a socket. */
const env = { PATH: process.env.PATH, HOME: '/nonexistent' };

describe.each(Object.entries(shells).filter(([, [program]]) => isThere(program)))('%s', (_, [program, ...words]) => {
  it('reads every word as it was written, from its standard input and from an argument', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), (all) => {
        const command = `${quoteCommand(['printf', '%s\\0', ...all])}\n`;
        const wanted = `${all.join('\0')}\0`;
        const run = (args: string[], input: string) =>
          spawnSync(program, [...words, ...args], { input, encoding: 'utf8', env });
        expect(run([], command).stdout).toBe(wanted);
        expect(run(['-c', command], '').stdout).toBe(wanted);
      }),
      { numRuns: 15 },
    );
  });

  it('sets no variable and begins no compound command by a program’s name', () => {
    const names = ['A=b', 'if', 'case', 'while', '{', '!', '~x', '-x', 'a b', 'select', 'function'];
    for (const name of names) {
      const { status, stderr } = spawnSync(program, [...words, '-c', quoteCommand([name, 'x'])], {
        encoding: 'utf8',
        env,
      });
      expect(`${name}: ${status} ${/syntax|unexpected|parse/i.test(stderr)}`).toBe(`${name}: 127 false`);
    }
  });
});

describe('a word', () => {
  it('that means nothing to a shell has no quotes, so that it can be allowed by a forced command', () => {
    expect(quoteCommand(['cat', '--', '/sys/class/net/eth0.1/mtu'])).toBe('cat -- /sys/class/net/eth0.1/mtu');
    expect(quoteCommand(['dd', 'if=/var/log/x', 'bs=4096'])).toBe('dd if=/var/log/x bs=4096');
    expect(quoteCommand(['stat', '-L', '-c', '%d:%i:%s:%F', '--', '/x'])).toBe('stat -L -c %d:%i:%s:%F -- /x');
    expect([quoteWord(''), quoteWord("it's"), quoteWord('a b')]).toEqual(["''", "'it'\\''s'", "'a b'"]);
  });

  it('with a NUL is a fault of ours', () => {
    for (const call of [() => quoteWord('a\0b'), () => quoteCommand(['echo', 'a\0b'])]) {
      expect(call).toThrow(Failure);
      expect(call).toThrow(expect.objectContaining({ code: 'E_BUG' }));
    }
  });
});
