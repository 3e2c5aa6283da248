/** Unix sockets of another machine, by a channel of the connection: as src/hosts/socket.ts connects to them here. */
import type { Duplex } from 'node:stream';
import { asFailure, Failure } from '../errors.ts';
import type { Argv, Outcome } from '../host.ts';
import { quoted, words } from '../text.ts';
import type { Link } from './ssh-wire.ts';
import { within } from './target.ts';

/** Runs a program there, for what the protocol does not tell; these statuses are answers. */
export type Look = (argv: Argv, statuses: readonly number[]) => Promise<Outcome>;

/** `ended` resolves when the connection is closed, by whichever side. */
export function connectUnixThere(
  link: Link,
  path: string,
  until: AbortSignal,
  { look, user }: { readonly look: Look; readonly user: string },
): { answer: Promise<Duplex>; ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const connect = async (): Promise<Duplex> => {
    const wire = await link.wire(until);
    const opening = wire.connectUnix(path);
    const stream = await within(until, opening).catch(async (thrown) => {
      opening.then((late) => late.destroy()).catch(() => {});
      until.throwIfAborted();
      throw await whyNot(path, asFailure(thrown), look, user);
    });
    const end = (): void => void stream.destroy(until.reason as Failure);
    until.addEventListener('abort', end, { once: true });
    stream.once('close', () => {
      until.removeEventListener('abort', end);
      ended.resolve();
    });
    // An error after this is the reader's to see, not the process's to die of.
    stream.on('error', () => {});
    if (until.aborted) end();
    return stream;
  };
  const answer = connect();
  answer.catch(() => ended.resolve());
  return { answer, ended: ended.promise };
}

/** The server says only that it did not connect: a look at the file says more. */
async function whyNot(path: string, refused: Failure, look: Look, user: string): Promise<Failure> {
  const details = { path, cause: refused };
  // Forbidden, or the connection is over.
  if (refused.code !== 'E_CONNECT') return refused;
  let listed: Outcome;
  let writable: Outcome;
  try {
    listed = await look(['ls', '-ld', '--', path], [0, 1, 2]);
    if (listed.status !== 0 && /Permission denied/.test(listed.stderr)) {
      const message = `socket ${quoted(path)} may not be used by this user: a directory above it may not be searched`;
      return new Failure('E_DENIED', message, details);
    }
    if (listed.status !== 0) {
      return new Failure('E_NOT_FOUND', `socket ${quoted(path)} does not exist; is its server running?`, details);
    }
    writable = await look(['test', '-w', path], [0, 1]);
  } catch {
    return refused;
  }
  const [mode = '', , owner = '', group = ''] = words(listed.stdout);
  if (writable.status === 1) {
    const advice =
      mode.charAt(5) === 'w'
        ? `add ${user} to the group ${quoted(group)} there, and connect anew`
        : `let its group write to it, and add ${user} to that group`;
    const message = `socket ${quoted(path)} may not be used by this user: it is ${mode} of ${quoted(owner)} and group ${quoted(group)}; ${advice}`;
    return new Failure('E_DENIED', message, details);
  }
  if (!/^[sl]/.test(mode)) return new Failure('E_CONNECT', `${quoted(path)} is no socket`, details);
  const message = `nothing listens on socket ${quoted(path)}, or sshd there forbids it (AllowStreamLocalForwarding)`;
  return new Failure('E_CONNECT', message, details);
}
