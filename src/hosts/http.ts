/** Requests over HTTP: explicit timeouts, no retry, no redirect, bounded body (the only importer of got). */
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Request, Response } from 'got';
import type { HttpOptions } from '../collector.ts';
import { Failure } from '../errors.ts';
import { credentialsOf, type Identity } from './http-credentials.ts';
import { located, requestFailure, statusFailure, withoutSecrets } from './http-failures.ts';
import { jsonOf, textOf, withoutAny } from './http-text.ts';

type Bounded = HttpOptions & { readonly maxBytes: number };

/** How much of an answer that is none is looked at for its reason, and how long it is waited for. */
const REASON_BYTES = 4096;
const REASON_MS = 1000;
/** Of a connection that says nothing at all. */
const SILENCE_MS = 15_000;

/** Who makes the connections, where it is not this machine, or where they are kept. */
export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

type Bounds = Bounded & { readonly agents?: Agents };

export async function getJson(url: string, options: Bounds, deadline: AbortSignal): Promise<unknown> {
  const { body, html, secrets } = await get(url, 'application/json', options, deadline);
  return jsonOf(body, html, withoutSecrets(url), secrets);
}

export async function getText(url: string, options: Bounds, deadline: AbortSignal): Promise<string> {
  const { body, html, secrets } = await get(url, 'text/plain, */*;q=0.5', options, deadline);
  return textOf(body, html, withoutSecrets(url), secrets);
}

interface Answer {
  readonly body: Buffer;
  /** The server says that it is a page for people. */
  readonly html: boolean;
  /** What was asked with. */
  readonly secrets: readonly string[];
}

async function get(text: string, accept: string, options: Bounds, deadline: AbortSignal): Promise<Answer> {
  return withPatience(text, options.timeoutMs, deadline, (until) => ask(text, accept, options, until));
}

/** Does the work until the deadline, or until so much time has passed (`E_TIMEOUT`). */
export async function withPatience<Result>(
  text: string,
  timeoutMs: number | undefined,
  deadline: AbortSignal,
  work: (until: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (deadline.aborted) throw deadline.reason;
  if (timeoutMs === undefined) return work(deadline);
  const patience = new AbortController();
  const timer = setTimeout(() => {
    const url = withoutSecrets(text);
    patience.abort(new Failure('E_TIMEOUT', `did not answer within ${timeoutMs / 1000} s`, { url }));
  }, timeoutMs);
  try {
    return await work(AbortSignal.any([deadline, patience.signal]));
  } finally {
    clearTimeout(timer);
  }
}

async function ask(text: string, accept: string, options: Bounds, until: AbortSignal): Promise<Answer> {
  const shown = withoutSecrets(text);
  const identity = await credentialsOf(text, options, until);
  if (until.aborted) throw located(until.reason as Failure, shown);
  let sending: Sending | undefined;
  try {
    const headers = { accept, ...identity.headers, ...options.headers };
    const { agents } = options;
    sending = await send({ identity, headers, silenceMs: SILENCE_MS, ...(agents && { agents }) }, until);
    return await answerOf(sending, await sending.response, shown, options, identity);
  } catch (thrown) {
    if (until.aborted) throw located(until.reason as Failure, shown);
    throw thrown instanceof Failure ? thrown : requestFailure(thrown, new URL(identity.url), shown);
  } finally {
    sending?.end();
  }
}

/** What is asked, of whom and by which connections. */
export interface Order {
  readonly identity: Identity;
  readonly headers: Readonly<Record<string, string>>;
  /** Makes it a POST. */
  readonly body?: string;
  /** Keeps connections; else each request has its own. */
  readonly agents?: Agents;
  /** How long the connection may say nothing at all, where it is not the deadline that ends it. */
  readonly silenceMs?: number;
}

/** A request under way. */
export interface Sending {
  /** The answer's body. */
  readonly stream: Readable;
  /** Rejects with whatever the client throws. */
  readonly response: Promise<Pick<Response, 'statusCode' | 'headers'>>;
  /** Whether there was a connection over which the request, or a part of it, may have gone out. */
  wasSent(): boolean;
  /** To be called at the end. The connection is closed when the answer was not read to its end, and else kept. */
  end(): void;
}

export async function send(order: Order, until: AbortSignal): Promise<Sending> {
  // Loaded at first use: a daemon that asks no HTTP server does not pay for the client.
  const { default: got } = await import('got');
  const { identity, headers, body, agents, silenceMs } = order;
  const stream = got.stream(identity.url, {
    ...(body !== undefined && { method: 'POST', body }),
    ...(agents !== undefined && { agent: agents }),
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    // It would cost the server more, and a small answer could become a huge one.
    decompress: false,
    timeout: {
      lookup: 5000,
      connect: 5000,
      secureConnect: 5000,
      ...(silenceMs !== undefined && { socket: silenceMs }),
    },
    headers,
    https: identity.https,
  });
  // What breaks between two reads is told by the next one.
  stream.on('error', () => {});
  const connection = watchConnection(stream, identity.url.startsWith('https:'));
  const onAbort = (): void => {
    connection.reset();
    stream.destroy(until.reason);
  };
  until.addEventListener('abort', onAbort, { once: true });
  const response = new Promise<Response>((resolve, reject) => {
    stream.once('response', resolve).once('error', reject);
    stream.once('close', () => reject(new Failure('E_ABORTED', 'the request was ended')));
  });
  response.catch(() => {});
  if (until.aborted) onAbort();
  return {
    ...{ stream, response, wasSent: connection.wasOpen },
    end() {
      until.removeEventListener('abort', onAbort);
      stream.destroy();
    },
  };
}

/** Connections that carried a request. One that waited for another's is not told that it is a reused one. */
const established = new WeakSet<Socket>();

/** Whether the connection of a request came about; and its end at once, so that a server takes nothing more from it. */
function watchConnection(stream: Request, isEncrypted: boolean): { wasOpen(): boolean; reset(): void } {
  let socket: Socket | undefined;
  let isOpen = false;
  let isComplete = (): boolean => false;
  const open = (): void => {
    isOpen = true;
    if (socket !== undefined) established.add(socket);
  };
  stream.on('request', (request) => {
    isComplete = () => request.destroyed;
    const seize = (seized: Socket): void => {
      socket = seized;
      const isReused = request.reusedSocket || established.has(seized);
      if (isReused || (!isEncrypted && !seized.connecting)) open();
      else seized.once(isEncrypted ? 'secureConnect' : 'connect', open);
    };
    if (request.socket) seize(request.socket);
    else request.once('socket', seize);
  });
  return {
    wasOpen: () => isOpen,
    reset() {
      // One whose answer is complete has given its connection back. A request that waits in the server's queue is
      // forgotten with its connection when that is reset, and else not.
      if (!isEncrypted && isOpen && !isComplete() && socket?.destroyed === false) socket.resetAndDestroy();
    },
  };
}

async function answerOf(
  { stream }: Sending,
  { statusCode: status, headers }: Pick<Response, 'statusCode' | 'headers'>,
  url: string,
  { maxBytes, statuses = [] }: Bounded,
  { secrets }: Identity,
): Promise<Answer> {
  if ((status < 200 || status > 299) && !statuses.includes(status)) {
    throw statusFailure(status, url, await beginningOf(stream, REASON_BYTES), secrets);
  }
  return { ...(await wholeOf(stream, headers, url, maxBytes, secrets)), secrets };
}

export async function wholeOf(
  stream: Readable,
  headers: Response['headers'],
  url: string,
  maxBytes: number,
  secrets: readonly string[],
): Promise<Omit<Answer, 'secrets'>> {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    const text = withoutAny(secrets, encoding);
    throw new Failure('E_PARSE', `${url} answers compressed, which was not asked for`, { url, text });
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(url, maxBytes);
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of stream) {
    total += chunk.length;
    if (total > maxBytes) throw tooLarge(url, maxBytes);
    chunks.push(chunk);
  }
  const html = /^text\/html\b/i.test(headers['content-type'] ?? '');
  return { body: Buffer.concat(chunks), html };
}

function tooLarge(url: string, maxBytes: number): Failure {
  return new Failure('E_OUTPUT_SIZE', `${url} answered with more than ${maxBytes} bytes`, { url });
}

/** The first bytes of a body that may say why; what breaks or drips is enough as it is. */
export async function beginningOf(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let total = 0;
  const timer = setTimeout(() => stream.destroy(), REASON_MS);
  try {
    for await (const chunk of stream) {
      chunks.push(chunk);
      total += chunk.length;
      if (total >= maxBytes) break;
    }
  } catch {
    // The status is the news.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8');
}
