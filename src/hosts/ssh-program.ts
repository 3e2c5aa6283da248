/** A program of another machine, started by a shell there that stays: as src/hosts/program.ts does it here. */
import { constants } from 'node:os';
import { asFailure, Failure } from '../errors.ts';
import type { Argv, Outcome } from '../host.ts';
import { quoted } from '../text.ts';
import { absent, exitFailure } from './program.ts';
import { quoteCommand } from './quote.ts';
import { killScript, killSudoScript, runScript } from './ssh-script.ts';
import type { Asked, Shell } from './ssh-shell.ts';
import type { Shells } from './ssh-shells.ts';

export interface RemoteLimits {
  readonly maxOutputBytes: number;
  readonly killAfterMs: number;
}

export interface Running<Value> {
  readonly answer: Promise<Value>;
  /** Nothing of it is left. */
  readonly ended: Promise<unknown>;
}

/** How long the output of a program that has ended may stay open, held by a process that it left behind. */
const LINGER_MS = 200;
/** What SIGKILL does not end, or cannot reach (a program of root), is not waited for longer than this. */
const GIVE_UP_MS = 2000;
type Steps = readonly { readonly signal: string; readonly waitMs: number }[];
const stepsOf = ([program]: Argv, killAfterMs: number): Steps => [
  { signal: 'TERM', waitMs: killAfterMs },
  // SIGKILL would end sudo and not its program, which sudo itself kills two seconds after this one (sudo.ts).
  ...(program === 'sudo' ? [{ signal: 'ALRM', waitMs: 2500 }] : []),
  { signal: 'KILL', waitMs: program === 'sudo' ? 300 : GIVE_UP_MS },
];
/** Of two names for one number the first is the usual one. */
const SIGNALS = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, number]) => [number, name]),
);

export function runInShell(
  shells: Shells,
  argv: Argv,
  deadline: AbortSignal,
  limits: RemoteLimits,
  statuses: readonly number[] = [0],
): Running<Outcome> {
  let rest: Promise<unknown> = Promise.resolve();
  const answer = (async () => {
    if (deadline.aborted) throw deadline.reason;
    // Refuses what no shell can be told, before one is taken.
    quoteCommand(argv);
    const { shell, release } = await shells.take(deadline);
    return follow(shell, argv, deadline, { ...limits, statuses }, (work) => {
      rest = work.finally(release);
    });
  })();
  const last = (): Promise<unknown> => rest;
  return { answer, ended: answer.then(last, last) };
}

interface Report {
  readonly status: number;
  /** Processes of it are still there. */
  readonly hasLeft: boolean;
  readonly isMissing: boolean;
  readonly isDenied: boolean;
}

/** `rest` gets what is still to be done after the answer. */
async function follow(
  shell: Shell,
  argv: Argv,
  deadline: AbortSignal,
  limits: RemoteLimits & { readonly statuses: readonly number[] },
  rest: (work: Promise<unknown>) => void,
): Promise<Outcome> {
  let id: string | undefined;
  let report: Report | undefined;
  let reason: Failure | undefined;
  let sent: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const over = Promise.withResolvers<Failure | undefined>();

  const kill = (): void => {
    // One that has ended and left nothing has no number any more: it may be another's soon.
    if (id === undefined || sent === undefined || report?.hasLeft === false) return;
    shell.tell(sent === 'ALRM' ? killSudoScript(id, sent) : killScript(id, sent));
  };
  const escalate = ([step, ...later]: Steps): void => {
    if (step === undefined) {
      over.resolve(undefined);
      return;
    }
    sent = step.signal;
    kill();
    timer = setTimeout(escalate, step.waitMs, later);
  };
  const end = (why: Failure): void => {
    if (reason !== undefined) return;
    reason = why;
    clearTimeout(timer);
    escalate(stepsOf(argv, limits.killAfterMs));
  };
  const onDeadline = (): void => end(deadline.reason as Failure);

  const asked: Asked = shell.ask({
    script: (marker) => runScript(marker, argv),
    hasStderr: true,
    maxBytes: limits.maxOutputBytes,
    onToken({ letter, text }) {
      if (letter === 'p') {
        id = /^-?[1-9][0-9]*$/.test(text) ? text : undefined;
        kill();
      } else if (letter === 'r') {
        report = reportOf(text);
        if (reason === undefined) timer = setTimeout(() => over.resolve(undefined), LINGER_MS);
      }
    },
    onOver: () =>
      end(new Failure('E_OUTPUT_SIZE', `${argv[0]} printed more than ${limits.maxOutputBytes} bytes`, { argv })),
  });
  asked.answer.then(
    () => over.resolve(undefined),
    (thrown) => over.resolve(asFailure(thrown)),
  );
  deadline.addEventListener('abort', onDeadline, { once: true });
  if (deadline.aborted) onDeadline();

  const broken = await over.promise;
  clearTimeout(timer);
  deadline.removeEventListener('abort', onDeadline);
  const { stdout, stderr } = asked.soFar();
  rest(cleaned(shell, asked, id !== undefined && (report === undefined || report.hasLeft) ? id : undefined));

  if (reason !== undefined) throw withEvidence(reason, argv, stderr);
  if (broken !== undefined) throw new Failure(broken.code, `${argv[0]}: ${broken.message}`, { argv, cause: broken });
  if (report === undefined) throw new Failure('E_PARSE', `${argv[0]}: the shell did not tell how it ended`, { argv });
  if (report.isMissing) throw absent(argv);
  if (report.isDenied) throw denied(argv);
  const { status } = report;
  if (limits.statuses.includes(status)) return { status, stdout: stdout.toString('utf8'), stderr };
  throw exitFailure(argv, endingOf(status), stderr);
}

/** What the program left in its group has no reader any more; what has left its group keeps the shell from being used. */
async function cleaned(shell: Shell, asked: Asked, id: string | undefined): Promise<void> {
  if (id !== undefined) shell.tell(killScript(id, 'KILL'));
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, LINGER_MS);
  });
  await Promise.race([asked.answer.catch(() => {}), patience]);
  clearTimeout(timer);
  if (shell.isBusy()) shell.destroy(new Failure('E_ABORTED', 'something holds the output of a program'));
}

function reportOf(text: string): Report | undefined {
  const [, status, left, fault] = /^([0-9]{1,4})(l?)([nx]?)$/.exec(text) ?? [];
  if (status === undefined) return undefined;
  return { status: Number(status), hasLeft: left === 'l', isMissing: fault === 'n', isDenied: fault === 'x' };
}

/**
 * A shell tells of a signal by 128 and its number (ksh93: 256), and so does a program that ended by itself with such a
 * status, as few do.
 */
export function endingOf(status: number): { code: number | undefined; signal: string | undefined } {
  const signal = SIGNALS.get(status > 256 ? status - 256 : status - 128);
  return signal === undefined ? { code: status, signal } : { code: undefined, signal };
}

export function denied(argv: Argv): Failure {
  return new Failure('E_DENIED', `program ${quoted(argv[0])} may not be run by this user`, { argv });
}

/** The deadline's failure is shared by all calls of the run, so evidence goes into a copy of it. */
export function withEvidence(reason: Failure, argv: Argv, stderr: string): Failure {
  if (reason.code === 'E_OUTPUT_SIZE') return reason;
  return new Failure(reason.code, `${argv[0]}: ${reason.message}`, { ...reason.evidence, argv, stderr, cause: reason });
}
