/** Completion of shells, made from the command line's own declaration. */
import type { Command } from 'commander';
import { Failure } from './errors.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The text that the shell reads. */
export function completion(_program: Command, _shell: Shell): string {
  throw new Failure('E_BUG', 'completion is not built yet');
}
