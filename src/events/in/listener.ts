/** Takes events over HTTP, in the form in which graphite-web takes them: POST /events/. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../clock.ts';
import { asFailure, Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { createServer } from '../../node-http.ts';
import type { ListenOptions } from '../options.ts';
import type { Take } from '../taking.ts';
import { hearOut, readBody } from './listener-body.ts';
import { eventsOfBody, PLAIN, type Wishes, wishesOf } from './listener-events.ts';
import { createBucket, type Refusal, refusalOf, tooLarge } from './listener-gate.ts';
import { listenAt, type Place } from './listener-socket.ts';
import { isAllowed } from './listener-token.ts';

export interface ListenerCounts {
  /** Requests that were answered with success. */
  readonly accepted: number;
  /** The others, by their status. */
  readonly refused: ReadonlyMap<number, number>;
}

export interface Listener {
  /** `http://127.0.0.1:8126` or `unix:/run/…`. */
  readonly address: string;
  counts(): ListenerCounts;
  /** Takes no more; requests that are under way have so long to end. */
  close(withinMs: number): Promise<void>;
}

export interface ListenerSurroundings {
  readonly options: Partial<ListenOptions>;
  readonly take: Take;
  /** Now in microseconds, later than at any call before. */
  readonly stamp: () => number;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * The daemon's own socket, for its commands: for its user alone, without token and rate, with larger bodies, and with
   * `?source=NAME`, `?conflicts=report` and `?strict=1`.
   */
  readonly trusted?: boolean;
  readonly limits?: Partial<typeof LIMITS>;
}

const LIMITS = {
  /** From the first byte to the end of the headers, and of the body. */
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 10_000,
  connections: 256,
};
const MAX_EVENTS = 1000;
/** So many of the largest size may be in memory. */
const BODIES = 4;
const TRUSTED = { maxBody: 64 * 2 ** 20, maxEvents: 100_000, mode: 0o600 };
const PUBLIC = { maxBody: 2 * 2 ** 20, maxEvents: MAX_EVENTS, mode: 0o660 };
/** The same refusal is said again after so long, however often it comes. */
const SAY_AGAIN_MS = 600_000;

interface Answer extends Refusal {
  /** For the log, where it says more than who asked is told. */
  readonly said?: string;
  /** Tells apart, for the log, what has one status. */
  readonly reason?: 'token' | 'spool';
  readonly events?: readonly { readonly id: string; readonly is: string }[];
}

/** Resolves when it listens; rejects with a Failure that says why it cannot. */
export async function startListener(around: ListenerSurroundings): Promise<Listener> {
  const { options, take, stamp, clock, log, trusted = false } = around;
  const { headersMs, requestMs, idleMs, connections } = { ...LIMITS, ...around.limits };
  const { mode, maxEvents, ...defaults } = trusted ? TRUSTED : PUBLIC;
  const maxBodyBytes = options.maxBody ?? defaults.maxBody;
  const isInTime = trusted ? () => true : createBucket(options.maxPerSecond ?? 100, () => clock.monotonicMs());
  const gate = { address: options.socket === undefined ? (options.address ?? '127.0.0.1') : undefined, maxBodyBytes };
  const refused = new Map<number, number>();
  const said = new Map<string, { atMs: number; unsaid: number }>();
  const room = { maxBytes: maxBodyBytes * BODIES, bytes: 0 };
  let accepted = 0;
  let address = '';
  let isClosing = false;

  const say = (status: number, message: string, reason = ''): void => {
    if (trusted) return;
    const key = `${status} ${reason}`;
    const nowMs = clock.monotonicMs();
    const before = said.get(key);
    if (before !== undefined && nowMs - before.atMs < SAY_AGAIN_MS) before.unsaid += 1;
    else {
      log('events:refused', { at: address, status, message, unsaid: before?.unsaid ?? 0 });
      said.set(key, { atMs: nowMs, unsaid: 0 });
    }
  };

  const judge = async (request: IncomingMessage, goOn: () => void): Promise<Answer | undefined> => {
    const { method = '', url = '', headers } = request;
    if (isClosing) return { status: 503, message: 'the daemon is stopping', headers: SOON };
    const refusal = refusalOf({ method, url, headers }, gate);
    if (refusal !== undefined) return refusal;
    const denied = trusted ? undefined : await denialOf(headers.authorization, options);
    if (denied !== undefined) return denied;
    // After the token: who has none must not use up the rate of those who have.
    if (!isInTime()) return { status: 429, message: 'requests come too fast', headers: SOON };
    goOn();
    const { body: read, release } = readBody(request, maxBodyBytes, room);
    try {
      const body = await read;
      if (body === 'gone') return undefined;
      if (body === 'large') return tooLarge(maxBodyBytes);
      if (body === 'crowded') return { status: 503, message: 'too many bodies come at the same time', headers: SOON };
      const asked = trusted ? wishesOf(url) : PLAIN;
      const rules = { maxEvents, stamp, strict: asked.strict, mayBeRelative: trusted };
      return await taken(body, rules, take, asked, trusted);
    } finally {
      release();
    }
  };

  const serve = async (request: IncomingMessage, response: ServerResponse, expects: boolean): Promise<void> => {
    let isWanted = !expects;
    const goOn = (): void => {
      if (expects) response.writeContinue();
      isWanted = true;
    };
    const answer = await judge(request, goOn).catch((thrown): Answer => {
      const { message } = asFailure(thrown);
      return { status: 500, message: 'a fault of edgestatd; its log says more', said: message };
    });
    if (answer === undefined) return;
    const { status, message, events } = answer;
    if (status === 200) accepted += 1;
    else {
      refused.set(status, (refused.get(status) ?? 0) + 1);
      say(status, answer.said ?? message, answer.reason);
    }
    const text = `${JSON.stringify(events === undefined ? { error: message } : { events })}\n`;
    // Whether a body still comes that was told to wait, nobody knows: what follows could not be told from it.
    const end = isClosing || !isWanted ? { connection: 'close' } : {};
    const type = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    if (!request.complete) hearOut(request);
    response.writeHead(status, { ...type, ...answer.headers, ...end }).end(text);
  };

  const server = createServer({
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: Math.min(1000, headersMs / 2),
  });
  server.maxConnections = connections;
  server.on('request', (request, response) => void serve(request, response, false));
  server.on('checkContinue', (request, response) => void serve(request, response, true));
  address = await listenAt(server, placeOf(options, mode));
  // A connection that breaks is its client's affair.
  server.on('error', (error) => say(500, error.message));
  if (!trusted) log('events:listening', { at: address });

  return {
    address,
    counts: () => ({ accepted, refused }),
    async close(withinMs) {
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const cancel = clock.after(withinMs, () => server.closeAllConnections());
      await closed;
      cancel();
    },
  };
}

const SOON = { 'retry-after': '1' };
const LATER = { 'retry-after': '10' };

function placeOf({ socket, address = '127.0.0.1', port = 0 }: Partial<ListenOptions>, mode: number): Place {
  return socket === undefined ? { address, port, option: 'events.listen.port' } : { socket, mode };
}

async function denialOf(header: string | undefined, options: Partial<ListenOptions>): Promise<Answer | undefined> {
  try {
    if (await isAllowed(header, options)) return undefined;
  } catch (thrown) {
    const said = `the token cannot be had, so that nobody is let in: ${asFailure(thrown).message}`;
    return {
      status: 503,
      message: 'nobody is let in now; the log of the daemon says why',
      said,
      headers: LATER,
      reason: 'token',
    };
  }
  const message = 'the request has not the token; expected the header Authorization: Bearer TOKEN';
  return { status: 401, message, headers: { 'www-authenticate': 'Bearer' } };
}

/** Answered when they are on the disk. The path of the spool is told to the commands alone: a proxy may ask. */
async function taken(
  body: Buffer,
  rules: Parameters<typeof eventsOfBody>[1],
  take: Take,
  { source, conflicts }: Wishes,
  trusted: boolean,
): Promise<Answer> {
  let isConflict = false;
  try {
    const events = eventsOfBody(body, rules);
    isConflict = true;
    const receipts = await take(events, { source, conflicts });
    const told = events.map(({ id }, index) => ({ id, is: receipts[index] ?? 'added' }));
    return { status: 200, message: '', events: told };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    const { code, message } = thrown;
    if (code === 'E_PARSE') return { status: isConflict ? 409 : 400, message };
    if (code !== 'E_SPOOL' && code !== 'E_ABORTED') throw thrown;
    const shown = trusted ? message : 'events cannot be kept now; the log of the daemon says why; send it again later';
    return { status: 503, message: shown, said: message, headers: LATER, reason: 'spool' };
  }
}
