/** Events out of JSON lines: one object a line; and out of one list of objects, as a file of JSON. */
import { Failure } from '../../errors.ts';
import { parseJson } from './body.ts';

/** What stands in one row, not yet looked at; or why it cannot be read. */
export interface RawRow {
  /** Of the file, counted from 1: where the row begins. */
  readonly line: number;
  readonly value: unknown | Failure;
}

/** Twice what an event needs whose data is all escapes. */
export const MAX_ROW_BYTES = 4 * 1024 * 1024;

const [TAB, LF, CR, BLANK, QUOTE, COMMA, BACKSLASH] = [9, 10, 13, 32, 34, 44, 92];
const [OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [91, 93, 123, 125];
const BLANKS: readonly number[] = [TAB, LF, CR, BLANK];

/** One value a line; empty lines are none. What is wrong with a line is said in its place. */
export async function* jsonLines(input: AsyncIterable<Buffer>): AsyncGenerator<RawRow> {
  let line = 1;
  let pieces: Buffer[] = [];
  let size = 0;
  const row = (): RawRow | undefined => {
    const bytes = Buffer.concat(pieces);
    const tooLong = size > MAX_ROW_BYTES;
    pieces = [];
    size = 0;
    if (tooLong) return { line, value: new Failure('E_PARSE', `it has more than ${MAX_ROW_BYTES} bytes`) };
    return bytes.every((byte) => BLANKS.includes(byte)) ? undefined : { line, value: readValue(bytes) };
  };
  for await (const chunk of input) {
    for (let from = 0; from < chunk.length; ) {
      const end = chunk.indexOf(LF, from);
      const piece = chunk.subarray(from, end === -1 ? chunk.length : end);
      size += piece.length;
      if (size <= MAX_ROW_BYTES) pieces.push(piece);
      else pieces = [];
      from += piece.length + 1;
      if (end === -1) continue;
      const whole = row();
      if (whole !== undefined) yield whole;
      line += 1;
    }
  }
  const last = row();
  if (last !== undefined) yield last;
}

/**
 * The values of one list, each read when its end has come. What is wrong inside of one is said in its place; where the
 * list itself cannot be followed, that is said and nothing more is read.
 */
export async function* jsonList(input: AsyncIterable<Buffer>): AsyncGenerator<RawRow> {
  let line = 1;
  let begin = 1;
  /** Lists and maps that are open; 1 is in the list itself. */
  let depth = 0;
  let inText = false;
  let isEscaped = false;
  let bytes: number[] = [];
  let isBehindComma = false;
  let isOver = false;
  const broken = (message: string): RawRow => ({
    line,
    value: new Failure('E_PARSE', `${message}, so that nothing from here on was read`),
  });
  for await (const chunk of input) {
    for (const byte of chunk) {
      if (byte === LF) line += 1;
      const isBlank = BLANKS.includes(byte);
      if (isBlank && bytes.length === 0) continue;
      if (isOver) return yield broken('something stands behind the end of the list');
      const isFirst = depth === 0;
      if (inText) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) inText = false;
      } else if (byte === QUOTE) inText = true;
      else if (byte === OPEN_LIST || byte === OPEN_MAP) depth += 1;
      else if (byte === CLOSE_LIST || byte === CLOSE_MAP) depth -= 1;
      if (isFirst) {
        if (byte !== OPEN_LIST) return yield broken('it is no list');
        continue;
      }
      isOver = depth === 0;
      const isComma = depth === 1 && byte === COMMA && !inText;
      if (isOver || isComma) {
        if (bytes.length > 0) yield { line: begin, value: readValue(Buffer.from(bytes)) };
        else if (isComma || isBehindComma) return yield broken('a comma stands where an event is expected');
        isBehindComma = isComma;
        bytes = [];
        continue;
      }
      if (bytes.length === 0) begin = line;
      if (bytes.push(byte) > MAX_ROW_BYTES) {
        return yield broken(`the event of line ${begin} has more than ${MAX_ROW_BYTES} bytes`);
      }
    }
  }
  if (!isOver) yield broken('the list has no end');
}

function readValue(bytes: Buffer): unknown | Failure {
  try {
    return parseJson(bytes, 'it');
  } catch (thrown) {
    return thrown as Failure;
  }
}
