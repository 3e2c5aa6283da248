/** JSON on a stream: objects one after the other, without delimiters, with 64-bit numbers that stay exact. Pure. */
import { Failure } from '../errors.ts';
import { integer, quoted } from '../text.ts';

/** A message may be as large as this where nobody says less. */
export const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

/** JSON.parse, but whole numbers above 2^53 are bigints. A reviver takes six times as long: only where needed. */
export function parseExact(text: string): unknown {
  return /[\s:,[-][0-9]{16}/.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
}

function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  return integer(context?.source) ?? value;
}

/** JSON.stringify, but of bigints too. */
export function exactText(value: unknown): string {
  return JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? rawJSON(String(one)) : one));
}

// Of Node.js 22, and not yet in the compiler's library.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** No message of these protocols nests a quarter as deep. */
const MAX_DEPTH = 64;
const HELD_BYTES = 64 * 1024;
const [TAB, LF, CR, BLANK, QUOTE, BACKSLASH] = [0x09, 0x0a, 0x0d, 0x20, 0x22, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Cuts a stream of JSON objects into their texts, wherever its chunks are cut. It looks at each byte once, and only at
 * those of structure: what is between them is JSON.parse's to judge. Throws `E_PARSE` and `E_OUTPUT_SIZE`.
 */
export function createFramer(onMessage: (text: string) => void, maxBytes = MAX_MESSAGE_BYTES): (chunk: Buffer) => void {
  let held = Buffer.alloc(0);
  let heldBytes = 0;
  let depth = 0;
  let inString = false;
  let isEscaped = false;

  const hold = (part: Buffer): void => {
    const wanted = heldBytes + part.length;
    if (wanted > maxBytes) throw new Failure('E_OUTPUT_SIZE', `a message is larger than ${maxBytes} bytes`);
    if (wanted > held.length) {
      const larger = Buffer.allocUnsafe(Math.max(HELD_BYTES, 2 * held.length, wanted));
      held.copy(larger, 0, 0, heldBytes);
      held = larger;
    }
    part.copy(held, heldBytes);
    heldBytes = wanted;
  };
  const take = (part: Buffer): string => {
    if (heldBytes === 0 && part.length <= maxBytes) return part.toString('utf8');
    hold(part);
    const text = held.toString('utf8', 0, heldBytes);
    if (held.length > HELD_BYTES) held = Buffer.alloc(0);
    heldBytes = 0;
    return text;
  };

  return (chunk) => {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (depth === 0 && byte !== OPEN_OBJECT) {
        const isBlank = byte === BLANK || byte === LF || byte === CR || byte === TAB;
        if (!isBlank) throw new Failure('E_PARSE', `${quoted(chunk.toString('utf8', at, at + 200))} is no JSON object`);
        from = at + 1;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        depth += 1;
        if (depth > MAX_DEPTH) throw new Failure('E_PARSE', `a message nests deeper than ${MAX_DEPTH}`);
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        depth -= 1;
        if (depth > 0) continue;
        onMessage(take(chunk.subarray(from, at + 1)));
        from = at + 1;
      }
    }
    if (from < chunk.length) hold(chunk.subarray(from));
  };
}
