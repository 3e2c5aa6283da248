/**
 * JSON-RPC 1.0 as Open vSwitch speaks it (RFC 7047, section 4; unixctl(7)): JSON objects on a stream, one after the
 * other, without delimiters. Both sides may ask; what the server asks (`echo`) is answered at once.
 */
import type { Duplex } from 'node:stream';
import { asFailure, type Code, Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { createFramer, exactText, MAX_MESSAGE_BYTES, parseExact } from './json-stream.ts';

export interface Call<Result> {
  /** Rejects the call with its reason; the connection goes on. */
  readonly deadline?: AbortSignal | undefined;
  /** Reads the result before any later message is looked at. What it throws ends the connection. */
  readonly read?: (result: unknown) => Result;
}

export interface JsonRpc {
  /** Rejects with the refusal of the other side, the deadline's reason, or why the connection ended. */
  call<Result = unknown>(method: string, params: readonly unknown[], call?: Call<Result>): Promise<Result>;
  /** Ends the connection; all that is pending rejects with the reason. */
  close(reason: Failure): void;
  /** Why the connection ended, as soon as it has. */
  ended(): Failure | undefined;
}

export interface JsonRpcOptions {
  /** Who the other side is, for messages: `the OVSDB server at "/run/openvswitch/db.sock"`. */
  readonly peer: string;
  /** What it throws ends the connection. */
  readonly onNotification?: (method: string, params: unknown) => void;
  /** A reply to nothing that was asked ends the connection (`E_PARSE`), instead of being ignored. */
  readonly strict?: boolean;
  /** Largest message; a larger one ends the connection (`E_OUTPUT_SIZE`). */
  readonly maxBytes?: number;
}

interface Pending {
  readonly method: string;
  settle(result: unknown): void;
  refuse(reason: unknown): void;
}

/** A server that asks without ever reading the answers must not fill the memory. */
const MAX_UNREAD_BYTES = 1024 * 1024;

export function jsonRpc(stream: Duplex, options: JsonRpcOptions): JsonRpc {
  const { peer, onNotification = () => {}, strict = false, maxBytes = MAX_MESSAGE_BYTES } = options;
  /** Undefined: nobody waits any more, but the reply may still come. */
  const pending = new Map<number, Pending | undefined>();
  let asked = 0;
  let over: Failure | undefined;

  const end = (reason: Failure): void => {
    if (over !== undefined) return;
    over = reason;
    stream.destroy();
    for (const one of pending.values()) one?.refuse(reason);
    pending.clear();
  };
  const send = (message: Readonly<Record<string, unknown>>): void => {
    if (stream.writableLength > MAX_UNREAD_BYTES) {
      end(new Failure('E_CONNECT', `${peer} does not read what it is sent; connection ended`));
    } else stream.write(exactText(message));
  };
  const onReply = (id: unknown, result: unknown, error: unknown): void => {
    if (typeof id !== 'number' || !pending.has(id)) {
      if (strict) throw new Failure('E_PARSE', 'it answered what it was not asked');
      return;
    }
    const one = pending.get(id);
    if (error === undefined || error === null) one?.settle(result);
    else one?.refuse(refusal(peer, one.method, error));
    pending.delete(id);
  };
  const onMessage = (text: string): void => {
    if (over !== undefined) return;
    const { method, params, id, result, error } = messageOf(text);
    if (method === undefined) onReply(id, result, error);
    else if (id === null || id === undefined) onNotification(method, params);
    else if (method === 'echo') send({ id, result: params, error: null });
    else send({ id, result: null, error: 'unknown method' });
  };
  const onChunk = createFramer(onMessage, maxBytes);

  stream.on('data', (chunk: Buffer) => {
    try {
      if (over === undefined) onChunk(chunk);
    } catch (thrown) {
      const { code, message } = asFailure(thrown);
      end(new Failure(code, `${peer} broke the protocol: ${message}`, { cause: thrown }));
    }
  });
  const onClose = (): void => end(new Failure('E_CONNECT', `${peer} closed the connection`));
  stream.once('end', onClose);
  stream.once('close', onClose);
  // The listener stays: what breaks after the end must not end the process.
  stream.on('error', (error) => {
    const known = error instanceof Failure ? error : undefined;
    end(known ?? new Failure('E_CONNECT', `the connection to ${peer} broke: ${error.message}`, { cause: error }));
  });

  return {
    call<Result>(method: string, params: readonly unknown[], { deadline, read }: Call<Result> = {}) {
      if (over !== undefined) return Promise.reject(over);
      if (deadline?.aborted === true) return Promise.reject(deadline.reason);
      const id = ++asked;
      return new Promise<Result>((resolve, reject) => {
        const stop = (): void => deadline?.removeEventListener('abort', onDeadline);
        const refuse = (reason: unknown): void => {
          stop();
          reject(reason);
        };
        const onDeadline = (): void => {
          pending.set(id, undefined);
          refuse(deadline?.reason);
        };
        const settle = (result: unknown): void => {
          const value = read === undefined ? (result as Result) : read(result);
          stop();
          resolve(value);
        };
        deadline?.addEventListener('abort', onDeadline, { once: true });
        pending.set(id, { method, settle, refuse });
        send({ method, params, id });
      });
    },
    close: end,
    ended: () => over,
  };
}

interface Message {
  readonly method: string | undefined;
  readonly params: unknown;
  readonly id: unknown;
  readonly result: unknown;
  readonly error: unknown;
}

function messageOf(text: string): Message {
  let json: unknown;
  try {
    json = parseExact(text);
  } catch (cause) {
    throw new Failure('E_PARSE', `${quoted(text)} is not JSON`, { cause });
  }
  const { method, params, id, result, error } = json as Readonly<Record<string, unknown>>;
  const isReply = method === undefined && id !== undefined && (result !== undefined || error !== undefined);
  if (typeof method !== 'string' && !isReply) {
    throw new Failure('E_PARSE', `${quoted(text)} is neither a request nor a reply`);
  }
  return { method: method as string | undefined, params, id, result, error };
}

/** The words that RFC 7047 and unixctl have for why they refuse; E_EXIT: the request failed for a reason of its own. */
const refusals: ReadonlyMap<string, Code> = new Map([
  ['permission error', 'E_DENIED'],
  ['not allowed', 'E_DENIED'],
  ['unknown database', 'E_NOT_FOUND'],
  ['unknown table', 'E_NOT_FOUND'],
  ['unknown column', 'E_NOT_FOUND'],
  ['unknown method', 'E_NOT_FOUND'],
  ['syntax error', 'E_PARSE'],
]);

/** What the `error` of a reply to `what` means: a text, or an object with `error` and `details` (RFC 7047, 3.1). */
export function refusal(peer: string, what: string, error: unknown): Failure {
  const { error: tag, details } = (typeof error === 'object' ? error : { error }) as Readonly<Record<string, unknown>>;
  const word = typeof tag === 'string' ? tag.trim() : exactText(error);
  const text = typeof details === 'string' ? `${word}: ${details}` : word;
  const isUnknown = /^".*" is not a valid command/s.test(word);
  const code = isUnknown ? 'E_NOT_FOUND' : (refusals.get(word) ?? 'E_EXIT');
  return new Failure(code, `${peer} refused ${what}: ${quoted(text, 300)}`, { text: text.slice(0, 500) });
}
