/** Where the listener listens: a unix socket of its own, or a port of a loopback address. */
import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Failure, systemCode } from '../../errors.ts';
import { quoted } from '../../text.ts';
import { bracketed } from './listener-gate.ts';

export type Place =
  | {
      readonly socket: string;
      /** Who may connect to it: `0o660`, the owner and the group. */
      readonly mode: number;
    }
  | {
      readonly address: string;
      readonly port: number;
      /** The option of the configuration that names the port. */
      readonly option: string;
    };

/** Resolves when it listens, with what people are told: `http://127.0.0.1:8126`, `unix:/run/…`. Rejects with a Failure. */
export async function listenAt(server: Server, place: Place): Promise<string> {
  if ('socket' in place) return listenOnSocket(server, place.socket, place.mode);
  const { address, port, option } = place;
  try {
    await listening(server, () => server.listen({ host: address, port, exclusive: true }));
  } catch (thrown) {
    throw portFailure(thrown, `${bracketed(address)}:${port}`, option);
  }
  const bound = server.address();
  return `http://${bracketed(address)}:${typeof bound === 'object' ? bound?.port : port}`;
}

async function listenOnSocket(server: Server, path: string, mode: number): Promise<string> {
  for (let isRetry = false; ; isRetry = true) {
    try {
      await listening(server, () => withMode(mode, () => server.listen(path)));
      return `unix:${path}`;
    } catch (thrown) {
      if (systemCode(thrown) !== 'EADDRINUSE' || isRetry) throw socketFailure(thrown, path);
      await removeStale(path);
    }
  }
}

/** Binding happens within the call, so that no other file is made with this mask. */
function withMode(mode: number, bind: () => void): void {
  const before = process.umask(0o777 & ~mode);
  try {
    bind();
  } finally {
    process.umask(before);
  }
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error): void => {
      server.off('listening', end).off('error', end);
      if (error === undefined) resolve();
      else reject(error);
    };
    server.once('listening', end).once('error', end);
    listen();
  });
}

/** What a process left behind that was killed. Nobody answers there, and it is a socket, or it is let alone. */
async function removeStale(path: string): Promise<void> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before === undefined) return;
  if (!before.isSocket())
    throw new Failure('E_CONFIG', `${quoted(path)} is there and no socket; name another`, { path });
  const code = await knock(path);
  if (code !== 'ECONNREFUSED') {
    const found = code === undefined ? 'another process listens' : `somebody may listen (${code})`;
    throw new Failure('E_CONNECT', `${found} on ${quoted(path)}; stop it, or name another socket`, { path });
  }
  // Unless somebody has put his own there meanwhile.
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === before.ino) unlinkSync(path);
}

function knock(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(systemCode(error) ?? 'error'));
  });
}

function socketFailure(thrown: unknown, path: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const details = { path, cause: thrown };
  // Node.js says EACCES of a directory that is not there (libuv, uv_pipe_bind).
  const code = existsSync(dirname(path)) ? systemCode(thrown) : 'ENOENT';
  switch (code) {
    case 'ENOENT':
      return new Failure('E_NOT_FOUND', `the directory of ${quoted(path)} does not exist; make it first`, details);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Failure('E_DENIED', `${quoted(path)} may not be made by this user; give it the directory`, details);
    case 'EADDRINUSE':
      return new Failure('E_CONNECT', `another process listens on ${quoted(path)}; name another socket`, details);
    default:
      return new Failure('E_CONNECT', `cannot listen on ${quoted(path)}: ${(thrown as Error).message}`, details);
  }
}

function portFailure(thrown: unknown, at: string, option: string): Failure {
  const details = { cause: thrown };
  switch (systemCode(thrown)) {
    case 'EADDRINUSE': {
      const advice = `stop it ("ss -ltnp" shows it), or set ${option} to another`;
      return new Failure('E_CONNECT', `another process listens on ${at}; ${advice}`, details);
    }
    case 'EACCES':
      return new Failure('E_DENIED', `this user may not listen on ${at}; take a port above 1023`, details);
    case 'EADDRNOTAVAIL':
      return new Failure('E_CONNECT', `this machine has no address ${at}; take 127.0.0.1`, details);
    default:
      return new Failure('E_CONNECT', `cannot listen on ${at}: ${(thrown as Error).message}`, details);
  }
}
