/** Reads one file of the log on from a place, in bounded parts, line by line. */
import type { FilePart, Host } from '../../src/collector.ts';
import type { Memory, Place } from './memory.ts';
import type { Tally } from './tally.ts';

/** Of one read; a line that is longer is passed over. */
export const CHUNK_BYTES = 2 ** 20;
/** Of one run: 100,000 alerts are 12 MB. */
const RUN_BYTES = 16 * CHUNK_BYTES;
/** So many bytes before a place are remembered: some lines, each with its time. */
const PRINT_BYTES = 256;
/** Fewer could stand in another log too. */
const MIN_PRINT = 12;
const NEWLINE = 10;

/** What a run may still read. */
export interface Budget {
  left: number;
  /** Whether the run has taken so long that it should come to its end. */
  readonly isLate: () => boolean;
}

export function newBudget(elapsedMs: () => number, timeoutMs: number | undefined): Budget {
  const isLate = (): boolean => timeoutMs !== undefined && elapsedMs() > timeoutMs / 2;
  return { left: RUN_BYTES, isLate };
}

const utf8 = new TextDecoder('utf-8');

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const printLength = ({ print }: Place): number => print.length / 2;

/** Reads from a little before the place, so that it can be told whether it is still the same content. */
export function readAt(host: Host, path: string, place: Place, maxBytes: number): Promise<FilePart> {
  const before = printLength(place);
  return host.readPart(path, place.position - before, before + maxBytes);
}

/** Whether what `readAt` gave continues what was read before. */
export function hasContent(part: FilePart, place: Place): boolean {
  return part.size >= place.position && hexOf(part.bytes.subarray(0, printLength(place))) === place.print;
}

export function fits(part: FilePart, place: Place): boolean {
  return part.identity === place.identity && hasContent(part, place);
}

/** Whether its content alone would tell the place. */
export function isTelling(place: Place): boolean {
  return printLength(place) >= MIN_PRINT;
}

export interface Whole {
  /** Nothing is written to it any more: a last line without an end is a line. */
  readonly isFinal: boolean;
  /** What was read already, from the place on with its print. */
  readonly inHand?: FilePart;
  /** A position behind which nothing is read. */
  readonly limit?: number;
}

/**
 * Reads on from the memory's place, which moves. `end`: all of it was read; `changed`: another content stands there now;
 * `stopped`: the budget is used up. With it the size of the file, as it was read last.
 */
export async function readOn(
  host: Host,
  path: string,
  { memory, tally, budget }: { readonly memory: Memory; readonly tally: Tally; readonly budget: Budget },
  { isFinal, inHand, limit = Number.MAX_SAFE_INTEGER }: Whole,
): Promise<{ readonly how: 'end' | 'changed' | 'stopped'; readonly size: number }> {
  const { place } = memory;
  let part = inHand;
  for (;;) {
    part ??= await readAt(host, path, place, Math.max(0, Math.min(CHUNK_BYTES, limit - place.position)));
    if (!fits(part, place)) return { how: 'changed', size: part.size };
    const { size } = part;
    const before = printLength(place);
    const fresh = part.bytes.subarray(before);
    const isLast = place.position + fresh.length >= size;
    const consumed = consume(fresh, memory, tally, isFinal && isLast);
    const until = before + consumed;
    place.print = hexOf(part.bytes.subarray(Math.max(0, until - PRINT_BYTES), until));
    place.position += consumed;
    budget.left -= consumed;
    // A file that shrinks while it is read gives nothing although there should be more.
    if (consumed === 0 || place.position >= Math.min(size, limit)) return { how: 'end', size };
    if (budget.left <= 0 || budget.isLate()) return { how: 'stopped', size };
    part = undefined;
  }
}

/** Takes the whole lines of some bytes, and returns how many bytes that were. */
function consume(bytes: Uint8Array, memory: Memory, tally: Tally, isFinal: boolean): number {
  let from = 0;
  if (memory.skipping) {
    const end = bytes.indexOf(NEWLINE);
    from = end < 0 ? bytes.length : end + 1;
    memory.skipping = end < 0 && !isFinal;
  }
  const lastEnd = bytes.lastIndexOf(NEWLINE) + 1;
  const isEndless = lastEnd <= from && bytes.length - from >= CHUNK_BYTES;
  let until = isFinal ? bytes.length : Math.max(from, lastEnd);
  if (isEndless) {
    tally.skip(utf8.decode(bytes.subarray(from, from + 1000)), bytes.length > memory.learning);
    memory.skipping = !isFinal;
    until = bytes.length;
  } else if (until > from) takeLines(bytes, from, until, memory, tally);
  memory.learning = Math.max(0, memory.learning - until);
  return until;
}

/** A line counts when it ended after counting began. */
function takeLines(bytes: Uint8Array, from: number, until: number, { learning }: Memory, tally: Tally): void {
  const known = learning >= until ? until : learning <= from ? from : bytes.lastIndexOf(NEWLINE, learning - 1) + 1;
  const border = Math.max(from, known);
  if (border > from) tally.take(utf8.decode(bytes.subarray(from, border)), false);
  if (until > border) tally.take(utf8.decode(bytes.subarray(border, until)), true);
}
