/** One stream of a shell's answer: what was asked for, and between it the shell's own words, behind a marker. Pure. */
import { Failure } from '../errors.ts';

/** Letter and text of what the shell says itself. */
export interface Token {
  readonly letter: string;
  readonly text: string;
}

export interface Frame {
  /** Throws what is wrong with the shell (`E_PARSE`). */
  feed(chunk: Buffer): void;
  /** The end was read: nothing may follow. */
  isComplete(): boolean;
  /** All, or the first bytes; none when there were more than the limit allows. */
  bytes(): Buffer;
  isOver(): boolean;
}

/** The longest text behind a marker. */
const MAX_TOKEN_BYTES = 64;
const NEWLINE = 0x0a;

/** `beginning`: more than the limit is cut, and else it is an overflow, which keeps nothing. */
export function createFrame(
  marker: string,
  { maxBytes, beginning = false }: { readonly maxBytes: number; readonly beginning?: boolean },
  onToken: (token: Token) => void = () => {},
): Frame {
  const mark = Buffer.from(marker, 'latin1');
  const kept: Buffer[] = [];
  let size = 0;
  let isOver = false;
  let isComplete = false;
  /** May be the beginning of a marker, or of what follows it. */
  let held = Buffer.alloc(0);

  const keep = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    const room = Math.max(0, maxBytes - size);
    size += bytes.length;
    if (size <= maxBytes) kept.push(bytes);
    else if (!beginning) {
      isOver = true;
      kept.length = 0;
    } else if (room > 0) kept.push(bytes.subarray(0, room));
  };

  return {
    feed(chunk) {
      let rest = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      for (;;) {
        if (isComplete && rest.length > 0) throw new Failure('E_PARSE', 'something was written after the end');
        const at = rest.indexOf(mark);
        if (at < 0) {
          const from = rest.length - overlap(rest, mark);
          keep(rest.subarray(0, from));
          held = Buffer.from(rest.subarray(from));
          return;
        }
        keep(rest.subarray(0, at));
        const token = rest.subarray(at + mark.length, at + mark.length + MAX_TOKEN_BYTES);
        const end = token.indexOf(NEWLINE);
        if (end < 0) {
          if (token.length === MAX_TOKEN_BYTES) throw new Failure('E_PARSE', 'the words of the shell are cut');
          held = Buffer.from(rest.subarray(at));
          return;
        }
        const text = token.toString('latin1', 0, end);
        rest = rest.subarray(at + mark.length + end + 1);
        held = Buffer.alloc(0);
        isComplete = text.startsWith('e');
        onToken({ letter: text.slice(0, 1), text: text.slice(1) });
      }
    },
    isComplete: () => isComplete,
    bytes: () => Buffer.concat(kept),
    isOver: () => isOver,
  };
}

/** How many bytes at the end are the beginning of the marker. */
function overlap(bytes: Buffer, mark: Buffer): number {
  for (let length = Math.min(mark.length - 1, bytes.length); length > 0; length--) {
    if (bytes.subarray(bytes.length - length).equals(mark.subarray(0, length))) return length;
  }
  return 0;
}
