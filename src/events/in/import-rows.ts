/** Events of a file that is read once, in bounded memory. */
import { asFailure, Failure } from '../../errors.ts';
import { type Event, eventOf } from '../event.ts';
import { csvRows } from './import-csv.ts';
import { jsonLines, jsonList, type RawRow } from './import-lines.ts';

/** One row, in the order of the file: an event, or what is wrong with it. */
export type ImportRow = {
  /** Of the file, from 1. */
  readonly line: number;
  /** As people are told: `line 12`. */
  readonly place: string;
} & ({ readonly event: Event } | { readonly fault: Failure });

export type ImportFormat = 'jsonl' | 'csv';

/**
 * The rows of CSV, of JSON lines, or of one JSON list. `format` undefined: told by its first character. Every event
 * needs a time or an id of its own, so that it is the same when it is read again. Throws `E_PARSE` where nothing can be
 * read, and rejects with what the input rejects with.
 */
export async function* readEvents(
  input: AsyncIterable<Uint8Array>,
  format: ImportFormat | undefined,
  stamp: () => number,
): AsyncGenerator<ImportRow> {
  for await (const row of rawRows(input, format)) {
    const place = `line ${row.line}`;
    try {
      if (row.value instanceof Failure) throw row.value;
      const event = eventOf(row.value, { nowUs: stamp(), strict: true, repeatable: true });
      yield { line: row.line, place, event };
    } catch (thrown) {
      const { code, message, evidence } = asFailure(thrown);
      if (code !== 'E_PARSE') throw thrown;
      const details = { ...evidence, line: row.line, cause: thrown };
      yield { line: row.line, place, fault: new Failure(code, `${place}: ${message}`, details) };
    }
  }
}

/** What the end of a file's name says. */
export function formatOf(name: string): ImportFormat | undefined {
  if (/\.csv$/i.test(name)) return 'csv';
  return /\.(?:jsonl|ndjson|json)$/i.test(name) ? 'jsonl' : undefined;
}

async function* rawRows(input: AsyncIterable<Uint8Array>, format: ImportFormat | undefined): AsyncGenerator<RawRow> {
  const source = input[Symbol.asyncIterator]();
  try {
    const { head, first, isEmpty } = await beginning(source);
    if (isEmpty) throw new Failure('E_PARSE', 'there is nothing in it; expected JSON lines or CSV');
    if (first === '{' && format !== 'csv' && /^\s*\{\s*\n/.test(head.at(-1)?.toString('latin1') ?? '')) {
      const advice = 'write each on one line, or all as one list: [{…}, {…}]';
      throw new Failure('E_PARSE', `its first line has "{" alone: an event of several lines; ${advice}`);
    }
    const whole = chained(head, source);
    if (format === 'csv' || (format === undefined && first !== '{' && first !== '[')) yield* csvRows(whole);
    else yield* first === '[' ? jsonList(whole) : jsonLines(whole);
  } finally {
    await source.return?.();
  }
}

/** Until the first character that is no blank; the byte order mark is dropped. */
async function beginning(
  source: AsyncIterator<Uint8Array>,
): Promise<{ head: Buffer[]; first: string; isEmpty: boolean }> {
  let head: Buffer = Buffer.alloc(0);
  const blanks: Buffer[] = [];
  for (;;) {
    const { value, done } = await source.next();
    if (done !== true) head = Buffer.concat([head, value]);
    // A mark may come in pieces.
    if (done !== true && blanks.length === 0 && head.length < 4) continue;
    if (blanks.length === 0) head = unmarked(head);
    const first = head.find((byte) => ![9, 10, 13, 32].includes(byte));
    if (first !== undefined) return { head: [...blanks, head], first: String.fromCharCode(first), isEmpty: false };
    if (done === true) return { head: [], first: '', isEmpty: true };
    if (blanks.length > MAX_BLANK_PIECES) throw new Failure('E_PARSE', 'it begins with nothing but blanks');
    blanks.push(head);
    head = Buffer.alloc(0);
  }
}

const MAX_BLANK_PIECES = 1000;

function unmarked(head: Buffer): Buffer {
  const [one, two, three] = head;
  if (one === 0xef && two === 0xbb && three === 0xbf) return head.subarray(3);
  if ((one === 0xff && two === 0xfe) || (one === 0xfe && two === 0xff)) {
    throw new Failure('E_PARSE', 'it is UTF-16; save it as UTF-8');
  }
  if (one === 0x1f && two === 0x8b) throw new Failure('E_PARSE', 'it is compressed (gzip); pipe it: zcat FILE | … -');
  return head;
}

async function* chained(head: readonly Buffer[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Buffer> {
  yield* head;
  for (;;) {
    const { value, done } = await rest.next();
    if (done === true) return;
    yield Buffer.isBuffer(value) ? value : Buffer.from(value);
  }
}
