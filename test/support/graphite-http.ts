/** Requests to a private graphite-web; each by its own connection, as a kept one would break when the server is ended. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface Question {
  /** GET, or POST when there is a body. */
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Rejects when there is no whole answer within 20 s; any status is an answer. */
export async function ask(url: string, { method, body, headers }: Question = {}): Promise<Answer> {
  const sent = request(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
    agent: false,
    signal: AbortSignal.timeout(20_000),
  });
  // After the answer began, the answer tells.
  sent.on('error', () => {});
  sent.end(body);
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined) throw new Error(`${url}: no answer`);
  const whole = Buffer.concat(await response.toArray());
  return { status: response.statusCode ?? 0, headers: response.headers, body: whole, text: whole.toString('utf8') };
}

/** What an error page of graphite-web ends with: the exception's line, such as `TypeError: …`; undefined if none. */
export function exceptionIn(page: string): string | undefined {
  const trace = /<pre>([\s\S]*?)<\/pre>/.exec(page)?.[1];
  const line = trace?.trim().split('\n').at(-1);
  return line?.replace(/&(#x27|quot|lt|gt|amp);/g, (_, name: string) => ESCAPED[name] ?? '');
}

const ESCAPED: Readonly<Record<string, string>> = { '#x27': "'", quot: '"', lt: '<', gt: '>', amp: '&' };
