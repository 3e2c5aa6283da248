/** A scripted end for lines: reads as Carbon does, or not at all, and ends connections as it is told. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface CarbonReceiver {
  readonly port: number;
  /** All lines that were read, in order. */
  readonly lines: string[];
  /** Connections that were made so far, and those that are open. */
  readonly connections: number;
  readonly open: number;
  /** Resolves as soon as it is so; looks at each line and connection. */
  until(isSo: () => boolean, what: string, withinMs?: number): Promise<void>;
  /** What is read is left in the kernel's buffers from now on. */
  pause(): void;
  resume(): void;
  /** Resets the connections; `end`: ends them instead, as the kernel does for a process that has read everything. */
  cut(how?: 'reset' | 'end'): void;
  /** Nobody listens, and nothing is open. */
  stop(): Promise<void>;
  /** Listens again on the same port. */
  start(): Promise<void>;
  /** Takes no connection more, until it is started again; those that stand go on. */
  deafen(): void;
}

export async function startCarbonReceiver(
  options: { readonly tls?: TlsOptions; readonly host?: string; readonly port?: number } = {},
): Promise<CarbonReceiver> {
  const { tls, host = '127.0.0.1' } = options;
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  /** Those below TLS too, whose handshake may have failed. */
  const raw = new Set<Socket>();
  const waiting = new Set<() => void>();
  const look = (): void => {
    for (const one of waiting) one();
  };
  let connections = 0;
  let isPaused = false;
  const accept = (socket: Socket): void => {
    connections += 1;
    sockets.add(socket);
    let rest = '';
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const all = (rest + data.toString('latin1')).split('\n');
      rest = all.pop() ?? '';
      lines.push(...all);
      look();
    });
    // Its end is read after all that was sent before it, and answered with ours.
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      sockets.delete(socket);
      look();
    });
    // Else even the end of an empty stream is not seen, as in a process that stands still.
    if (isPaused) socket.pause();
    else socket.resume();
    look();
  };
  let server: Server;
  const listen = async (port: number): Promise<number> => {
    const form = { allowHalfOpen: true, pauseOnConnect: true };
    server = tls === undefined ? createServer(form, accept) : createTlsServer({ ...tls, ...form }, accept);
    server.on('connection', (socket: Socket) => {
      raw.add(socket);
      socket.on('close', () => raw.delete(socket));
    });
    server.listen(port, host);
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  };
  const port = await listen(options.port ?? 0);
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of [...sockets, ...raw]) socket.destroy();
    await closed;
  };
  return {
    ...{ port, lines, stop },
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    until(isSo, what, withinMs = 15_000) {
      return new Promise((resolve, reject) => {
        const end = (error?: Error): void => {
          clearTimeout(timer);
          waiting.delete(check);
          if (error === undefined) resolve();
          else reject(error);
        };
        const check = (): void => {
          if (isSo()) end();
        };
        const timer = setTimeout(() => end(new Error(`waited ${withinMs} ms in vain for ${what}`)), withinMs);
        waiting.add(check);
        check();
      });
    },
    pause() {
      isPaused = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      isPaused = false;
      for (const socket of sockets) socket.resume();
    },
    cut(how = 'reset') {
      for (const socket of sockets) {
        if (how === 'end') socket.destroy();
        else socket.resetAndDestroy();
      }
    },
    deafen: () => void server.close(),
    async start() {
      await listen(port);
    },
  };
}
