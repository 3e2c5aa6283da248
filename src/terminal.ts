/** Standard output and error that never hold the daemon: a terminal may be paused (Ctrl-S) or gone. */

/** The part of Node.js that makes a terminal's writes wait; it is not in its types. */
interface Blocking {
  readonly isTTY?: boolean;
  readonly _handle?: { setBlocking?(on: boolean): void };
}

const prepared = new WeakSet<NodeJS.WritableStream>();

/**
 * Makes a stream's writes return at once, also on a terminal, and its errors (EPIPE, EIO) nobody's death. What a reader
 * does not take waits in `writableLength`, which the writer bounds.
 */
export function unblocked<Stream extends NodeJS.WritableStream>(stream: Stream): Stream {
  if (prepared.has(stream)) return stream;
  prepared.add(stream);
  stream.on('error', () => {});
  const { isTTY, _handle } = stream as Stream & Blocking;
  if (isTTY === true) _handle?.setBlocking?.(false);
  return stream;
}

/** A reader that does not read may hold this much of us; what comes then is dropped. */
export const MAX_WAITING_BYTES = 1024 * 1024;
