/** GETs over HTTP: explicit timeouts, no retry, no redirect, bounded body (the only importer of got). */
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

export async function getJson(url: string, options: Bounded, deadline: AbortSignal): Promise<unknown> {
  const { body, html, secrets } = await get(url, 'application/json', options, deadline);
  return jsonOf(body, html, withoutSecrets(url), secrets);
}

export async function getText(url: string, options: Bounded, deadline: AbortSignal): Promise<string> {
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

async function get(text: string, accept: string, options: Bounded, deadline: AbortSignal): Promise<Answer> {
  if (deadline.aborted) throw deadline.reason;
  const shown = withoutSecrets(text);
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return ask(text, shown, accept, options, deadline);
  const patience = new AbortController();
  const timer = setTimeout(() => {
    patience.abort(new Failure('E_TIMEOUT', `did not answer within ${timeoutMs / 1000} s`, { url: shown }));
  }, timeoutMs);
  try {
    return await ask(text, shown, accept, options, AbortSignal.any([deadline, patience.signal]));
  } finally {
    clearTimeout(timer);
  }
}

async function ask(text: string, shown: string, accept: string, options: Bounded, until: AbortSignal): Promise<Answer> {
  const identity = await credentialsOf(text, options, until);
  if (until.aborted) throw located(until.reason as Failure, shown);
  // Loaded at first use: a daemon that asks no HTTP server does not pay for the client.
  const { default: got } = await import('got');
  let stream: Request | undefined;
  try {
    stream = got.stream(identity.url, {
      retry: { limit: 0 },
      followRedirect: false,
      throwHttpErrors: false,
      // It would cost the server more, and a small answer could become a huge one.
      decompress: false,
      timeout: { lookup: 5000, connect: 5000, secureConnect: 5000, socket: 15_000 },
      headers: { accept, ...identity.headers, ...options.headers },
      https: identity.https,
      signal: until,
    });
    const open = stream;
    // What breaks between two reads is told by the next one.
    open.on('error', () => {});
    const response = await new Promise<Response>((resolve, reject) => {
      open.once('response', resolve).once('error', reject);
    });
    return await answerOf(open, response, shown, options, identity);
  } catch (thrown) {
    if (until.aborted) throw located(until.reason as Failure, shown);
    throw thrown instanceof Failure ? thrown : requestFailure(thrown, new URL(identity.url), shown);
  } finally {
    stream?.destroy();
  }
}

async function answerOf(
  stream: Request,
  { statusCode: status, headers }: Response,
  url: string,
  { maxBytes, statuses = [] }: Bounded,
  { secrets }: Identity,
): Promise<Answer> {
  if ((status < 200 || status > 299) && !statuses.includes(status)) {
    throw statusFailure(status, url, await beginningOf(stream), secrets);
  }
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
  return { body: Buffer.concat(chunks), html, secrets };
}

function tooLarge(url: string, maxBytes: number): Failure {
  return new Failure('E_OUTPUT_SIZE', `${url} answered with more than ${maxBytes} bytes`, { url });
}

/** The first bytes of a body that may say why; what breaks or drips is enough as it is. */
async function beginningOf(stream: Request): Promise<string> {
  const chunks: Buffer[] = [];
  let total = 0;
  const timer = setTimeout(() => stream.destroy(), REASON_MS);
  try {
    for await (const chunk of stream) {
      chunks.push(chunk);
      total += chunk.length;
      if (total >= REASON_BYTES) break;
    }
  } catch {
    // The status is the news.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).subarray(0, REASON_BYTES).toString('utf8');
}
