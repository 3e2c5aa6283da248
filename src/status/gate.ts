/** What is refused of a request to the status server. Pure. */

export interface Refusal {
  readonly status: number;
  /** One sentence for who asked. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly method: string;
  readonly headers: {
    readonly host?: string | undefined;
    readonly 'content-length'?: string | undefined;
    readonly 'transfer-encoding'?: string | undefined;
  };
}

/**
 * `port` is that of the loopback address; undefined on a unix socket, which no browser reaches. A name that was made to
 * point here (DNS rebinding) stands in `Host`, and a page of that name could read the answers.
 */
export function refusalOf({ method, headers }: Asked, port: number | undefined): Refusal | undefined {
  if (port !== undefined && !isOurs(headers.host, port)) {
    const message = `the Host of the request is none of this server; expected 127.0.0.1:${port} or localhost:${port}`;
    return { status: 403, message };
  }
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, message: 'there is nothing but GET and HEAD', headers: { allow: 'GET, HEAD' } };
  }
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    return { status: 400, message: 'the request has a body; expected none', headers: { connection: 'close' } };
  }
  return undefined;
}

const OUR_NAME = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|localhost)$/;

/** A browser leaves out port 80. */
function isOurs(host: string | undefined, port: number): boolean {
  const [, name = '', given = '80'] = /^(.*?)(?::(\d{1,5}))?$/s.exec(host?.toLowerCase() ?? '') ?? [];
  return OUR_NAME.test(name) && Number(given) === port;
}
