/** JSON text from outside as plain values: UTF-8 that is whole, nesting that is bounded, errors that say where. Pure. */
import { Failure } from '../../errors.ts';
import { quoted } from '../../text.ts';
import { jsonFault } from './body-fault.ts';

/** An event is three deep in a list of them: what is deeper is none. */
const MAX_DEPTH = 32;

/**
 * The value, in which `__proto__` is a key like others. `E_PARSE` says in one sentence what is wrong with it, and where;
 * `name` is what it is called there.
 */
export function parseJson(text: Uint8Array | string, name = 'the body'): unknown {
  const decoded = typeof text === 'string' ? text : decode(text, name);
  if (decoded.trim() === '') throw fault(`${name} is empty; expected JSON`);
  refuseDepth(decoded, name);
  try {
    return JSON.parse(decoded);
  } catch (thrown) {
    const { at, expected } = jsonFault(decoded);
    const isEnd = at >= decoded.length;
    const found = isEnd ? 'ends too early,' : `has ${quoted(wordAt(decoded, at), 20)}`;
    throw fault(`${name} ${found} at ${placeOf(decoded, at)}; expected ${expected}`, thrown);
  }
}

/** UTF-8 as text, without a byte order mark. `E_PARSE` */
export function decode(bytes: Uint8Array, name = 'the body'): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    // What was put instead of the first wrong byte is the first that differs.
    const mended = Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
    const different = mended.findIndex((byte, at) => byte !== bytes[at]);
    throw fault(`${name} is no UTF-8 from its byte ${different + 1} on; expected text in UTF-8`, thrown);
  }
}

const FORM = 'expected an event, or a list of them';
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [34, 92, 91, 93, 123, 125];

function refuseDepth(text: string, name: string): void {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inText) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) inText = false;
    } else if (code === QUOTE) inText = true;
    else if (code === OPEN_LIST || code === OPEN_MAP) {
      depth += 1;
      if (depth > MAX_DEPTH) {
        throw fault(`${name} has more than ${MAX_DEPTH} lists and maps in each other at ${placeOf(text, at)}; ${FORM}`);
      }
    } else if (code === CLOSE_LIST || code === CLOSE_MAP) depth -= 1;
  }
}

/** What is written there: a word such as NaN whole, everything else by its first character. */
function wordAt(text: string, at: number): string {
  const rest = text.slice(at, at + 40);
  return /^[A-Za-z0-9_.+-]+/.exec(rest)?.[0] ?? [...rest][0] ?? '';
}

function placeOf(text: string, at: number): string {
  const before = text.slice(0, at);
  const lines = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  return lines === 1 ? `character ${column}` : `line ${lines}, character ${column}`;
}

function fault(message: string, cause?: unknown): Failure {
  return new Failure('E_PARSE', message, cause === undefined ? {} : { cause });
}
