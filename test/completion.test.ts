/** The completions, asked of the shells themselves. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandWords, completion, shells } from '../src/completion.ts';
import { buildProgram } from '../src/program.ts';

const run = promisify(execFile);
const program = buildProgram(() => {});
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgestatd-completion-'));
  for (const shell of shells)
    writeFileSync(join(folder, shell === 'zsh' ? '_edgestatd' : `edgestatd.${shell}`), completion(program, shell));
  writeFileSync(join(folder, 'a file.yaml'), '');
  writeFileSync(join(folder, 'zsh-ask'), ZSH_ASK);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is offered for a line whose last word is being typed, without what stands beside it. */
type Ask = (...words: string[]) => Promise<string[]>;

const BASH_ASK = `source ./edgestatd.bash; complete -p edgestatd >/dev/null || exit 3; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _edgestatd; ((\${#COMPREPLY[@]})) && printf "%s\\n" "\${COMPREPLY[@]}"; true`;
const bash: Ask = async (...words) => {
  const argv = ['--norc', '--noprofile', '-c', BASH_ASK, 'bash', 'edgestatd', ...words];
  return lines((await run('bash', argv, { cwd: folder })).stdout);
};

const fish: Ask = async (...words) => {
  const ask = 'source ./edgestatd.fish; complete --do-complete "$argv"';
  const line = ['edgestatd', ...words].join(' ');
  const { stdout } = await run('fish', ['--no-config', '-c', ask, line], { cwd: folder, env: shellEnv() });
  return lines(stdout).map((one) => one.split('\t')[0] ?? '');
};

/** An interactive zsh in a terminal of its own: compadd, which gets what is offered, is asked what it would take. */
const ZSH_ASK = `
zmodload zsh/zpty
zpty inner zsh -f -i
said() { zpty -w inner "$1"; }
said 'PROMPT=; TERM=dumb; stty -echo; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -d $PWD/dump'
said 'compadd() { local -a taken; builtin compadd -O taken "$@"; print -rl -- "OFFER "\${^taken} >>$PWD/offers; builtin compadd "$@" }'
said 'finish() { : >>offers; zle -I; print -r -- DO""NE }; zle -N finish; bindkey "^X" finish'
zpty -w -n inner "$1"$'\\t'$'\\x18'
zpty -r inner seen '*DONE*'
zpty -d inner
`;
const zsh: Ask = async (...words) => {
  rmSync(join(folder, 'offers'), { force: true });
  await run('zsh', ['-f', 'zsh-ask', ['edgestatd', ...words].join(' ')], {
    cwd: folder,
    env: shellEnv(),
    timeout: 20_000,
  });
  const { stdout } = await run('cat', ['offers'], { cwd: folder });
  return lines(stdout)
    .filter((line) => line.startsWith('OFFER '))
    .map((line) => line.slice('OFFER '.length).trim());
};

const shellEnv = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, TERM: 'dumb' });
const lines = (text: string): string[] => [...new Set(text.split('\n').filter((line) => line.trim() !== ''))];

describe.each([
  ['bash', bash],
  ['zsh', zsh],
  ['fish', fish],
] as const)('%s offers', (_shell, ask) => {
  it('every command, and those below event', async () => {
    const commands = program.commands.map((command) => command.name());
    expect(commands).toContain('top');
    expect((await ask('')).filter((one) => one !== 'help').toSorted()).toEqual(commands.toSorted());
    expect((await ask('event', '')).filter((one) => one !== 'help').toSorted()).toEqual(['import', 'post', 'spool']);
    expect(await ask('event', 'p')).toEqual(['post']);
  });

  it('the options of a command and no other', async () => {
    expect((await ask('once', '--')).toSorted()).toEqual(['--config', '--format', '--help', '--interval', '--job']);
    expect(await ask('event', 'import', '--fo')).toEqual(['--format']);
    expect(await ask('run', '--fo')).toEqual([]);
  });

  it('the choices of an option and of an argument', async () => {
    expect((await ask('once', '--format', '')).toSorted()).toEqual(['json', 'series', 'statsd']);
    expect(await ask('once', '--job', 'run', '--format', 'js')).toEqual(['json']);
    expect((await ask('completion', '')).toSorted()).toEqual(['bash', 'fish', 'zsh']);
  });

  it('files where a file is wanted, with blanks in their names too', async () => {
    // As it is typed, or as it is shown.
    const offered = new Set((await ask('check', '--config', 'a')).map((one) => one.replaceAll('\\', '')));
    expect([...offered]).toEqual(['a file.yaml']);
    expect(await ask('once', '--job', 'a')).toEqual([]);
  });
});

it('bash: an option and its value joined by =, which come in three words', async () => {
  expect(await bash('once', '--format', '=', 'j')).toEqual(['json']);
  expect((await bash('once', '--format', '=')).toSorted()).toEqual(['json', 'series', 'statsd']);
});

it.each(shells)('%s reads a text with whatever is in a description', async (shell) => {
  const hostile = new Command('edgestatd');
  hostile.command('one').description(`a 'quote' "two" $(touch pwned) [b]: \\ \`touch pwned\` %`);
  hostile.command('two').option('--path <file>', "it's [one]: $HOME \\");
  const file = join(folder, 'hostile');
  writeFileSync(file, completion(hostile, shell));
  // As _edgestatd of an fpath it is only parsed; sourced, zsh would want compinit.
  const argv = shell === 'zsh' ? ['-f', '-n', file] : shell === 'fish' ? ['--no-config', file] : ['--norc', file];
  await run(shell, argv, { cwd: folder, env: shellEnv() });
  await expect(run('ls', ['pwned'], { cwd: folder })).rejects.toThrow();
});

it('knows each command once, and what its options take', () => {
  const words = commandWords(program);
  const once = words.find(({ path }) => path.join(' ') === 'once');
  expect(once?.flags.find(({ names }) => names.includes('--config'))?.value).toEqual({ is: 'file' });
  expect(new Set(words.map(({ path }) => path.join(' '))).size).toBe(words.length);
});
