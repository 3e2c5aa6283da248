/** What is refused of a request before its body is read. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

export interface Refusal {
  readonly status: number;
  /** One sentence for who asked. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Gate {
  /** Undefined on a unix socket, which no browser reaches. */
  readonly address: string | undefined;
  readonly maxBodyBytes: number;
}

/**
 * A page in a browser on this machine can send requests here, though not read the answers. Browsers say so by `Origin`
 * or `Sec-Fetch-Site`, which no deploy tool sends; and a name that was made to point here (DNS rebinding) stands in
 * `Host`.
 */
export function refusalOf({ method, url, headers }: Asked, { address, maxBodyBytes }: Gate): Refusal | undefined {
  if (address !== undefined && headers.host !== undefined && !isOurs(headers.host, address)) {
    const message = `the Host of the request is none of this listener; expected ${bracketed(address)} or localhost`;
    return { status: 421, message };
  }
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
    return { status: 403, message: 'requests of web pages (with Origin or Sec-Fetch-Site) are not taken' };
  }
  const path = url.split(/[?#]/, 1)[0] ?? '';
  if (path !== '/events' && path !== '/events/') return { status: 404, message: 'there is nothing but POST /events/' };
  if (method !== 'POST') {
    return { status: 405, message: 'events are taken by POST alone', headers: { allow: 'POST' } };
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    return { status: 415, message: 'a body with a Content-Encoding is not taken; send it as it is' };
  }
  const length = headers['content-length'];
  if (length === undefined && headers['transfer-encoding'] === undefined) {
    return { status: 411, message: 'the request has no Content-Length, and no body in chunks' };
  }
  return Number(length ?? 0) > maxBodyBytes ? tooLarge(maxBodyBytes) : undefined;
}

export function tooLarge(maxBodyBytes: number): Refusal {
  return { status: 413, message: `the body is larger than ${maxBodyBytes} bytes; send fewer events at once` };
}

function isOurs(host: string, address: string): boolean {
  const name = host
    .replace(/:[0-9]*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return name === 'localhost' || name === address || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** Refuses what comes faster than so many a second; as many may come at once. */
export function createBucket(perSecond: number, nowMs: () => number): () => boolean {
  let tokens = perSecond;
  let lastMs = nowMs();
  return () => {
    const now = nowMs();
    tokens = Math.min(perSecond, tokens + ((now - lastMs) * perSecond) / 1000);
    lastMs = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
