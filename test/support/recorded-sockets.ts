/**
 * Unix sockets that answer from a recording, as OVSDB (RFC 7047) and the control sockets of Open vSwitch do: JSON-RPC
 * without delimiters. They are pairs of streams in memory; nothing is opened on this machine.
 */
import { readFileSync } from 'node:fs';
import { type Duplex, duplexPair } from 'node:stream';
import { z } from 'zod';

const params = z.array(z.unknown()).optional();
const file = z.string();

/** What is recorded of a socket that accepts connections; an empty list: it accepts and answers nothing. */
export const exchangesOf = z.array(
  z.union([
    /** The file is the reply's result: JSON, or (`.txt`) a text. Without `params` it answers whatever they are. */
    z.strictObject({ method: z.string(), params, file }),
    /** The reply's error; it has no result then. */
    z.strictObject({ method: z.string(), params, error: z.union([z.string(), z.record(z.string(), z.unknown())]) }),
    /** Sent when the reading begins to whoever is still connected; the file is its params. */
    z.strictObject({ notification: z.string(), file }),
  ]),
);
type Exchange = z.infer<typeof exchangesOf>[number];

export const socketQuestion = (path: string): string => `socket ${path}`;
const requestQuestion = (path: string, method: string, words?: unknown): string =>
  `${socketQuestion(path)}: ${method}${words === undefined ? '' : ` ${canonical(words)}`}`;
const notificationQuestion = (path: string, ordinal: number): string => `${socketQuestion(path)}: push ${ordinal}`;

/** The questions that the exchanges of one socket answer, in their order. */
export function questionsOf(path: string, exchanges: readonly Exchange[]): [question: string, exchange: Exchange][] {
  let pushes = 0;
  return exchanges.map((exchange) => [
    'method' in exchange
      ? requestQuestion(path, exchange.method, exchange.params)
      : notificationQuestion(path, ++pushes),
    exchange,
  ]);
}

/** What a recorded socket answers to one question: a file, an error, or what it sends by itself. */
export type SocketAnswer =
  | { readonly file: string }
  | { readonly error: string | Readonly<Record<string, unknown>> }
  | { readonly notification: string; readonly file: string };

export interface RecordedSockets {
  /** A new connection to a recorded socket; the signal ends it, with its reason. */
  connect(path: string, until: AbortSignal): Duplex;
  /** A new reading: connections get what it pushes; those to sockets that are not up in it break. */
  begin(): void;
  close(): void;
}

/**
 * `isUp` and `answerTo` look into the reading of the moment, so a connection that outlives a run answers from the
 * reading of the next one.
 */
export function recordedSockets(
  isUp: (path: string) => boolean,
  answerTo: (question: string) => SocketAnswer | undefined,
): RecordedSockets {
  const open = new Map<Duplex, string>();
  const reply = (path: string, method: string, words: unknown): string => {
    if (method === 'echo') return `"result":${JSON.stringify(words)},"error":null`;
    const answer = answerTo(requestQuestion(path, method, words)) ?? answerTo(requestQuestion(path, method));
    const unknown = `${method} ${JSON.stringify(words)} is not in the recording`;
    if (answer === undefined || !('file' in answer || 'error' in answer)) return `"error":${JSON.stringify(unknown)}`;
    return 'error' in answer
      ? `"error":${JSON.stringify(answer.error)}`
      : `"result":${jsonOf(answer.file)},"error":null`;
  };
  return {
    connect(path, until) {
      const [client, server] = duplexPair();
      open.set(server, path);
      const end = (): void => void client.destroy(until.reason);
      until.addEventListener('abort', end, { once: true });
      client.on('error', () => {}).once('close', () => server.destroy());
      server
        .on('error', () => {})
        .once('close', () => {
          until.removeEventListener('abort', end);
          open.delete(server);
          client.destroy();
        });
      const take = splitter((text) => {
        const request: unknown = JSON.parse(text);
        if (!isRequest(request)) return;
        server.write(`{"id":${JSON.stringify(request.id)},${reply(path, request.method, request.params)}}`);
      });
      server.setEncoding('utf8').on('data', (chunk: string) => {
        try {
          take(chunk);
        } catch {
          // As the real servers do with what is no JSON.
          server.destroy();
        }
      });
      // The other side is done: so are we, as when a real server closes.
      server.on('end', () => server.end());
      return client;
    },
    begin() {
      for (const [server, path] of [...open]) {
        if (!isUp(path)) {
          server.destroy();
          continue;
        }
        const pushes: string[] = [];
        for (let ordinal = 1; ; ordinal++) {
          const answer = answerTo(notificationQuestion(path, ordinal));
          if (answer === undefined || !('notification' in answer)) break;
          const method = JSON.stringify(answer.notification);
          pushes.push(`{"id":null,"method":${method},"params":${jsonOf(answer.file)}}`);
        }
        // As one chunk, which a reader that is listening gets before this returns: the run finds what was pushed.
        if (pushes.length > 0) server.write(pushes.join(''));
      }
    },
    close() {
      for (const server of [...open.keys()]) server.destroy();
    },
  };
}

/** A file as JSON; word by word, so that a number above 2^53 stays what it is. */
function jsonOf(path: string): string {
  const text = readFileSync(path, 'utf8');
  return path.endsWith('.txt') ? JSON.stringify(text) : text.trim();
}

interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly params: unknown;
}

/** Notifications (`"id":null`) and replies to our own requests want no answer. */
function isRequest(message: unknown): message is Request {
  if (typeof message !== 'object' || message === null) return false;
  const { id, method } = message as Partial<Request>;
  return typeof method === 'string' && id !== undefined && id !== null;
}

/** Cuts a stream of JSON objects that nothing separates; throws where something else begins. */
function splitter(take: (text: string) => void): (chunk: string) => void {
  let text = '';
  let at = 0;
  let depth = 0;
  let inString = false;
  return (chunk) => {
    text += chunk;
    for (; at < text.length; at++) {
      const character = text[at];
      if (inString) {
        if (character === '\\') at++;
        else if (character === '"') inString = false;
      } else if (character === '"') inString = true;
      else if (character === '{' || character === '[') depth++;
      else if (character === '}' || character === ']') {
        depth--;
        if (depth > 0) continue;
        const message = text.slice(0, at + 1);
        text = text.slice(at + 1);
        at = -1;
        take(message);
      }
    }
  };
}

/** JSON with sorted keys: two that mean the same read the same. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
