/** The commands that the pages print: bash can read them, and what they say of edgestatd is true. */
import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../src/program.ts';
import { inlineCode, pages } from './support/markdown-pages.ts';

const program = buildProgram(() => {});

/** Undefined: the words behind `edgestatd` are a command that exists, with flags that it has. */
function faultOf(words: readonly string[]): string | undefined {
  let command: Command = program;
  let flags: string[] = [];
  for (const word of words) {
    const flag = /^\[?(--[a-z][a-z-]*)/.exec(word)?.[1];
    if (flag !== undefined) flags = [...flags, flag];
    else if (flags.length === 0 && command.commands.length > 0 && /^[a-z]+$/.test(word)) {
      const below = command.commands.find((one) => one.name() === word);
      if (below === undefined) return `there is no command "${[command.name(), word].join(' ')}"`;
      command = below;
    }
  }
  const known = new Set(['--help', ...command.options.map(({ long }) => long)]);
  const unknown = flags.filter((flag) => !known.has(flag));
  return unknown.length === 0 ? undefined : `${command.name()} has no ${unknown.join(', ')}`;
}

/** What is called on a line of a shell: `… && edgestatd check --offline | tee x` → `check --offline`. */
function callsOf(text: string): string[][] {
  const code = text.replace(/\\\n/g, ' ').replace(/(^|\s)#.*$/gm, '$1');
  const calls = code.matchAll(
    /(?:^|[|;&(]|\bsudo|\bedgestatd --|\s--|(?<!docker |podman )\bexec|\b(?:docker|podman) exec(?: +-\S+)* +\S+|\$) *edgestatd((?: +(?:"[^"]*"|'[^']*'|[^\s|;&)"'#]+))*)/gm,
  );
  return [...calls].map(([, rest = '']) =>
    rest
      .trim()
      .split(/\s+/)
      .filter((word) => word !== ''),
  );
}

const shell = pages.flatMap(({ blocks }) => blocks.filter(({ language }) => /^(?:sh|bash|shell)$/.test(language)));
const console = pages.flatMap(({ blocks }) => blocks.filter(({ language }) => language === 'console'));

describe('blocks of shell', () => {
  test.each(shell.map(({ at, text }) => [at, text] as const))('%s can be read by bash', (_, text) => {
    const ran = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
    expect({ status: ran.status, stderr: ran.stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('call commands of edgestatd that exist', () => {
    const typed = console.map((block) => ({
      ...block,
      text: [...block.text.matchAll(/^ *[$#] (.*)$/gm)].map(([, line]) => line).join('\n'),
    }));
    const calls = [...shell, ...typed].flatMap(({ at, text }) => callsOf(text).map((words) => ({ at, words })));
    const faults = calls.flatMap(({ at, words }) => {
      const fault = faultOf(words);
      return fault === undefined ? [] : [`${at}: ${fault}`];
    });
    expect(faults).toEqual([]);
    expect(calls.length).toBeGreaterThan(10);
  });
});

test('commands in the prose exist', () => {
  const named = pages.flatMap((page) =>
    inlineCode(page).flatMap((code) => (/^edgestatd /.test(code) ? [{ file: page.file, code }] : [])),
  );
  const faults = named.flatMap(({ file, code }) => {
    const fault = faultOf(code.split(/[\s|]+/).slice(1));
    return fault === undefined ? [] : [`${file}: \`${code}\`: ${fault}`];
  });
  expect(faults).toEqual([]);
  expect(named.length).toBeGreaterThan(50);
});

test('what does not exist is noticed', () => {
  expect(faultOf(['chekc'])).toBe('there is no command "edgestatd chekc"');
  expect(faultOf(['event', 'past'])).toBe('there is no command "event past"');
  expect(faultOf(['check', '--onlin'])).toBe('check has no --onlin');
  expect(faultOf(['event', 'post', '[--tag', 'T]'])).toBeUndefined();
  expect(faultOf(['--version'])).toBeUndefined();
  expect(callsOf('cd x && edgestatd check --offline | cat\nsudo edgestatd trace "a b"; useradd edgestatd')).toEqual([
    ['check', '--offline'],
    ['trace', '"a', 'b"'],
  ]);
  expect(callsOf('docker exec -it edgestatd edgestatd top')).toEqual([['top']]);
});
