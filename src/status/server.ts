/** Answers what is asked of a running daemon, over HTTP: on its unix socket, and where the status page is. */
import { lstatSync, mkdirSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Clock } from '../clock.ts';
import { asFailure, Failure } from '../errors.ts';
import { listenAt } from '../events/in/listener-socket.ts';
import { createServer } from '../node-http.ts';
import { quoted } from '../text.ts';
import { refusalOf } from './gate.ts';
import { MAX_SOCKET_BYTES } from './place.ts';

export interface Answer {
  readonly status: number;
  /** The content type. */
  readonly type: string;
  readonly body: string | Buffer;
  /** Beside `Cache-Control: no-store` and `X-Content-Type-Options: nosniff`, or instead of them. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** `name`: what stands behind a route that ends with `/`; else empty. */
export type Route = (query: URLSearchParams, name: string) => Answer;

/** By path. One that ends with `/`, other than `/` itself, answers for every name behind it: `/tables/`. */
export type Routes = ReadonlyMap<string, Route>;

export type StatusPlace =
  | { readonly socket: string }
  /** A loopback address. */
  | { readonly address: string; readonly port: number };

export interface StatusServer {
  /** `http://127.0.0.1:8127` or `unix:/run/…`. */
  readonly address: string;
  /** Takes no more; requests that are under way have so long to end. */
  close(withinMs: number): Promise<void>;
}

export interface ServerSurroundings {
  readonly place: StatusPlace;
  readonly routes: Routes;
  readonly clock: Clock;
  /** Told of a fault of ours. */
  readonly onFault: (failure: Failure) => void;
}

const LIMITS = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 15_000 };
const CONNECTIONS = 32;
/** A connection on which nothing moves, as of a reader that has stopped. */
const STILL_MS = 30_000;
const SOCKET_MODE = 0o660;
const DIRECTORY_MODE = 0o750;

/** Resolves when it listens; rejects with a Failure that says why it cannot. */
export async function startServer({ place, routes, clock, onFault }: ServerSurroundings): Promise<StatusServer> {
  const port = 'socket' in place ? undefined : place.port;
  let isClosing = false;

  const answerTo = ({ method = '', url = '', headers }: IncomingMessage): Answer => {
    const refusal = refusalOf({ method, headers }, port);
    if (refusal !== undefined) return { ...refused(refusal.status, refusal.message), headers: refusal.headers ?? {} };
    try {
      return routed(routes, url);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.code === 'E_CONFIG') return refused(400, failure.message);
      onFault(failure);
      return refused(500, 'a fault of edgestatd; its log says more');
    }
  };
  /** Whose answer has not been taken yet. */
  const waiting = new WeakSet<Socket>();
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    // Thousands of small questions at once would put as many large answers into memory. No client of ours does it.
    if (waiting.has(socket)) {
      socket.destroy();
      return;
    }
    waiting.add(socket);
    response.on('close', () => void waiting.delete(socket));
    const { status, type, body, headers } = answerTo(request);
    request.resume();
    const length = { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    const end = isClosing ? { connection: 'close' } : {};
    response.writeHead(status, { ...GUARDS, ...length, ...headers, ...end });
    response.end(request.method === 'HEAD' ? undefined : body);
  };

  const server = createServer({ ...LIMITS, connectionsCheckingInterval: 1000 }, serve);
  server.maxConnections = CONNECTIONS;
  server.setTimeout(STILL_MS, (socket) => socket.destroy());
  if ('socket' in place) prepareDirectory(place.socket);
  const option = 'status.listen';
  const address = await listenAt(server, 'socket' in place ? { ...place, mode: SOCKET_MODE } : { ...place, option });
  // A connection that breaks is its client's affair.
  server.on('error', (error) => onFault(asFailure(error)));
  return {
    address,
    async close(withinMs) {
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cancel = clock.after(withinMs, () => server.closeAllConnections());
      await closed;
      cancel();
    },
  };
}

/** For what is asked by machines; a page says more. */
const GUARDS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
export const JSON_TYPE = 'application/json; charset=utf-8';

export function refused(status: number, message: string): Answer {
  return { status, type: JSON_TYPE, body: `${JSON.stringify({ error: message })}\n` };
}

/** A URL that is none (`//`, a wrong `%`) has no route. */
function routed(routes: Routes, url: string): Answer {
  const [path = '', query = ''] = url.split(/\?(.*)/s, 2);
  const route = routes.get(path);
  const slash = path.lastIndexOf('/') + 1;
  const above = slash > 1 && slash < path.length ? routes.get(path.slice(0, slash)) : undefined;
  const found = path.endsWith('/') && path !== '/' ? undefined : (route ?? above);
  if (found === undefined) {
    const known = [...routes.keys()].map((one) => (one.endsWith('/') && one !== '/' ? `${one}NAME` : one)).join(', ');
    return refused(404, `there is nothing at ${quoted(path)}; expected one of ${known}`);
  }
  return found(new URLSearchParams(query), route === undefined ? path.slice(slash) : '');
}

/** Made where it is missing, and only the last part of it; what is wrong with it otherwise is said by who listens there. */
function prepareDirectory(socket: string): void {
  if (Buffer.byteLength(socket) > MAX_SOCKET_BYTES) {
    const message = `the path ${quoted(socket)} is longer than ${MAX_SOCKET_BYTES} bytes; name another with status.socket`;
    throw new Failure('E_CONFIG', message, { path: socket });
  }
  const directory = dirname(socket);
  try {
    mkdirSync(directory, { mode: DIRECTORY_MODE });
    return;
  } catch {
    // It is there, or cannot be made.
  }
  const there = lstatSync(directory, { throwIfNoEntry: false });
  if (there === undefined || isTrusted(there)) return;
  // Where only root or we can have put it, it is meant so, as systemd makes directories of services.
  const above = statSync(dirname(directory), { throwIfNoEntry: false });
  const isOpen = above === undefined || !isTrusted(above) || (above.mode & 0o022) !== 0;
  if (!isOpen && !there.isSymbolicLink()) return;
  const what = there.isSymbolicLink() ? 'a symbolic link' : 'a directory';
  const message = `${quoted(directory)} is ${what} of another user (${there.uid}); remove it, or name another with status.socket`;
  throw new Failure('E_DENIED', message, { path: directory });
}

function isTrusted({ uid }: { readonly uid: number }): boolean {
  return uid === 0 || uid === process.geteuid?.();
}
