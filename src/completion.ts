/** Completion of shells, made from the command line's own declaration. */
import type { Argument, Command, Option } from 'commander';
import { bashCompletion } from './completion/bash.ts';
import { fishCompletion } from './completion/fish.ts';
import type { CommandWords, Flag, Value } from './completion/word.ts';
import { zshCompletion } from './completion/zsh.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const WRITERS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/** The text that the shell reads. */
export function completion(program: Command, shell: Shell): string {
  return WRITERS[shell](commandWords(program));
}

/** Every command, each before those below it. */
export function commandWords(command: Command, path: readonly string[] = []): CommandWords[] {
  const help = command.createHelp();
  const below = help.visibleCommands(command);
  const own: CommandWords = {
    path,
    help: command.description(),
    flags: help.visibleOptions(command).map(flagOf),
    subcommands: below.map((one) => ({ name: one.name(), help: one.description() })),
    values: command.registeredArguments.map(operandOf),
  };
  return [own, ...below.flatMap((one) => commandWords(one, [...path, one.name()]))];
}

function flagOf(option: Option): Flag {
  const names = [option.short, option.long].filter((name) => name !== undefined && name !== null);
  const takesNone = !option.required && !option.optional;
  // What stands between < and > says what is wanted.
  const [, wanted = ''] = /[<[]([\w-]+)/.exec(option.flags) ?? [];
  return { names, help: option.description, value: takesNone ? undefined : valueFor(wanted, option.argChoices) };
}

const operandOf = (argument: Argument): Value => valueFor(argument.name(), argument.argChoices);

function valueFor(wanted: string, choices: readonly string[] | undefined): Value {
  if (choices !== undefined) return { is: 'choice', choices };
  if (wanted === 'file' || wanted === 'path') return { is: 'file' };
  return { is: wanted === 'repository' ? 'folder' : 'text' };
}
