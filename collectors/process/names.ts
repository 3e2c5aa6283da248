/** Whether a process is one of those that are looked for: by its name, or by its command line. Pure. */
import { matcher } from '../../src/text.ts';
import type { Wanted } from './options.ts';
import { isDead, type Stat } from './parse.ts';

/** TASK_COMM_LEN without its NUL. */
const COMM_BYTES = 15;

/** These run a script, which is what the process is known by. Node.js names its main thread. */
const INTERPRETER = /^(?:python|pypy|perl|ruby|node|nodejs|MainThread|bash|dash|sh|ksh|zsh|tclsh|lua|php|java)[0-9.]*$/;
/** Options of Python whose value is a word of its own. */
const WITH_VALUE = new Set(['-W', '-X', '--check-hash-based-pycs']);

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** What the kernel leaves of a program's name. */
export function commOf(name: string): string {
  const bytes = new TextEncoder().encode(name);
  return bytes.length <= COMM_BYTES ? name : new TextDecoder().decode(bytes.subarray(0, COMM_BYTES));
}

/**
 * The names that a command line gives: the program's; the script's, where the program interprets one; and the first
 * word of a title that the process wrote over it (`neutron-server: api worker (…)`).
 */
export function programNames(argv: readonly string[]): Set<string> {
  const [first = '', ...rest] = argv;
  const names = new Set([baseName(first), baseName(first.split(' ')[0] ?? '').replace(/:$/, '')]);
  if (INTERPRETER.test(baseName(first))) {
    const script = scriptIn(rest);
    if (script !== undefined) names.add(script);
  }
  names.delete('');
  return names;
}

function scriptIn(words: readonly string[]): string | undefined {
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '-c' || word === '-e') return undefined;
    if (word === '-m') return words[at + 1];
    if (WITH_VALUE.has(word)) at += 1;
    else if (!word.startsWith('-')) return baseName(word);
  }
  return undefined;
}

export interface Look {
  /** Of those that are looked for by a name or a pattern: the numbers in the list. */
  readonly matches: readonly number[];
  /** Those that it may be, which only its command line would tell. */
  readonly maybe: readonly number[];
}

export interface Recogniser {
  /** Whether the name alone tells all. */
  needsCommandLine(stat: Stat): boolean;
  /** `argv` undefined: it could not be read. */
  look(stat: Stat, argv: readonly string[] | undefined): Look;
}

export function recogniser(wanted: readonly Wanted[]): Recogniser {
  const rules = wanted.map(({ exact, pattern }) => {
    return {
      exact: exact?.map((name) => ({ name, comm: commOf(name) })),
      fits: pattern === undefined ? undefined : matcher([pattern]),
    };
  });
  const hasPattern = rules.some(({ fits }) => fits !== undefined);
  type Rule = (typeof rules)[number];
  const isByName = (one: { readonly name: string; readonly comm: string }, comm: string): boolean | undefined => {
    if (INTERPRETER.test(comm)) return one.name === comm ? true : undefined;
    if (one.comm !== comm) return false;
    return one.name === one.comm ? true : undefined;
  };
  const verdict = ({ exact, fits }: Rule, stat: Stat, argv: readonly string[] | undefined): boolean | undefined => {
    const names = argv === undefined ? undefined : programNames(argv);
    let byName: boolean | undefined = exact === undefined;
    for (const one of exact ?? []) {
      const told = isByName(one, stat.comm) ?? (names === undefined ? undefined : names.has(one.name));
      if (told === true) byName = true;
      if (told === undefined && byName === false) byName = undefined;
    }
    if (fits === undefined || byName === false) return byName;
    if (argv === undefined) return undefined;
    return fits(argv.join(' ')) ? byName : false;
  };
  return {
    needsCommandLine(stat) {
      if (stat.isKernels || isDead(stat)) return false;
      return hasPattern || rules.some(({ exact }) => exact?.some((one) => isByName(one, stat.comm) === undefined));
    },
    look(stat, argv) {
      // A thread of the kernel has no command line, and one that has ended has none any more.
      const words = stat.isKernels || isDead(stat) ? [] : argv;
      const [matches, maybe]: [number[], number[]] = [[], []];
      for (const [index, rule] of rules.entries()) {
        if (rule.exact === undefined && rule.fits === undefined) continue;
        const told = isDead(stat) && rule.fits === undefined ? isNamedDead(rule, stat) : verdict(rule, stat, words);
        if (told === true) matches.push(index);
        if (told === undefined) maybe.push(index);
      }
      return { matches, maybe };
    },
  };
  /** Of one that has ended nothing but the name is left, cut as it is. */
  function isNamedDead({ exact = [] }: Rule, { comm }: Stat): boolean {
    return exact.some((one) => one.comm === comm);
  }
}
