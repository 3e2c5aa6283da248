/** Words for a POSIX shell: the one place that quotes. Pure. */
import { Failure } from '../errors.ts';
import type { Argv } from '../host.ts';
import { quoted } from '../text.ts';

/** What no shell gives a meaning to, wherever in an argument it stands. A program's name with `=` would set a variable. */
const PLAIN = /^[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:@%+,=-]*$/;
/** They would begin something else than a command. */
const RESERVED = new Set(
  'case coproc do done elif else end esac fi for foreach function if in namespace repeat select then time until while'.split(
    ' ',
  ),
);

/**
 * The text as one word of a command: the shell's language knows one character inside single quotes, which is their end.
 * Words that need no quotes have none, so that an operator can write down what a forced command lets through.
 */
export function quoteWord(text: string): string {
  if (text.includes('\0')) throw new Failure('E_BUG', `a NUL character in a word for a shell: ${quoted(text)}`);
  return PLAIN.test(text) ? text : quoteAlways(text);
}

function quoteAlways(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A program and its arguments as a command line. */
export function quoteCommand(argv: Argv): string {
  if (argv.some((word) => word.includes('\0'))) {
    throw new Failure('E_BUG', `a NUL character in an argument of ${quoted(argv[0])}`);
  }
  const [program, ...args] = argv;
  // A command that begins with a dash would be an option of `sh -c`.
  const isOdd = RESERVED.has(program) || program.includes('=') || program.startsWith('-');
  const first = isOdd ? quoteAlways(program) : quoteWord(program);
  return [first, ...args.map(quoteWord)].join(' ');
}
