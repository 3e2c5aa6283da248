/** Records of CSV (RFC 4180), out of bytes that come in any pieces. Pure. */
import { Failure } from '../../errors.ts';
import { decode } from './body.ts';

export interface CsvRecord {
  /** Of the file, counted from 1: where the record begins. */
  readonly line: number;
  /** Or what is wrong with it. */
  readonly fields: readonly string[] | Failure;
}

const [LF, CR, QUOTE, COMMA] = [10, 13, 34, 44];

/**
 * All records but empty lines. What is wrong with one is said in its place and the next is read, except after a quote
 * that is not closed within `maxBytes`: what follows it could be anything, so that nothing more is read.
 */
export async function* csvRecords(input: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<CsvRecord> {
  let line = 1;
  let begin = 1;
  let bytes: number[] = [];
  let fields: Buffer[] = [];
  let size = 0;
  let wrong: string | undefined;
  /** `first`: of a field; `closed`: behind its second quote, or between two that stand for one. */
  let state: 'first' | 'plain' | 'quoted' | 'closed' = 'first';
  let wasQuoted = false;

  const endField = (): void => {
    // Its end is that of the line: CRLF.
    fields.push(Buffer.from(bytes));
    bytes = [];
    state = 'first';
  };
  const endRecord = (): CsvRecord | undefined => {
    const last = bytes.at(-1) === CR && state !== 'closed' ? bytes.slice(0, -1) : bytes;
    const isEmpty = fields.length === 0 && last.length === 0 && !wasQuoted && wrong === undefined;
    bytes = last;
    endField();
    const record = { line: begin, fields: wrong === undefined ? texts(fields) : fault(wrong) };
    fields = [];
    size = 0;
    wrong = undefined;
    wasQuoted = false;
    return isEmpty ? undefined : record;
  };

  for await (const chunk of input) {
    for (const byte of chunk) {
      size += 1;
      if (size > maxBytes) {
        if (state === 'quoted') return yield { line: begin, fields: fault(unclosed(`within ${maxBytes} bytes`)) };
        wrong ??= `it has more than ${maxBytes} bytes`;
        bytes = [];
        fields = [];
      }
      if (byte === LF) line += 1;
      if (state === 'quoted') {
        if (byte === QUOTE) state = 'closed';
        else bytes.push(byte);
      } else if (byte === LF) {
        const record = endRecord();
        if (record !== undefined) yield record;
        begin = line;
      } else if (byte === COMMA) endField();
      else if (byte === QUOTE && state === 'first') {
        state = 'quoted';
        wasQuoted = true;
      } else if (byte === QUOTE && state === 'closed') {
        bytes.push(byte);
        state = 'quoted';
      } else if (state === 'closed') {
        // The end of the line may come next; nothing else may.
        if (byte !== CR) wrong ??= `its field ${fields.length + 1} goes on behind its closing quote; ${DOUBLED}`;
      } else {
        if (byte === QUOTE) wrong ??= `its field ${fields.length + 1} has a quote in it and none around it; ${DOUBLED}`;
        bytes.push(byte);
        state = 'plain';
      }
    }
  }
  if (state === 'quoted') return yield { line: begin, fields: fault(unclosed('before the end')) };
  const record = endRecord();
  if (record !== undefined) yield record;
}

const DOUBLED = 'expected the field in quotes, and each quote in it twice';

function unclosed(where: string): string {
  return `a quote that opens in it is not closed ${where}, so that nothing from here on was read; ${DOUBLED}`;
}

function texts(fields: readonly Buffer[]): string[] | Failure {
  try {
    return fields.map((field, index) => decode(field, `its field ${index + 1}`));
  } catch (thrown) {
    return thrown as Failure;
  }
}

function fault(message: string): Failure {
  return new Failure('E_PARSE', message);
}
