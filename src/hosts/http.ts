/** GETs JSON over HTTP: explicit timeouts, no retry, no redirect, bounded body (the only importer of got). */
import type { HttpOptions } from '../collector.ts';
import { Failure, systemCode } from '../errors.ts';
import { quoted } from '../text.ts';

export async function getJson(
  url: string,
  options: HttpOptions & { readonly maxBytes: number },
  deadline: AbortSignal,
): Promise<unknown> {
  if (deadline.aborted) throw deadline.reason;
  const shown = withoutSecrets(url);
  // Loaded at first use: a daemon that asks no HTTP server does not pay for the client.
  const { default: got, HTTPError } = await import('got');
  const stream = got.stream(url, {
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: true,
    decompress: true,
    timeout: { lookup: 5000, connect: 5000, secureConnect: 5000, socket: 15_000 },
    headers: { accept: 'application/json', ...options.headers },
    signal: deadline,
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: options.password }),
    ...(options.certificateAuthority === undefined
      ? {}
      : { https: { certificateAuthority: options.certificateAuthority } }),
  });
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for await (const chunk of stream) {
      total += chunk.length;
      if (total > options.maxBytes) {
        throw new Failure('E_OUTPUT_SIZE', `${shown} answered with more than ${options.maxBytes} bytes`, {
          url: shown,
        });
      }
      chunks.push(chunk);
    }
    const status = stream.response?.statusCode ?? 0;
    if (status < 200 || status > 299) throw statusFailure(status, shown);
    return parseJson(Buffer.concat(chunks), shown);
  } catch (thrown) {
    if (deadline.aborted) throw located(deadline.reason as Failure, shown);
    if (thrown instanceof Failure) throw thrown;
    if (thrown instanceof HTTPError) throw statusFailure(thrown.response.statusCode, shown);
    throw requestFailure(thrown, shown);
  } finally {
    stream.destroy();
  }
}

function parseJson(body: Buffer, url: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Failure('E_PARSE', `${url} answered with bytes that are no UTF-8`, { url });
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure('E_PARSE', `${url} answered with something else than JSON: ${quoted(text, 80)}`, { url });
  }
}

function statusFailure(status: number, url: string): Failure {
  if (status === 401)
    return new Failure('E_AUTH', `${url} does not accept the user or password (401)`, { url, status });
  if (status === 403) return new Failure('E_DENIED', `${url} forbids this user the request (403)`, { url, status });
  if (status === 404) return new Failure('E_NOT_FOUND', `${url} does not exist there (404)`, { url, status });
  if (status >= 300 && status < 400) {
    return new Failure(
      'E_HTTP_STATUS',
      `${url} redirects (${status}), which is not followed; configure the final URL`,
      { url, status },
    );
  }
  return new Failure('E_HTTP_STATUS', `${url} answered with status ${status}`, { url, status });
}

function requestFailure(thrown: unknown, url: string): Failure {
  const code = systemCode(thrown);
  const cause = thrown;
  if (code === 'ETIMEDOUT' || code === 'ERR_GOT_REQUEST_TIMEOUT') {
    return new Failure('E_TIMEOUT', `${url} did not answer in time`, { url, cause });
  }
  const tls = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(code ?? '');
  if (tls) return new Failure('E_AUTH', `${url}: its certificate is not accepted (${code})`, { url, cause });
  return new Failure('E_CONNECT', `${url}: ${code ?? (thrown as Error).message}`, { url, cause });
}

function located(failure: Failure, url: string): Failure {
  return new Failure(failure.code, `${url}: ${failure.message}`, { ...failure.evidence, url, cause: failure });
}

/** A URL for messages: without user, password and query. */
function withoutSecrets(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return quoted(url.replace(/\/\/[^@/]*@/, '//'));
  }
}
