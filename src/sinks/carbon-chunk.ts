/** Lines on their way to Carbon, as they are sent and kept: some dozens of kilobytes at once. Pure but for its buffers. */

export interface Chunk {
  /** Whole lines, ASCII. */
  readonly data: Buffer;
  readonly metrics: number;
  /** When the oldest of its runs began, in milliseconds since the epoch. */
  readonly atMs: number;
  readonly sent: Sent;
}

/**
 * `never`: it was not sent yet. `unsure`: it was, and is not known to be taken. `taken`: it was taken, and is sent again
 * in case that it was lost with what Carbon holds in memory.
 */
export type Sent = 'never' | 'unsure' | 'taken';

export const MAX_CHUNK_BYTES = 128 * 1024;
const NEWLINE = 10;

/** What is being put together; it never leaves this file. */
const scratch = Buffer.allocUnsafe(MAX_CHUNK_BYTES);

/** Lines, each shorter than a chunk, → chunks. No line is kept for longer than it takes to copy it. */
export function chunksOf(lines: Iterable<string>, atMs: number): Chunk[] {
  const chunks: Chunk[] = [];
  let [length, metrics] = [0, 0];
  const close = (): void => {
    if (metrics > 0) chunks.push({ data: Buffer.from(scratch.subarray(0, length)), metrics, atMs, sent: 'never' });
    [length, metrics] = [0, 0];
  };
  for (const line of lines) {
    if (length + line.length >= MAX_CHUNK_BYTES) close();
    length += scratch.write(line, length, 'latin1');
    scratch[length++] = NEWLINE;
    metrics += 1;
  }
  close();
  return chunks;
}

/** Neighbours of one kind put together, as far as a chunk goes. */
export function merged<Kind extends Chunk>(chunks: readonly Kind[]): Chunk[] {
  const all: Chunk[] = [];
  let open: Kind[] = [];
  let bytes = 0;
  const close = (): void => {
    const [first] = open;
    if (first !== undefined && open.length === 1) all.push(first);
    else if (first !== undefined) {
      const metrics = open.reduce((sum, one) => sum + one.metrics, 0);
      const atMs = Math.min(...open.map((one) => one.atMs));
      all.push({ data: Buffer.concat(open.map(({ data }) => data)), metrics, atMs, sent: first.sent });
    }
    [open, bytes] = [[], 0];
  };
  for (const chunk of chunks) {
    if (bytes + chunk.data.length > MAX_CHUNK_BYTES || (open[0] ?? chunk).sent !== chunk.sent) close();
    open.push(chunk);
    bytes += chunk.data.length;
  }
  close();
  return all;
}
