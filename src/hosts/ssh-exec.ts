/**
 * `commands: exec`: each program is an exec of its own, for keys with a forced command that looks at SSH_ORIGINAL_COMMAND.
 * No shell syntax is sent: words, one blank between them, in single quotes where they hold anything else than letters,
 * digits and `_ . / : @ % + , = -`. Beside the programs of collectors these are sent:
 *
 *     cat -- PATH                                 for a file
 *     stat -L -c %d:%i:%s:%F -- PATH              for a part of a file, before and after it
 *     dd if=PATH bs=4096 skip=BLOCKS count=BLOCKS for the part itself
 *     ls -1A -- PATH/                             for a directory
 *     ls -ld -- PATH, test -w PATH                to say why a unix socket cannot be had
 *     date +%s, sudo -n -l -- PROGRAM             for `edgestatd check`
 *
 * The login shell must read single quotes as POSIX says, as fish and csh do not in every case; it stands between, so that
 * some programs are its builtins (echo, printf, test), and stderr may hold words of its own (`Killed`).
 *
 * What differs from a shell that stays: a name in a directory that holds a newline is told as two names; an empty file
 * and a device that gives nothing are the same to readFile. The locale is what the login has: programs that speak other
 * languages than English there may not be understood. A program that outlives its deadline is ended by SIGKILL (by sudo:
 * SIGTERM) through sshd, which passes on none to a forced command: that loses its channel, and ends with its next write.
 */
import { asFailure, Failure } from '../errors.ts';
import type { Argv, FilePart, Outcome } from '../host.ts';
import { lines, quoted } from '../text.ts';
import { directoryFailure, irregularFailure, tooLarge } from './file.ts';
import { SMALL_BYTES } from './file-many.ts';
import { absent, exitFailure } from './program.ts';
import { quoteCommand } from './quote.ts';
import { complaint, missing } from './ssh-complaints.ts';
import { endingWithWords } from './ssh-ending.ts';
import { denied, endingOf, type RemoteLimits, type Running, withEvidence } from './ssh-program.ts';
import type { Seats } from './ssh-seats.ts';
import type { Link, WireSession } from './ssh-wire.ts';
import { within } from './target.ts';

/** How programs are started there, and how many at once. */
export interface Execs {
  readonly link: Link;
  readonly seats: Seats;
}

/** Bytes as they came, for files. */
interface Heard {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const MAX_STDERR_BYTES = 500;
const BLOCK_BYTES = 4096;
/** How long a program that was signalled is waited for: some servers pass on no signal. */
const GIVE_UP_MS = 1000;
/** A session that has just ended may still count there. */
const RETRIES_MS = [20, 50, 100, 300, 900];

export function runByExec(
  execs: Execs,
  argv: Argv,
  deadline: AbortSignal,
  limits: RemoteLimits,
  statuses: readonly number[] = [0],
): Running<Outcome> {
  const answer = heard(execs, argv, deadline, limits.maxOutputBytes).then(({ status, stdout, stderr }) => {
    if (statuses.includes(status)) return { status, stdout: stdout.toString('utf8'), stderr };
    throw exitFailure(argv, endingOf(status), stderr);
  });
  return { answer, ended: answer.catch(() => {}) };
}

/** Rejects where it did not end with a status. */
async function heard(execs: Execs, argv: Argv, deadline: AbortSignal, maxBytes: number): Promise<Heard> {
  deadline.throwIfAborted();
  const command = quoteCommand(argv);
  const leave = await execs.seats.take(deadline);
  let session: WireSession | undefined;
  try {
    session = await start(execs.link, command, deadline);
    return await follow(session, argv, deadline, maxBytes);
  } finally {
    // What is not over yet is waited for: its place among the sessions there is not free before.
    if (session === undefined) leave();
    else session.ended.then(leave);
  }
}

async function start(link: Link, command: string, deadline: AbortSignal): Promise<WireSession> {
  for (const pauseMs of [...RETRIES_MS, undefined]) {
    const wire = await link.wire(deadline);
    const starting = wire.exec(command);
    try {
      return await within(deadline, starting);
    } catch (thrown) {
      starting.then((late) => late.destroy()).catch(() => {});
      if (deadline.aborted || pauseMs === undefined || asFailure(thrown).code !== 'E_CONNECT') throw thrown;
    }
    await within(deadline, new Promise((resolve) => setTimeout(resolve, pauseMs)));
  }
  throw new Failure('E_BUG', 'no attempt to start a program was the last');
}

async function follow(session: WireSession, argv: Argv, deadline: AbortSignal, maxBytes: number): Promise<Heard> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let stdoutBytes = 0;
  let stderrBytes = 0;
  let reason: Failure | undefined;
  let timer: NodeJS.Timeout | undefined;
  const end = (why: Failure): void => {
    if (reason !== undefined) return;
    reason = why;
    // SIGTERM would end the login shell, and then there is nothing that a later signal would reach: a program that ignores
    // it would stay. But SIGKILL would end sudo and not its program (sudo.ts).
    session.signal(argv[0] === 'sudo' ? 'TERM' : 'KILL');
    timer = setTimeout(session.destroy, GIVE_UP_MS);
  };
  const onDeadline = (): void => end(deadline.reason as Failure);
  deadline.addEventListener('abort', onDeadline, { once: true });
  if (deadline.aborted) onDeadline();
  session.stdin.on('error', () => {});
  session.stdin.end();
  session.stdout
    .on('error', () => {})
    .on('data', (chunk: Buffer) => {
      stdoutBytes += chunk.length;
      if (reason !== undefined) return;
      if (stdoutBytes <= maxBytes) stdout.push(chunk);
      else {
        stdout.length = 0;
        end(new Failure('E_OUTPUT_SIZE', `${argv[0]} printed more than ${maxBytes} bytes`, { argv }));
      }
    });
  session.stderr
    .on('error', () => {})
    .on('data', (chunk: Buffer) => {
      if (stderrBytes < MAX_STDERR_BYTES) stderr.push(chunk.subarray(0, MAX_STDERR_BYTES - stderrBytes));
      stderrBytes += chunk.length;
    });
  const { code, signal } = await endingWithWords(session);
  clearTimeout(timer);
  deadline.removeEventListener('abort', onDeadline);
  const said = Buffer.concat(stderr).toString('utf8').trim();
  if (reason !== undefined) throw withEvidence(reason, argv, said);
  if (signal !== undefined) throw exitFailure(argv, { code: undefined, signal: `SIG${signal}` }, said);
  if (code === undefined) throw new Failure('E_CONNECT', `${argv[0]}: the connection broke before it ended`, { argv });
  // The login shell's own statuses (POSIX, 2.8.2), and its words: the program's may be any others.
  if (code === 127 && /not found|no such file/i.test(said)) throw absent(argv);
  if (code === 126 && /permission denied|cannot execute|is a directory/i.test(said)) throw denied(argv);
  return { status: code, stdout: Buffer.concat(stdout), stderr: said };
}

export async function readByExec(execs: Execs, path: string, deadline: AbortSignal, maxBytes: number): Promise<string> {
  const { status, stdout, stderr } = await heard(execs, ['cat', '--', path], deadline, maxBytes).catch((thrown) => {
    throw thrown instanceof Failure && thrown.code === 'E_OUTPUT_SIZE' ? tooLarge(path, maxBytes) : thrown;
  });
  if (status === 0) return stdout.toString('utf8');
  throw fault(path, stderr, ['cat', '--', path], status);
}

/** One by one, as many at once as there are sessions; each at most 64 KiB. */
export async function readManyByExec(
  execs: Execs,
  paths: readonly string[],
  deadline: AbortSignal,
): Promise<(string | Failure)[]> {
  return Promise.all(
    paths.map((path) =>
      readByExec(execs, path, deadline, SMALL_BYTES).catch((thrown) => {
        deadline.throwIfAborted();
        if (thrown instanceof Failure && thrown.evidence.path === path) return thrown;
        throw thrown;
      }),
    ),
  );
}

export async function readPartByExec(
  execs: Execs,
  path: string,
  deadline: AbortSignal,
  { offset, maxBytes }: { readonly offset: number; readonly maxBytes: number },
): Promise<FilePart> {
  const before = await statOf(execs, path, deadline);
  const skip = Math.floor(offset / BLOCK_BYTES);
  const from = offset - skip * BLOCK_BYTES;
  const wanted = Math.max(0, Math.min(maxBytes, before.size - offset));
  if (wanted === 0) return { bytes: Buffer.alloc(0), ...before };
  const count = Math.ceil((from + wanted) / BLOCK_BYTES);
  const argv: Argv = ['dd', `if=${path}`, `bs=${BLOCK_BYTES}`, `skip=${skip}`, `count=${count}`];
  const { status, stdout, stderr } = await heard(execs, argv, deadline, count * BLOCK_BYTES);
  if (status !== 0) throw fault(path, stderr, argv, status);
  const after = await statOf(execs, path, deadline);
  // Another file has its name now: nobody knows of which one the bytes are.
  if (after.identity !== before.identity) {
    throw new Failure('E_CONNECT', `${quoted(path)} was replaced while it was read; the next run reads it`, { path });
  }
  return { bytes: stdout.subarray(from, from + wanted), ...before };
}

async function statOf(execs: Execs, path: string, deadline: AbortSignal): Promise<{ size: number; identity: string }> {
  const argv: Argv = ['stat', '-L', '-c', '%d:%i:%s:%F', '--', path];
  const { status, stdout, stderr } = await heard(execs, argv, deadline, BLOCK_BYTES);
  if (status !== 0) throw fault(path, stderr, argv, status);
  const [, identity, size, kind = ''] = /^([0-9]+:[0-9]+):([0-9]+):(.*)\n$/.exec(stdout.toString('utf8')) ?? [];
  if (identity === undefined) throw new Failure('E_PARSE', `${quoted(path)}: stat(1) printed something else`, { path });
  if (kind === 'directory') throw directoryFailure(path);
  if (kind === 'socket') throw missing(path);
  if (!kind.startsWith('regular')) throw irregularFailure(path);
  return { size: Number(size), identity };
}

export async function listByExec(
  execs: Execs,
  path: string,
  deadline: AbortSignal,
  maxBytes: number,
): Promise<string[]> {
  const argv: Argv = ['ls', '-1A', '--', `${path}/`];
  const { status, stdout, stderr } = await heard(execs, argv, deadline, maxBytes);
  if (status !== 0) throw fault(path, stderr, argv, status);
  return lines(stdout.toString('utf8')).toSorted();
}

/** What cat, dd, stat and ls say of a file that they could not read. */
function fault(path: string, stderr: string, argv: Argv, status: number): Failure {
  if (/: Is a directory$/.test(stderr)) return directoryFailure(path);
  if (/: Not a directory$/.test(stderr)) return missing(path);
  return complaint(path, stderr) ?? exitFailure(argv, { code: status, signal: undefined }, stderr);
}
