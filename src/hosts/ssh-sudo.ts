/** Runs a program of another machine, by sudo where the target names it. */
import { Failure } from '../errors.ts';
import type { Argv, Outcome } from '../host.ts';
import { absent } from './program.ts';
import type { Calls } from './ssh-calls.ts';
import type { SshSettings } from './ssh-options.ts';
import type { Running } from './ssh-program.ts';
import { asRoot, deniedBySudo, needsSudo, refusalOf } from './sudo.ts';

export function outcomeWithSudo(
  calls: Calls,
  settings: SshSettings,
  argv: Argv,
  deadline: AbortSignal,
  statuses: readonly number[],
): Running<Outcome> {
  if (settings.user === 'root' || !needsSudo(argv, settings.sudo)) return calls.outcome(argv, deadline, statuses);
  const { answer, ended } = calls.outcome(asRoot(argv), deadline, statuses);
  const explained = answer.then(
    async (outcome) => {
      if (outcome.status === 1) await refused(calls, settings, argv, deadline, outcome.stderr);
      return outcome;
    },
    async (thrown) => {
      if (!(thrown instanceof Failure)) throw thrown;
      if (thrown.code === 'E_EXIT' && thrown.evidence.exitCode === 1) {
        await refused(calls, settings, argv, deadline, thrown.evidence.stderr ?? '');
      }
      throw thrown.code === 'E_EXIT' ? renamed(thrown, argv) : thrown;
    },
  );
  return { answer: explained, ended: Promise.allSettled([ended, explained]) };
}

/** Throws where it was sudo that ended so, and not the program. */
async function refused(
  calls: Calls,
  settings: SshSettings,
  argv: Argv,
  deadline: AbortSignal,
  stderr: string,
): Promise<void> {
  const { user } = settings;
  const refusal = refusalOf(stderr, user);
  if (refusal === undefined) return;
  if (refusal === 'missing') throw absent(argv);
  const path = await pathOf(calls, settings, argv[0], deadline);
  throw deniedBySudo(argv, { user, path, stderr, isTerminal: refusal === 'terminal' });
}

/** Where a program is there, or its name. */
export async function pathOf(
  calls: Calls,
  { commands }: SshSettings,
  program: string,
  deadline: AbortSignal,
): Promise<string> {
  if (program.includes('/') || commands === 'exec') return program;
  try {
    const look = ['sh', '-c', 'command -v "$1"', 'sh', program] as const;
    const { stdout } = await calls.outcome(look, deadline, [0]).answer;
    return stdout.split('\n')[0] || program;
  } catch {
    return program;
  }
}

/** It was the program that ended so. */
function renamed(failure: Failure, argv: Argv): Failure {
  const message = failure.message.replace(/^sudo /, `${argv[0]} `);
  return new Failure(failure.code, message, { ...failure.evidence, argv, cause: failure.cause });
}
