/**
 * Requests that change something at a server: every status is an answer, and of a failure it is known whether the server
 * may have got the request. Connections are kept.
 */
import { Agent as HttpsAgent } from 'node:https';
import { asFailure, type Failure } from '../errors.ts';
import { Agent as HttpAgent } from '../node-http.ts';
import { beginningOf, type Sending, send, wholeOf, withPatience } from './http.ts';
import { type Credentials, credentialsOf, type Identity } from './http-credentials.ts';
import { located, requestFailure, withoutSecrets } from './http-failures.ts';

export interface Question {
  readonly url: string;
  readonly accept: string;
  /** A text as JSON makes it a POST. */
  readonly body?: string;
  /** A longer answer is none; of one with a status that is not success, the beginning is enough. */
  readonly maxBytes: number;
}

export interface Answered {
  readonly kind: 'answered';
  readonly status: number;
  /** `Retry-After` and `Date` as they came. */
  readonly retryAfter: string | undefined;
  readonly date: string | undefined;
  /** The server says that it is a page for people. */
  readonly isPage: boolean;
  readonly text: string;
  /** What was asked with, and must not be shown. */
  readonly secrets: readonly string[];
}

/** `wasSent`: the server may have got it. */
export type Exchanged = Answered | { readonly kind: 'failed'; readonly failure: Failure; readonly wasSent: boolean };

export interface Exchange {
  /** Never rejects. Whatever ends a request ends its connection too. */
  ask(question: Question, until: AbortSignal): Promise<Exchanged>;
  close(): void;
}

/** Shorter than servers keep connections open, so that hardly a request meets one that is just being closed. */
const IDLE_MS = 1000;
const REASON_BYTES = 256 * 1024;

export function createExchange(
  credentials: Credentials,
  { connections, timeoutMs }: { readonly connections: number; readonly timeoutMs: number },
): Exchange {
  const kept = { keepAlive: true, maxSockets: connections, timeout: IDLE_MS };
  const agents = { http: new HttpAgent(kept), https: new HttpsAgent(kept) };

  const exchange = async (question: Question, until: AbortSignal): Promise<Exchanged> => {
    const shown = withoutSecrets(question.url);
    let sending: Sending | undefined;
    let identity: Identity | undefined;
    try {
      identity = await credentialsOf(question.url, credentials, until);
      if (until.aborted) throw until.reason;
      const headers = {
        accept: question.accept,
        ...(question.body !== undefined && { 'content-type': 'application/json' }),
        ...identity.headers,
        ...credentials.headers,
      };
      sending = await send(
        { identity, headers, agents, ...(question.body !== undefined && { body: question.body }) },
        until,
      );
      return await answerOf(sending, question, shown, identity.secrets);
    } catch (thrown) {
      const wasSent = sending?.wasSent() === true;
      if (until.aborted) return { kind: 'failed', failure: located(asFailure(until.reason), shown), wasSent };
      const isTold = identity === undefined || (thrown instanceof Error && thrown.name === 'Failure');
      const failure = isTold ? asFailure(thrown) : requestFailure(thrown, new URL(identity?.url ?? ''), shown);
      return { kind: 'failed', failure, wasSent };
    } finally {
      sending?.end();
    }
  };

  return {
    async ask(question, until) {
      try {
        return await withPatience(question.url, timeoutMs, until, (each) => exchange(question, each));
      } catch (thrown) {
        // It was ended before it began.
        return { kind: 'failed', failure: asFailure(thrown), wasSent: false };
      }
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

async function answerOf(
  { stream, response }: Sending,
  { maxBytes }: Question,
  url: string,
  secrets: readonly string[],
): Promise<Answered> {
  const { statusCode: status, headers } = await response;
  const isSuccess = status >= 200 && status <= 299;
  const text = isSuccess
    ? (await wholeOf(stream, headers, url, maxBytes, secrets)).body.toString('utf8')
    : await beginningOf(stream, REASON_BYTES);
  return {
    kind: 'answered',
    status,
    retryAfter: headers['retry-after'],
    date: headers.date,
    isPage: /^text\/html\b/i.test(headers['content-type'] ?? ''),
    text,
    secrets,
  };
}
