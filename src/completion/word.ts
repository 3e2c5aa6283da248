/** What a shell may complete: the command line's declaration, without its library. */

/** What stands for a value: one of some words, a path, or something that nobody can guess. */
export type Value =
  | { readonly is: 'choice'; readonly choices: readonly string[] }
  | { readonly is: 'file' | 'folder' | 'text' };

export interface Flag {
  /** `--json`, and `-V` where it has a short form: as they are typed. */
  readonly names: readonly string[];
  readonly help: string;
  /** Absent where it takes none. */
  readonly value: Value | undefined;
}

export interface CommandWords {
  /** The words after `edgestatd`; empty for `edgestatd` itself. */
  readonly path: readonly string[];
  readonly help: string;
  readonly flags: readonly Flag[];
  readonly subcommands: readonly { readonly name: string; readonly help: string }[];
  /** In their order. */
  readonly values: readonly Value[];
}

/** A text that a POSIX shell, zsh and fish take for one word, whatever is in it. */
export function word(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
