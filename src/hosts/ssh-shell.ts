/**
 * One /bin/sh that stays, in one session: it is asked one thing at a time, and what it answers is strictly framed
 * (ssh-script.ts). A shell that says anything else than what it was asked for is in doubt, and ended.
 */
import { randomBytes } from 'node:crypto';
import { asFailure, Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { endingWithWords } from './ssh-ending.ts';
import { createFrame, type Frame, type Token } from './ssh-frame.ts';
import { prelude, START } from './ssh-script.ts';
import type { Ending, Wire, WireSession } from './ssh-wire.ts';

export interface Question {
  /** The words, framed by the marker that is given. */
  script(marker: string): string;
  /** Whether the end comes on stderr too. */
  readonly hasStderr: boolean;
  /** Of stdout; more is dropped, all of it. */
  readonly maxBytes: number;
  readonly onToken?: (token: Token) => void;
  readonly onOver?: () => void;
}

export interface Answer {
  readonly stdout: Buffer;
  /** The first 500 bytes, trimmed. */
  readonly stderr: string;
}

export interface Asked {
  /** Rejects when the shell ends before. */
  readonly answer: Promise<Answer>;
  soFar(): Answer;
}

export interface Shell {
  /** One at a time. */
  ask(question: Question): Asked;
  /** A line to which there is no answer. */
  tell(line: string): void;
  isBusy(): boolean;
  isOpen(): boolean;
  /** Ends it with all that it started: the end of its input is what tells it. */
  destroy(reason: Failure): void;
  /** Resolves when its session is closed. */
  readonly ended: Promise<Failure>;
}

export interface ShellPlace {
  /** For messages: `edge@192.0.2.1`. */
  readonly who: string;
  readonly safetySeconds: number;
  /** Default 15 s. */
  readonly openMs?: number;
}

const MAX_STDERR_BYTES = 500;
/** What rc files, motd and banners may print before the shell begins. */
const MAX_NOISE_BYTES = 64 * 1024;
const OPEN_MS = 15_000;

/** Rejects with `E_CONNECT`, `E_DENIED`, `E_PARSE` or `E_TIMEOUT`. */
export async function openShell(wire: Wire, place: ShellPlace): Promise<Shell> {
  const openMs = place.openMs ?? OPEN_MS;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, openMs, 'late');
  });
  let shell: Shell | undefined;
  try {
    const starting = wire.exec(START);
    const session = await Promise.race([starting, late]);
    if (session === 'late') {
      starting.then((one) => one.destroy()).catch(() => {});
      throw new Failure('E_TIMEOUT', `${place.who} opened no session within ${openMs / 1000} s`);
    }
    shell = shellIn(session, place.who);
    let begun = false;
    const asked = shell.ask({
      script: (marker) => prelude(marker, place.safetySeconds),
      hasStderr: true,
      maxBytes: MAX_NOISE_BYTES,
      onToken: ({ letter }) => {
        if (letter === 'b') begun = true;
      },
      onOver: () => shell?.destroy(noShell(place.who, asked.soFar(), `printed more than ${MAX_NOISE_BYTES} bytes`)),
    });
    asked.answer.catch(() => {});
    const first = await Promise.race([asked.answer.catch(asFailure), late]);
    if (first === 'late') {
      const found = `did not start /bin/sh within ${openMs / 1000} s`;
      throw begun
        ? new Failure('E_TIMEOUT', `/bin/sh of ${place.who} did not answer within ${openMs / 1000} s`)
        : noShell(place.who, asked.soFar(), found, 'E_TIMEOUT');
    }
    if (first instanceof Failure) {
      const ending = await Promise.race([session.ended, late]);
      if (first.code !== 'E_CONNECT' || ending === 'late' || ending.code === undefined) throw first;
      throw refusal(place.who, asked.soFar(), ending);
    }
    return shell;
  } catch (thrown) {
    shell?.destroy(asFailure(thrown));
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

/** What ended instead of being a shell. */
function refusal(who: string, heard: Answer, { code }: Ending): Failure {
  const text = said(heard);
  // nologin(8) says so, false(1) says nothing.
  if (code === 1 && (text === '' || /not (?:currently )?available|disabled|expired|no ?login|locked/i.test(text))) {
    const told = text === '' ? 'ends at once with status 1, as /bin/false does' : `refuses: ${quoted(text, 200)}`;
    const advice = 'give the user a login shell there (usermod --shell /bin/sh)';
    return new Failure('E_DENIED', `the login shell of ${who} ${told}; ${advice}`, { exitCode: code, stderr: text });
  }
  return noShell(who, heard, `ended with status ${code}`);
}

function noShell(who: string, heard: Answer, found: string, code: 'E_PARSE' | 'E_TIMEOUT' = 'E_PARSE'): Failure {
  const text = said(heard);
  const shown = text === '' ? '' : ` and printed ${quoted(text, 200)}`;
  const advice =
    'the key may have a forced command there, or sshd a ForceCommand: then set "commands: exec", and else look at the ' +
    'login shell and its rc files';
  return new Failure(code, `what starts at a login as ${who} is no shell: it ${found}${shown}; ${advice}`, {
    stderr: text,
  });
}

/** What it says last is why it ended. */
function said({ stdout, stderr }: Answer): string {
  return `${stdout.subarray(-MAX_STDERR_BYTES).toString('utf8')}\n${stderr}`.trim();
}

interface Asking extends Asked {
  readonly out: Frame;
  readonly err: Frame | undefined;
  readonly onOver: (() => void) | undefined;
  resolve(): void;
  reject(reason: Failure): void;
}

function shellIn(session: WireSession, who: string): Shell {
  let asking: Asking | undefined;
  let last: Failure | undefined;
  const ended = Promise.withResolvers<Failure>();

  const destroy = (reason: Failure): void => {
    if (last !== undefined) return;
    last = reason;
    asking?.reject(reason);
    asking = undefined;
    session.destroy();
  };
  const hear = (stream: 'out' | 'err', chunk: Buffer): void => {
    if (last !== undefined) return;
    const frame = asking?.[stream];
    try {
      // Between two answers nothing writes: something that was left behind holds a stream of the shell.
      if (frame === undefined) throw new Failure('E_PARSE', `the shell of ${who} wrote what it was not asked for`);
      const wasOver = frame.isOver();
      frame.feed(chunk);
      if (frame.isOver() && !wasOver) asking?.onOver?.();
    } catch (thrown) {
      destroy(asFailure(thrown));
      return;
    }
    if (asking?.out.isComplete() && asking.err?.isComplete() !== false) {
      const complete = asking;
      asking = undefined;
      complete.resolve();
    }
  };

  session.stdout.on('data', (chunk: Buffer) => hear('out', chunk)).on('error', () => {});
  session.stderr.on('data', (chunk: Buffer) => hear('err', chunk)).on('error', () => {});
  session.stdin.on('error', () => {});
  endingWithWords(session).then(async () => {
    // Where it is the connection that is over, whoever holds this shell ends it, with a reason that says more.
    await new Promise((resolve) => setImmediate(resolve));
    destroy(new Failure('E_CONNECT', `the shell of ${who} ended before its answer was complete`));
    if (last !== undefined) ended.resolve(last);
  });

  return {
    ask(question) {
      const marker = randomBytes(16).toString('hex');
      const script = question.script(marker);
      const { promise: answer, resolve, reject } = Promise.withResolvers<Answer>();
      const out = createFrame(marker, question, question.onToken);
      const limits = { maxBytes: MAX_STDERR_BYTES, beginning: true };
      const err = createFrame(marker, limits, question.onToken);
      const soFar = (): Answer => ({
        stdout: out.bytes(),
        stderr: err.bytes().toString('utf8').trim(),
      });
      const one: Asking = {
        ...{ answer, soFar, out, reject, onOver: question.onOver },
        err: question.hasStderr ? err : undefined,
        resolve: () => resolve(soFar()),
      };
      if (last !== undefined) reject(last);
      else if (asking !== undefined) reject(new Failure('E_BUG', 'a shell was asked two things at once'));
      else {
        asking = one;
        // What was asked before has said its end; the shell forgets it by `wait`.
        session.stdin.write(`wait\n${script}\n`);
      }
      return one;
    },
    tell(line) {
      if (last === undefined) session.stdin.write(`${line}\n`);
    },
    isBusy: () => asking !== undefined,
    isOpen: () => last === undefined,
    destroy,
    ended: ended.promise,
  };
}
