/** A UDP socket that keeps what it receives; tests wait for datagrams, never for time. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export interface UdpListener {
  readonly port: number;
  readonly datagrams: string[];
  /** All lines of all datagrams, in order. */
  lines(): string[];
  /** Resolves when the lines satisfy the condition; rejects after `withinMs`. */
  until(condition: (lines: string[]) => boolean, what: string, withinMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function listenUdp({ port = 0, address = '127.0.0.1' } = {}): Promise<UdpListener> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  const datagrams: string[] = [];
  const watchers = new Set<() => void>();
  socket.on('message', (message) => {
    datagrams.push(message.toString('utf8'));
    for (const look of [...watchers]) look();
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  const lines = (): string[] => datagrams.flatMap((datagram) => datagram.split('\n'));
  return {
    port: socket.address().port,
    datagrams,
    lines,
    until(condition, what, withinMs = 20_000) {
      return new Promise((resolve, reject) => {
        const end = (error?: Error): void => {
          clearTimeout(timer);
          watchers.delete(look);
          if (error === undefined) resolve();
          else reject(error);
        };
        const timer = setTimeout(() => {
          end(new Error(`waited ${withinMs} ms in vain for ${what}; ${datagrams.length} datagrams came`));
        }, withinMs);
        const look = (): void => {
          if (condition(lines())) end();
        };
        watchers.add(look);
        look();
      });
    },
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
}
