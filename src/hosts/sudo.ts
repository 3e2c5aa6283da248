/**
 * Programs that run as root on another machine, by sudo(8) without a password. Pure.
 *
 * How such a program ends: sudo keeps the real user id of its caller while the program runs, so the caller may signal
 * sudo, and sudo passes on what it gets (sudo(8), "Signal handling"); at the deadline that is how the program gets its
 * SIGTERM. SIGKILL cannot be passed on: it would end sudo, and leave root's program to itself. But what sudo does about
 * SIGALRM is SIGHUP, SIGTERM and, two seconds later, SIGKILL for its program, so that one comes before. What holds no
 * longer: processes that the program itself has started and not ended. Nobody but root ends those; a rule
 * `edgestatd ALL=(root) TIMEOUT=60s NOPASSWD: PATH` (sudoers(5), since sudo 1.8.20) bounds the program without us too.
 */
import { Failure } from '../errors.ts';
import type { Argv } from '../host.ts';
import { quoted } from '../text.ts';

/** The program is one of those that are named, by its name or by a path that ends so. */
export function needsSudo([program]: Argv, names: readonly string[]): boolean {
  return names.includes(program.slice(program.lastIndexOf('/') + 1));
}

export function asRoot(argv: Argv): Argv {
  return ['sudo', '-n', '--', ...argv];
}

/** What asks whether the program may be run: its path on stdout, or status 1. */
export function mayRun(program: string): Argv {
  return ['sudo', '-n', '-l', '--', program];
}

const REFUSALS =
  /a password is required|is not in the sudoers|not allowed to execute|may not run sudo|a terminal is required/;

/** What kind of no it was, if sudo itself said it, and not the program. */
export function refusalOf(stderr: string, user: string): 'rule' | 'terminal' | 'missing' | undefined {
  const own = ['sudo: ', 'Sorry, user ', `${user} `];
  const said = stderr.split('\n').filter((line) => own.some((beginning) => line.startsWith(beginning)));
  if (said.some((line) => /you must have a tty/.test(line))) return 'terminal';
  if (said.some((line) => REFUSALS.test(line))) return 'rule';
  return said.some((line) => /: command not found$/.test(line)) ? 'missing' : undefined;
}

/** The line of sudoers(5) that lets the user run it. */
export function ruleFor(user: string, path: string): string {
  // Characters that mean something there.
  return `${user} ALL=(root) NOPASSWD: ${path.replace(/[\\,:=*?[\]!\s]/g, '\\$&')}`;
}

/** `path`: where the program was found, or its name. */
export function deniedBySudo(
  argv: Argv,
  { user, path, stderr, isTerminal }: { user: string; path: string; stderr: string; isTerminal: boolean },
): Failure {
  const line = isTerminal ? `Defaults:${user} !requiretty` : ruleFor(user, path);
  return new Failure(
    'E_DENIED',
    `sudo does not let ${user} run ${quoted(argv[0])} without a ${isTerminal ? 'terminal' : 'password'}; ` +
      `add this line to /etc/sudoers.d/edgestatd there: ${line}`,
    { argv, exitCode: 1, stderr },
  );
}
