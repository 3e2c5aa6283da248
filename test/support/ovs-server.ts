/**
 * A scripted server of Open vSwitch's JSON-RPC on a unix socket, for what the real one cannot be brought to do.
 * It answers `echo`, `get_schema` and `monitor` as the real one does, unless the script says something else.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchedColumns } from '../../src/ovs/database.ts';
import { createFramer } from '../../src/ovs/json-stream.ts';

export interface Request {
  readonly id: unknown;
  readonly method: string | undefined;
  readonly params: readonly unknown[];
}

/** What is sent instead of the usual answer: a text as it is, or nothing (undefined). `usual`: that answer. */
export type Script = (request: Request, usual: string, socket: Socket) => string | undefined;

export interface OvsServer {
  readonly path: string;
  /** All messages of all connections, in order: requests, and replies to what the server asked. */
  readonly received: Record<string, unknown>[];
  readonly sockets: Socket[];
  /** Resolves with the first message that satisfies the condition, which may have come already. */
  message(condition: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** From the next message on. */
  script(script: Script): void;
  /** Sends a text over the newest connection. */
  send(text: string): void;
  close(): Promise<void>;
}

/** The columns of the replica's tables, all optional texts. */
export const schema = {
  name: 'Open_vSwitch',
  version: '8.3.1',
  tables: Object.fromEntries(
    Object.entries(watchedColumns).map(([table, columns]) => [
      table,
      { columns: Object.fromEntries(columns.map((column) => [column, { type: 'string' }])) },
    ]),
  ),
};

export const update = (tables: unknown, monitor: unknown = 'edgestatd'): string =>
  JSON.stringify({ method: 'update', id: null, params: [monitor, tables] });

/** A row of a table, with `["set",[]]` in all columns but these. */
export const rowOf = (table: keyof typeof watchedColumns, some: Record<string, unknown>): Record<string, unknown> => ({
  ...Object.fromEntries(watchedColumns[table].map((column) => [column, ['set', []]])),
  ...some,
});

export async function startOvsServer(rows: Record<string, unknown> = {}): Promise<OvsServer> {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-ovs-'));
  const path = join(directory, 'db.sock');
  const received: Record<string, unknown>[] = [];
  const sockets: Socket[] = [];
  const watchers = new Set<() => void>();
  let script: Script = (_, usual) => usual;
  const results: Record<string, unknown> = { echo: [], get_schema: schema, monitor: rows };
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    const onChunk = createFramer((text) => {
      const message = JSON.parse(text) as Record<string, unknown>;
      received.push(message);
      for (const look of [...watchers]) look();
      const { id, method, params } = message;
      if (typeof method !== 'string') return;
      const usual = JSON.stringify({ id, result: results[method] ?? [{ rows: [] }], error: null });
      const answer = script({ id, method, params: params as unknown[] }, usual, socket);
      if (answer !== undefined && socket.writable) socket.write(answer);
    });
    socket.on('data', (chunk: Buffer) => onChunk(chunk));
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    received,
    sockets,
    message: (condition) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = received.find(condition);
          if (found === undefined) return;
          watchers.delete(look);
          resolve(found);
        };
        watchers.add(look);
        look();
      }),
    script(next) {
      script = next;
    },
    send: (text) => void sockets.at(-1)?.write(text),
    async close() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) {
        server.close();
        await once(server, 'close');
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
