/**
 * A TCP proxy on a free port of 127.0.0.1 that breaks connections where a test wants it. It knows no protocol: a request
 * begins with the first bytes that a client sends after it connected, or after bytes of an answer came.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export type Rule =
  | { readonly kind: 'pass' | 'blackhole' }
  | { readonly kind: 'cut'; readonly of: 'request' | 'response'; readonly afterBytes: number };

/** Both directions, unchanged. A server that refuses connections resets the client's. */
export const pass = (): Rule => ({ kind: 'pass' });
/** Takes what the client sends, forwards nothing and never answers. */
export const blackhole = (): Rule => ({ kind: 'blackhole' });
/**
 * Forwards so many bytes of the request and then resets the client's connection; the server sees the end of the
 * client's data there, and its answer goes nowhere. A request that is shorter passes.
 */
export const cutAfterRequestBytes = (afterBytes: number): Rule => ({ kind: 'cut', of: 'request', afterBytes });
/**
 * Forwards the request, and so many bytes of the answer; when one more comes, resets the client's connection. An answer
 * that is not longer passes.
 */
export const cutAfterResponseBytes = (afterBytes: number): Rule => ({ kind: 'cut', of: 'response', afterBytes });
/** Forwards the whole request, and when the server has begun to answer, resets the client's connection without it. */
export const cutBeforeResponse = (): Rule => cutAfterResponseBytes(0);

/** What happens to a request, by the ordinals from 0 of its connection and of the request on that. */
export type Rules = Rule | ((connection: number, request: number) => Rule);

export interface CuttingProxy {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Connections that clients made so far. */
  readonly connections: number;
  /** Requests that began so far, on all of them. */
  readonly requests: number;
  /** Connections of clients that were reset so far, for whatever reason. */
  readonly cuts: number;
  /** Connections of clients that are open. */
  readonly open: number;
  /** From now on, for requests that have not begun, on open connections too. */
  set(rules: Rules): void;
  /** Resets all connections that are open now. */
  cut(): void;
  /** Every connection ends, and none is accepted any more. */
  close(): Promise<void>;
}

export async function startProxy({ to, rules: first = pass() }: { to: number; rules?: Rules }): Promise<CuttingProxy> {
  let rules = first;
  const counts = { connections: 0, requests: 0, cuts: 0 };
  const clients = new Map<Socket, () => void>();
  const upstreams = new Set<Socket>();

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const connection = counts.connections++;
    let upstream: Socket | undefined;
    let rule: Rule = pass();
    let requests = 0;
    let inRequest = false;
    let requestBytes = 0;
    let responseBytes = 0;
    const cut = (): void => {
      if (!clients.delete(client)) return;
      counts.cuts++;
      client.resetAndDestroy();
    };
    clients.set(client, cut);
    const upstreamOf = (): Socket => {
      if (upstream !== undefined) return upstream;
      const opened = connect({ port: to, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
      upstream = opened;
      upstreams.add(opened);
      opened
        .on('data', (chunk) => {
          inRequest = false;
          if (!clients.has(client)) return;
          const room = rule.kind === 'cut' && rule.of === 'response' ? rule.afterBytes - responseBytes : chunk.length;
          responseBytes += chunk.length;
          if (room >= chunk.length) forward(chunk, opened, client);
          else if (room <= 0) cut();
          else client.write(chunk.subarray(0, room), cut);
        })
        .on('end', () => client.end())
        .on('error', cut)
        .on('close', () => {
          upstreams.delete(opened);
          client.end();
          // It may wait for this side to take more.
          client.resume();
        });
      return opened;
    };
    client
      .on('data', (chunk) => {
        if (!inRequest) {
          inRequest = true;
          counts.requests++;
          rule = typeof rules === 'function' ? rules(connection, requests) : rules;
          requests++;
          requestBytes = 0;
          responseBytes = 0;
        }
        if (rule.kind === 'blackhole') return;
        const room = rule.kind === 'cut' && rule.of === 'request' ? rule.afterBytes - requestBytes : Infinity;
        requestBytes += chunk.length;
        if (room > chunk.length) return void forward(chunk, client, upstreamOf());
        // When the server's side of the kernel has the bytes; the server reads them whatever becomes of the client.
        client.pause();
        upstreamOf().end(chunk.subarray(0, room), cut);
      })
      .on('end', () => (upstream === undefined ? client.end() : upstream.end()))
      .on('error', () => {})
      .on('close', () => {
        clients.delete(client);
        // It may still read what it has got.
        upstream?.end();
        upstream?.resume();
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return counts.connections;
    },
    get requests() {
      return counts.requests;
    },
    get cuts() {
      return counts.cuts;
    },
    get open() {
      return clients.size;
    },
    set(next) {
      rules = next;
    },
    cut() {
      for (const cut of [...clients.values()]) cut();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of [...clients.keys(), ...upstreams]) socket.destroy();
      clients.clear();
      await closed;
    },
  };
}

/** A side that is read slower than the other writes makes that one wait. */
function forward(chunk: Buffer, from: Socket, to: Socket): void {
  if (to.writable && !to.write(chunk)) {
    from.pause();
    to.once('drain', () => from.resume());
  }
}
