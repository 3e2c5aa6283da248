/** Connects to a unix stream socket; the connection dies with the run's deadline. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { Failure, systemCode } from '../errors.ts';
import { quoted } from '../text.ts';
import { containerAdvice } from './container.ts';

/** `ended` resolves when the connection is closed, by whichever side. */
export function connectUnix(path: string, deadline: AbortSignal): { answer: Promise<Duplex>; ended: Promise<void> } {
  if (deadline.aborted) return { answer: Promise.reject(deadline.reason), ended: Promise.resolve() };
  const socket = connect({ path });
  const ended = Promise.withResolvers<void>();
  const answer = new Promise<Duplex>((resolve, reject) => {
    const end = (): void => {
      reject(deadline.reason);
      socket.destroy(deadline.reason as Failure);
    };
    deadline.addEventListener('abort', end, { once: true });
    socket.once('close', () => {
      deadline.removeEventListener('abort', end);
      ended.resolve();
    });
    // The listener stays: an error after the connection is the reader's to see, not the process's to die of.
    socket.on('error', (error) => reject(connectFailure(path, error)));
    socket.once('connect', () => resolve(socket));
  });
  return { answer, ended: ended.promise };
}

function connectFailure(path: string, error: Error): Failure {
  if (error instanceof Failure) return error;
  const details = { path, cause: error };
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new Failure(
        'E_NOT_FOUND',
        `socket ${quoted(path)} does not exist; is its server running?${containerAdvice('no socket', path)}`,
        details,
      );
    case 'EACCES':
    case 'EPERM':
      return new Failure(
        'E_DENIED',
        `socket ${quoted(path)} may not be used by this user${containerAdvice('denied socket', path)}`,
        details,
      );
    case 'ECONNREFUSED':
      return new Failure('E_CONNECT', `nothing listens on socket ${quoted(path)}`, details);
    case 'EAGAIN':
      return new Failure('E_CONNECT', `socket ${quoted(path)} takes no more connections: its server hangs`, details);
    default:
      return new Failure('E_CONNECT', `socket ${quoted(path)}: ${error.message}`, details);
  }
}
