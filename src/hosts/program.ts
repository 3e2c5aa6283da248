/** Runs one program: no shell, own process group, `LC_ALL=C`, bounded output, and an end that is certain. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Failure, systemCode } from '../errors.ts';
import type { Argv, Outcome } from '../host.ts';
import { quoted } from '../text.ts';
import { containerAdvice } from './container.ts';

interface ProgramLimits {
  readonly maxOutputBytes: number;
  readonly killAfterMs: number;
  readonly withheld: () => readonly string[];
}

const MAX_STDERR_BYTES = 500;
/** How long the pipe of a program that has ended may stay open, held by a process that it left behind. */
const LINGER_MS = 200;
/** A process that SIGKILL does not end (state D) is not waited for longer than this. */
const GIVE_UP_MS = 2000;
/** Ours, or about us: no business of a program that we run. */
const OWN_VARIABLES =
  /^(?:NODE_.*|npm_.*|NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|CREDENTIALS_DIRECTORY|LANG|LANGUAGE|LC_.*)$/;
/** systemd and cron leave out where `tc`, `ip` and `ethtool` live. */
const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Process groups that run now. None may outlive this process, however that ends. */
const running = new Set<ChildProcess>();
let guarded = false;

function guard(child: ChildProcess): void {
  running.add(child);
  if (guarded) return;
  guarded = true;
  process.on('exit', () => {
    for (const one of running) signalGroup(one, 'SIGKILL');
  });
}

/** `answer`: stdout of one that ends with a status of `statuses`, or a Failure. `ended`: the process is gone and reaped. */
export function runProgram(
  argv: Argv,
  deadline: AbortSignal,
  limits: ProgramLimits,
  statuses: readonly number[] = [0],
): { answer: Promise<Outcome>; ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const answer = new Promise<Outcome>((resolve, reject) => {
    const refuse = (failure: Failure): void => {
      reject(failure);
      ended.resolve();
    };
    if (deadline.aborted) return refuse(deadline.reason as Failure);
    if (argv.some((word) => word.includes('\0'))) {
      return refuse(new Failure('E_BUG', `a NUL character in an argument of ${quoted(argv[0])}`));
    }
    let child: ChildProcess;
    try {
      const [program, ...args] = argv;
      const env = programEnvironment(process.env, limits.withheld());
      child = spawn(program, args, { detached: true, shell: false, stdio: ['ignore', 'pipe', 'pipe'], env });
    } catch (thrown) {
      return refuse(startFailure(argv, thrown));
    }
    guard(child);
    follow(child, argv, deadline, { ...limits, statuses })
      .then(resolve, reject)
      .finally(() => {
        running.delete(child);
        ended.resolve();
      });
    return undefined;
  });
  return { answer, ended: ended.promise };
}

/** Waits for a started program's end; at the deadline or over the limit it is ended first. */
async function follow(
  child: ChildProcess,
  argv: Argv,
  deadline: AbortSignal,
  limits: ProgramLimits & { readonly statuses: readonly number[] },
): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let stdoutBytes = 0;
  let stderrBytes = 0;
  let reason: Failure | undefined;
  let escalation: NodeJS.Timeout | undefined;
  const over = Promise.withResolvers<void>();

  const end = (why: Failure): void => {
    if (reason !== undefined) return;
    reason = why;
    signalGroup(child, 'SIGTERM');
    escalation = setTimeout(() => {
      signalGroup(child, 'SIGKILL');
      escalation = setTimeout(over.resolve, GIVE_UP_MS);
    }, limits.killAfterMs);
  };
  const onDeadline = (): void => end(deadline.reason as Failure);
  deadline.addEventListener('abort', onDeadline, { once: true });

  child.stdout?.on('data', (chunk: Buffer) => {
    stdoutBytes += chunk.length;
    if (stdoutBytes <= limits.maxOutputBytes) stdout.push(chunk);
    else {
      stdout.length = 0;
      end(new Failure('E_OUTPUT_SIZE', `${argv[0]} printed more than ${limits.maxOutputBytes} bytes`, { argv }));
    }
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    if (stderrBytes < MAX_STDERR_BYTES) stderr.push(chunk.subarray(0, MAX_STDERR_BYTES - stderrBytes));
    stderrBytes += chunk.length;
  });

  let startError: unknown;
  let exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  let linger: NodeJS.Timeout | undefined;
  child.once('error', (error) => {
    startError = error;
    if (child.pid === undefined) over.resolve();
  });
  child.once('exit', (code, signal) => {
    exit = { code, signal };
    linger = setTimeout(over.resolve, LINGER_MS);
  });
  child.once('close', () => over.resolve());

  await over.promise;
  clearTimeout(linger);
  clearTimeout(escalation);
  deadline.removeEventListener('abort', onDeadline);
  // What it left behind in its group has no reader any more.
  if (child.pid !== undefined) signalGroup(child, 'SIGKILL');
  child.stdout?.destroy();
  child.stderr?.destroy();

  const heard = Buffer.concat(stderr).toString('utf8').trim();
  if (startError !== undefined) throw startFailure(argv, startError);
  if (reason !== undefined) throw withEvidence(reason, { argv, stderr: heard });
  if (exit?.code != null && limits.statuses.includes(exit.code))
    return { status: exit.code, stdout: Buffer.concat(stdout).toString('utf8'), stderr: heard };
  throw exitFailure(argv, { code: exit?.code ?? undefined, signal: exit?.signal ?? undefined }, heard);
}

/** How a program ended that should have done so otherwise. */
export function exitFailure(
  argv: Argv,
  { code, signal }: { readonly code: number | undefined; readonly signal: string | undefined },
  heard: string,
): Failure {
  const how = signal === undefined ? `ended with status ${code}` : `was ended by ${signal}`;
  return new Failure('E_EXIT', `${argv[0]} ${how}${heard === '' ? '' : `: ${quoted(firstLine(heard), 200)}`}`, {
    argv,
    ...(code === undefined ? {} : { exitCode: code }),
    ...(signal === undefined ? {} : { signal }),
    stderr: heard,
  });
}

/** The deadline's failure is shared by all calls of the run, so evidence goes into a copy of it. */
function withEvidence(reason: Failure, evidence: { argv: Argv; stderr: string }): Failure {
  if (reason.code === 'E_OUTPUT_SIZE') return reason;
  return new Failure(reason.code, `${evidence.argv[0]}: ${reason.message}`, {
    ...reason.evidence,
    ...evidence,
    cause: reason,
  });
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: the group is already gone, which is what was wanted.
  }
}

/** Said alike of this machine and of others. */
export function absent(argv: Argv, more = ''): Failure {
  const message = `program ${quoted(argv[0])} was not found in PATH; install it or correct the option${more}`;
  return new Failure('E_NOT_FOUND', message, { argv });
}

function startFailure(argv: Argv, thrown: unknown): Failure {
  const program = quoted(argv[0]);
  switch (systemCode(thrown)) {
    case 'ENOENT':
      return absent(argv, containerAdvice('no program', argv[0]));
    case 'EACCES':
    case 'EPERM':
      return new Failure('E_DENIED', `program ${program} may not be run by this user`, { argv });
    default:
      return new Failure('E_EXIT', `program ${program} could not be started: ${(thrown as Error).message}`, {
        argv,
        cause: thrown,
      });
  }
}

/** What a program sees of our environment: not our own variables, not the secrets, and the C locale. */
export function programEnvironment(from: NodeJS.ProcessEnv, withheld: readonly string[]): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(from)) {
    if (!OWN_VARIABLES.test(name) && !withheld.includes(name)) env[name] = value;
  }
  const path = (from.PATH ?? '').split(':').filter((part) => part.startsWith('/'));
  env.PATH = [...new Set([...path, ...SYSTEM_PATH])].join(':');
  env.LC_ALL = 'C';
  return env;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
