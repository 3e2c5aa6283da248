/** What an answer to a posted event means: taken, or not, or nobody knows; and whose fault it is. Pure. */
import type { Code } from '../../errors.ts';
import { Failure } from '../../errors.ts';
import type { Answered, Exchanged } from '../../hosts/http-exchange.ts';
import { type Raised, raisedIn, reasonIn } from './answer-reason.ts';

export type Answer =
  | { readonly kind: 'taken' }
  | {
      readonly kind: 'untaken';
      readonly failure: Failure;
      /**
       * `no`: it surely does not stand there. `ask`: it may, and the server is done with it. `later`: it may, and the
       * server may still be at work.
       */
      readonly mayStand: 'no' | 'ask' | 'later';
      /** It may be this event alone that is not taken, so that others are tried before it. */
      readonly isSuspect: boolean;
      /**
       * After so many of these answers, between which others were taken, it never will be taken; 1: at once, if the
       * server is well otherwise. Undefined: it is tried for ever.
       */
      readonly deadAfter?: number;
      /** The server asks for so much patience. */
      readonly waitMs?: number;
    };

type Untaken = Extract<Answer, { kind: 'untaken' }>;

/** A server that says to come back next year is asked again within the hour. */
const MAX_WAIT_MS = 3_600_000;

/** `isTaken`: of the body of a 2xx answer that is no page. */
export function answerOf(exchanged: Exchanged, url: string, nowMs: number, isTaken: (body: string) => boolean): Answer {
  if (exchanged.kind === 'failed') return lost(exchanged);
  const { status, text, isPage } = exchanged;
  if (status >= 200 && status <= 299) {
    // Graphite calls its empty answer a page.
    const isForPeople = /^\s*</.test(text) || (isPage && text.trim() !== '' && !/^\s*[[{]/.test(text));
    if (!isForPeople && isTaken(text)) return { kind: 'taken' };
    const found = isForPeople ? 'a page, as a login, a proxy or another server sends' : 'a body that it never sends';
    const failure = new Failure('E_PARSE', `${url} answered ${status} with ${found}${told(exchanged)}; check the URL`, {
      url,
      status,
    });
    return { kind: 'untaken', failure, mayStand: 'ask', isSuspect: true, deadAfter: 3 };
  }
  const failure = statusFailure(exchanged, url);
  return { kind: 'untaken', failure, ...waitOf(exchanged, nowMs), ...judged(status, raisedIn(text)) };
}

/** No whole answer came. */
function lost({ failure, wasSent }: Extract<Exchanged, { kind: 'failed' }>): Answer {
  // Where either side does not accept the other in the TLS handshake, no request was read.
  const mayStand = wasSent && failure.code !== 'E_AUTH' ? 'later' : 'no';
  return { kind: 'untaken', failure, mayStand, isSuspect: false };
}

type Judgement = Pick<Untaken, 'mayStand' | 'isSuspect' | 'deadAfter'>;

function judged(status: number, raised: Raised | undefined): Judgement {
  switch (status) {
    case 500:
      return { mayStand: 'ask', isSuspect: true, ...fateOf(raised) };
    // The body itself; but a server that was misconfigured says so to all, so that it is asked whether it is well.
    case 400:
    case 413:
    case 414:
    case 422:
    case 431:
      return { mayStand: 'ask', isSuspect: true, deadAfter: 1 };
    // Whoever sends these has not looked at the event, so that they say nothing of it.
    case 401:
    case 404:
    case 405:
    case 407:
    case 501:
    case 505:
    case 511:
      return { mayStand: 'no', isSuspect: true };
    case 403:
      return { mayStand: 'no', isSuspect: true, deadAfter: 3 };
    case 408:
    case 425:
    case 429:
      return { mayStand: 'no', isSuspect: false };
    default:
      if (status < 400) return { mayStand: 'no', isSuspect: true };
      if (status < 500) return { mayStand: 'no', isSuspect: true, deadAfter: 3 };
      // Proxies send these also when the connection to the server broke after the request had gone out.
      return { mayStand: 'later', isSuspect: false };
  }
}

/** Of the values that were to be stored: no repetition changes them. */
const OF_DATA = new Set(['DataError', 'OverflowError', 'UnicodeEncodeError', 'UnicodeDecodeError', 'ValueError']);
/** Of the server’s state: its database is locked or gone, it is short of something, or half of an update. */
const OF_STATE = new Set([
  ...['OperationalError', 'InterfaceError', 'InternalError', 'DatabaseError', 'ProgrammingError', 'NotSupportedError'],
  ...['MemoryError', 'OSError', 'IOError', 'BrokenPipeError', 'TimeoutError', 'SystemExit', 'WorkerTimeout'],
  ...['ConnectionError', 'ConnectionResetError', 'ConnectionRefusedError', 'ImproperlyConfigured'],
  ...['ImportError', 'ModuleNotFoundError', 'PermissionError', 'FileNotFoundError'],
]);
/** MySQL has these of the data too, by numbers of its own: a character that the column cannot hold, or too many of them. */
const MYSQL_DATA = /^\((?:1366|1406|1264),/;

function fateOf(raised: Raised | undefined): Pick<Judgement, 'deadAfter'> {
  if (raised === undefined) return { deadAfter: 3 };
  if (OF_DATA.has(raised.name) || MYSQL_DATA.test(raised.message)) return { deadAfter: 1 };
  return OF_STATE.has(raised.name) ? {} : { deadAfter: 2 };
}

const CODES: Readonly<Record<number, Code>> = { 401: 'E_AUTH', 403: 'E_DENIED', 404: 'E_NOT_FOUND', 407: 'E_AUTH' };
const ADVICE: Readonly<Record<number, string>> = {
  400: '; does the server know the name in the URL?',
  401: '; check user and password, or the token',
  403: '; give this user or token the right to do so',
  404: '; check the URL',
  405: '; check the URL',
  407: '; check the proxy',
};

/** A status that is no success, as one sentence: whom was asked, what came, what to do. */
export function statusFailure(answered: Answered, url: string): Failure {
  const { status } = answered;
  const advice = status >= 300 && status < 400 ? '; configure the final URL' : (ADVICE[status] ?? '');
  const verb = status >= 300 && status < 400 ? 'redirects, which is not followed' : 'answered';
  return new Failure(CODES[status] ?? 'E_HTTP_STATUS', `${url} ${verb} (${status})${told(answered)}${advice}`, {
    url,
    status,
  });
}

function told({ text, secrets }: Answered): string {
  const reason = reasonIn(text, secrets);
  return reason === '' ? '' : `: ${reason}`;
}

/** `Retry-After` in seconds, or as a date, which is compared with the server's own where it tells that. */
export function waitOf({ retryAfter, date }: Answered, nowMs: number): { waitMs?: number } {
  const text = retryAfter?.trim() ?? '';
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - (parsed(date) ?? nowMs);
  return ms > 0 ? { waitMs: Math.min(ms, MAX_WAIT_MS) } : {};
}

function parsed(date: string | undefined): number | undefined {
  const ms = Date.parse(date ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}
