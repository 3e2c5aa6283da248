/** The body of a request, bounded; and what is left of one that is refused. */
import type { IncomingMessage } from 'node:http';

/** Bodies that are in memory at the same time, of all requests together. */
export interface BodyRoom {
  readonly maxBytes: number;
  bytes: number;
}

type BodyFault = 'large' | 'crowded' | 'gone';

/**
 * The body; or `large`, when it is over the limit, `crowded`, when those of other requests fill the room, or `gone`, when
 * the client went away within it. Its bytes stay in the room until `release` is called.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  room: BodyRoom,
): { readonly body: Promise<Buffer | BodyFault>; readonly release: () => void } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const body = new Promise<Buffer | BodyFault>((resolve) => {
    const end = (result: Buffer | BodyFault): void => {
      request.removeAllListeners('data');
      resolve(result);
    };
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      room.bytes += chunk.length;
      if (bytes > maxBytes) end('large');
      else if (room.bytes > room.maxBytes) end('crowded');
      else chunks.push(chunk);
    });
    request.once('end', () => end(Buffer.concat(chunks)));
    request.once('close', () => end('gone'));
    request.once('error', () => end('gone'));
  });
  const release = (): void => {
    room.bytes -= bytes;
  };
  return { body, release };
}

/** A client that sends its whole body before it listens must be heard out, or it gets a reset instead of the answer. */
const MAX_HEARD_BYTES = 16 * 1024 * 1024;

/** Reads what is left and throws it away; a client that goes on too long is cut off. */
export function hearOut(request: IncomingMessage): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_HEARD_BYTES) request.socket.destroy();
  });
  request.on('error', () => {});
}
