/** Where commands hand events in: at the daemon that runs, and straight into the spool where none does. */
import type { Clock } from '../clock.ts';
import { takeLock } from '../database.ts';
import { isCorrupt } from '../database-failures.ts';
import { Failure, systemCode } from '../errors.ts';
import { request } from '../node-http.ts';
import { quoted } from '../text.ts';
import type { Event } from './event.ts';
import type { EventsOptions } from './options.ts';
import { openSpool, type Receipt, type Spool } from './spool.ts';
import type { Take } from './taking.ts';

export interface Desk {
  readonly take: Take;
  /** Whether a daemon has them, which delivers at once. */
  readonly hasDaemon: boolean;
  close(): void;
}

/** The socket on which a daemon takes events from the commands of its machine. */
export function controlSocket(options: Pick<EventsOptions, 'spool'>): string {
  return `${options.spool}.sock`;
}

/** The spool's own settings. */
export function spoolOptions({ spool, maxBytes, maxAge, whenFull }: EventsOptions) {
  return { path: spool, maxBytes, maxAgeMs: maxAge, whenFull };
}

export async function openDesk(options: EventsOptions, clock: Clock): Promise<Desk> {
  const socket = controlSocket(options);
  if (await answers(socket)) {
    return { take: (events, how) => overSocket(socket, events, how), hasDaemon: true, close() {} };
  }
  const spool = openAlone(options, clock);
  return {
    take: async (events, { source, conflicts }) => spool.accept(events, { source, conflicts, nowMs: clock.wallMs() }),
    hasDaemon: false,
    close: spool.close,
  };
}

/** What is no usable database is moved aside, unless a daemon that starts this very moment does so. */
function openAlone(options: EventsOptions, clock: Clock): Spool {
  const open = (mayMoveAside: boolean): Spool =>
    openSpool(spoolOptions(options), { mayMoveAside, nowMs: clock.wallMs() });
  try {
    return open(false);
  } catch (thrown) {
    const release = isCorrupt(thrown) ? takeLock(options.spool) : undefined;
    if (release === undefined) throw thrown;
    try {
      return open(true);
    } finally {
      release();
    }
  }
}

/** Whether a daemon listens there; a socket that nobody listens on is left by one that was killed. */
async function answers(socketPath: string): Promise<boolean> {
  try {
    await call(socketPath, 'GET', '');
    return true;
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return false;
    if (code === 'EACCES' || code === 'EPERM') {
      const advice = 'run this as the user of the daemon, or as root';
      throw new Failure('E_DENIED', `${socketPath}: this user may not hand events to the daemon; ${advice}`);
    }
    throw new Failure('E_CONNECT', `${socketPath}: the daemon does not answer (${code ?? (thrown as Error).message})`);
  }
}

interface Answered {
  readonly events?: readonly { readonly is: Receipt }[];
  readonly error?: string;
}

async function overSocket(
  socketPath: string,
  events: readonly Event[],
  { source, conflicts }: Parameters<Take>[1],
): Promise<readonly Receipt[]> {
  const body = JSON.stringify(
    events.map(({ id, what, tags, data, whenUs, isRelative }) => ({
      ...{ id, what, tags, data, when: whenUs / 1e6 },
      // With its id it is the same event when it comes again, though its time is another then.
      ...(isRelative === true && { relative: true }),
    })),
  );
  const query = `?conflicts=${conflicts}&source=${encodeURIComponent(source)}`;
  const { status, text } = await call(socketPath, 'POST', body, `/events/${query}`).catch((thrown) => {
    throw unanswered(socketPath, thrown);
  });
  const { events: told, error } = answered(text);
  if (status === 200 && told?.length === events.length) return told.map(({ is }) => is);
  const code = status === 409 || status === 400 ? 'E_PARSE' : 'E_SPOOL';
  throw new Failure(code, error ?? `the daemon answered with status ${status}: ${quoted(text)}`);
}

function unanswered(socketPath: string, thrown: unknown): Failure {
  const reason = systemCode(thrown) ?? (thrown as Error).message;
  const advice = 'run this again: an event with an id, or with a time of its own, is not taken twice';
  const message = `${socketPath}: the daemon did not answer (${reason}), so that nobody knows what it took; ${advice}`;
  return new Failure('E_CONNECT', message, { path: socketPath, cause: thrown });
}

function answered(text: string): Answered {
  try {
    return JSON.parse(text) as Answered;
  } catch {
    return {};
  }
}

const ANSWER_MS = 30_000;
const MAX_ANSWER = 8 * 2 ** 20;

function call(socketPath: string, method: string, body: string, path = '/events/') {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      host: 'localhost',
    };
    const sent = request({ socketPath, path, method, headers, timeout: ANSWER_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER) response.destroy();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
      response.on('close', () => reject(new Error('its answer was cut off')));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 30 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}
