/** Events out of CSV: a header that names the columns, then one event a record. */
import { Failure } from '../../errors.ts';
import { nearest, quoted } from '../../text.ts';
import { csvRecords } from './csv.ts';
import { MAX_ROW_BYTES, type RawRow } from './import-lines.ts';

const COLUMNS = ['what', 'tags', 'data', 'when', 'id'];
const EXPECTED = `expected a header such as ${COLUMNS.join(',')} (in any order; "what" at least)`;

/** Bodies of events. Throws `E_PARSE` when the header is none: then no row can be understood. */
export async function* csvRows(input: AsyncIterable<Buffer>): AsyncGenerator<RawRow> {
  let columns: readonly string[] | undefined;
  for await (const { line, fields } of csvRecords(input, MAX_ROW_BYTES)) {
    if (columns === undefined) columns = columnsOf(fields, line);
    else yield { line, value: fields instanceof Failure ? fields : bodyOf(fields, columns) };
  }
  if (columns === undefined) throw new Failure('E_PARSE', `there is nothing in it; ${EXPECTED}`);
}

function columnsOf(fields: readonly string[] | Failure, line: number): readonly string[] {
  const wrong = (message: string): never => {
    throw new Failure('E_PARSE', `line ${line}: ${message}`, { line });
  };
  if (fields instanceof Failure) return wrong(fields.message);
  const names = fields.map((field) => field.trim());
  const [only = ''] = names;
  if (names.length === 1 && /[;\t|]/.test(only)) wrong(`${quoted(only, 80)} has no commas; ${EXPECTED}`);
  for (const [index, name] of names.entries()) {
    if (!COLUMNS.includes(name)) {
      const meant = nearest(name, COLUMNS);
      wrong(`unknown column ${quoted(name, 60)}; ${meant === undefined ? EXPECTED : `did you mean "${meant}"?`}`);
    }
    if (names.indexOf(name) < index) wrong(`the column "${name}" is there twice; ${EXPECTED}`);
  }
  if (!names.includes('what')) wrong(`there is no column "what"; ${EXPECTED}`);
  return names;
}

/** What is empty is left out. */
function bodyOf(fields: readonly string[], columns: readonly string[]): unknown {
  if (fields.length !== columns.length) {
    const counted = `${fields.length} ${fields.length === 1 ? 'field' : 'fields'}`;
    const advice = `expected ${columns.length} as in the header; a comma in a text needs quotes around the text`;
    return new Failure('E_PARSE', `it has ${counted}; ${advice}`);
  }
  const entries = columns.map((name, index) => [name, fields[index] ?? ''] as const).filter(([, text]) => text !== '');
  return Object.fromEntries(
    entries.map(([name, text]) => [name, name === 'tags' ? text.split(/[\s;]+/).filter((tag) => tag !== '') : text]),
  );
}
