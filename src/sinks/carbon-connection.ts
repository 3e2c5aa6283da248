/**
 * One connection to a Carbon, over TCP or TLS. Carbon acknowledges nothing; but its process reads until our end of the
 * stream and closes then, so that its own end, after ours and without an error, says that all of it was read.
 */
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../clock.ts';
import { Failure, systemCode } from '../errors.ts';
import { connectionFailure, fileFailure } from './carbon-failures.ts';
import type { CarbonSinkOptions, Endpoint } from './carbon-options.ts';

export interface ConnectionEvents {
  /** After `write` answered false: there is room again. */
  drained(): void;
  /** It is over, once. Undefined: after `finish`, and all that was written has been read. */
  ended(failure: Failure | undefined): void;
}

export interface Connection {
  /** Whether more may be written before `drained`. */
  write(data: Buffer): boolean;
  /** No more will be written: `ended` says what became of it. */
  finish(): void;
  /** Lets go of it; nothing is told then. */
  destroy(): void;
}

export type Wire = Pick<CarbonSinkOptions, 'tls' | 'caFile' | 'certFile' | 'keyFile' | 'connectTimeout'>;

const KEEP_ALIVE_MS = 30_000;
const PROBE_MS = 5000;

/**
 * Connects, with the name looked up anew and the certificate files read anew; for TLS the other side is verified.
 * `E_CONNECT E_TIMEOUT E_AUTH E_NOT_FOUND E_DENIED`. `abandoned` ends the attempt, which stays without answer then.
 */
export async function openConnection(
  endpoint: Endpoint,
  wire: Wire,
  clock: Clock,
  events: ConnectionEvents,
  abandoned?: AbortSignal,
): Promise<Connection> {
  const socket = dial(endpoint, wire);
  const abandon = (): void => void socket.destroy();
  abandoned?.addEventListener('abort', abandon);
  try {
    await established(socket, endpoint, wire, clock);
  } finally {
    abandoned?.removeEventListener('abort', abandon);
  }
  return watch(socket, endpoint, events);
}

/**
 * Finds out whether somebody reads there: an empty connection is ended at once by both sides, while the kernel of a
 * process that stands still takes connections, and what is written to them, as if nothing was.
 */
export async function tryConnection(
  endpoint: Endpoint,
  wire: Wire,
  clock: Clock,
  abandoned?: AbortSignal,
): Promise<void> {
  let tell = (_failure: Failure | undefined): void => {};
  const ended = new Promise<Failure | undefined>((resolve) => {
    tell = resolve;
  });
  const connection = await openConnection(endpoint, wire, clock, { ended: tell, drained() {} }, abandoned);
  const silent = `${endpoint.to} accepts connections, and reads nothing; is its process stopped, or overloaded?`;
  const cancel = clock.after(PROBE_MS, () => tell(new Failure('E_TIMEOUT', silent)));
  const abandon = (): void => tell(new Failure('E_ABORTED', `${endpoint.to}: the sink is closing`));
  abandoned?.addEventListener('abort', abandon);
  connection.finish();
  const failure = await ended;
  cancel();
  abandoned?.removeEventListener('abort', abandon);
  connection.destroy();
  if (failure !== undefined) throw failure;
}

function dial({ host, port }: Endpoint, wire: Wire): Socket {
  const options = { host, port, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  if (!wire.tls) return connectTcp(options);
  // Read now, so that what is renewed is used by the next connection.
  const pem = {
    ...(wire.caFile === undefined ? {} : { ca: read(wire.caFile) }),
    ...(wire.certFile === undefined ? {} : { cert: read(wire.certFile) }),
    ...(wire.keyFile === undefined ? {} : { key: read(wire.keyFile) }),
  };
  try {
    return connectTls({ ...options, ...pem, ...(isIP(host) === 0 ? { servername: host } : {}) });
  } catch (thrown) {
    throw connectionFailure(thrown, `${host} port ${port}`, true);
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw fileFailure(thrown, path);
  }
}

function established(socket: Socket, { to }: Endpoint, { tls, connectTimeout }: Wire, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (failure?: Failure): void => {
      cancel();
      socket.removeListener(ready, onReady);
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
      if (failure === undefined) {
        resolve();
        return;
      }
      // What is still under way may fail too, with nobody to tell.
      socket.on('error', () => {});
      socket.destroy();
      reject(failure);
    };
    const ready = tls ? 'secureConnect' : 'connect';
    const onError = (thrown: unknown): void => settle(connectionFailure(thrown, to, tls));
    const onClose = (): void =>
      settle(new Failure('E_CONNECT', `${to} closed the connection before it was established; does it speak TLS?`));
    const onReady = (): void => settle();
    const seconds = connectTimeout / 1000;
    const late = `${to} did not answer within ${seconds} s; correct the destination, or raise connectTimeout`;
    const cancel = clock.after(connectTimeout, () => settle(new Failure('E_TIMEOUT', late)));
    socket.once(ready, onReady);
    socket.once('error', onError);
    socket.once('close', onClose);
  });
}

function watch(socket: Socket, { to }: Endpoint, events: ConnectionEvents): Connection {
  let isOver = false;
  const end = (failure: Failure | undefined): void => {
    if (isOver) return;
    isOver = true;
    events.ended(failure);
    socket.destroy();
  };
  const broke = (how: string): Failure => new Failure('E_CONNECT', `${to} ${how}; what was sent last is sent again`);
  socket.on('drain', () => {
    if (!isOver) events.drained();
  });
  socket.on('error', (thrown) => {
    const code = systemCode(thrown) ?? 'unknown error';
    // A server that wants a certificate of ours says so after the handshake.
    end(code.includes('ALERT_') ? connectionFailure(thrown, to, true) : broke(`broke the connection (${code})`));
  });
  socket.on('end', () => {
    // Its end before all of ours has left is none that answers ours: a process that dies ends its connections too.
    if (!socket.writableFinished) end(broke('closed the connection'));
  });
  socket.on('close', () => end(socket.writableFinished && socket.readableEnded ? undefined : broke('went away')));
  // Nothing comes but the end, which is only seen by who reads.
  socket.resume();
  return {
    write: (data) => socket.write(data),
    finish() {
      // An end of theirs that has arrived is none that answers ours: it must be seen first.
      setImmediate(() => {
        if (!isOver) socket.end();
      });
    },
    destroy() {
      isOver = true;
      socket.destroy();
    },
  };
}
