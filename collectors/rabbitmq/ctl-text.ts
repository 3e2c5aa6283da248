/**
 * What rabbitmqctl prints. Banners stand before the rows unless -q leaves them out (and not all versions obey); `...done.`
 * behind them up to 3.3; a header row from 3.8 on; escapes for terminals anywhere from 3.8 on. Pure.
 */
import { Failure } from '../../src/errors.ts';
import { lines, quoted } from '../../src/text.ts';

/** Colours, which 3.8 and later print into a pipe too. */
const ANSI = /\u001b\[[0-9;]*[A-Za-z]/g;

/** The JSON of `--formatter json`, behind banners; undefined: there is none. The formatter prints a row in each line. */
export function jsonIn(text: string): unknown {
  const plain = text.includes('\u001b') ? text.replace(ANSI, '') : text;
  for (let at = 0; at >= 0 && at < plain.length; ) {
    const first = plain[at];
    if (first === '[' || first === '{') {
      const value = parsed(plain.slice(at));
      if (value !== undefined) return value;
    }
    const feed = plain.indexOf('\n', at);
    // A banner that begins like JSON is possible, thousands of them are not.
    if (feed < 0 || at > 10_000) return undefined;
    at = feed + 1;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** One row: a text for each column; `''` where the broker prints nothing. */
export type TableRow = Readonly<Record<string, string>>;

export interface Table {
  readonly rows: readonly TableRow[];
  /** `E_PARSE`: lines that are no rows. */
  readonly problem: Failure | undefined;
}

/**
 * A table of `list_queues name …`, whose first column is `name`. It is split from the right, since a name may contain
 * TABs and 3.7 and later print them raw. `isEscaped`: up to 3.6 anything but ASCII is `\ooo` by byte, and a backslash `\\`.
 */
export function parseQueueTable(text: string, columns: readonly string[], isEscaped: boolean): Table {
  const rows: TableRow[] = [];
  const header = columns.join('\t');
  let count = 0;
  let first: { readonly line: number; readonly text: string } | undefined;
  for (const [index, raw] of lines(text).entries()) {
    const line = raw.includes('\u001b') ? raw.replace(ANSI, '') : raw;
    if (line === '' || (line === header && rows.length === 0)) continue;
    const row = rowOf(line, columns, isEscaped);
    if (isBanner(line, columns.length === 1)) continue;
    if (row !== undefined) rows.push(row);
    else {
      count += 1;
      first ??= { line: index + 1, text: line };
    }
  }
  const problem = first === undefined ? undefined : wrongLines(first, count, columns.length);
  return { rows, problem };
}

function wrongLines(first: { readonly line: number; readonly text: string }, count: number, fields: number): Failure {
  const lead = count === 1 ? '' : `${count} lines are wrong: `;
  const message = `${lead}line ${first.line} is ${quoted(first.text)}; expected ${fields} fields with TABs between them`;
  return new Failure('E_PARSE', message, { line: first.line, text: first.text.slice(0, 200), count });
}

const BANNERS = /^(?:Timeout: \S+ seconds \.\.\.|Listing (?:queues|vhosts)(?: for vhost .*)? \.\.\.|\.\.\.done\.)$/;

/** A queue may be called as a banner is; then its numbers follow, unless its name is the only column. */
function isBanner(line: string, isNameAlone: boolean): boolean {
  return (isNameAlone || !line.includes('\t')) && BANNERS.test(line);
}

function rowOf(line: string, columns: readonly string[], isEscaped: boolean): TableRow | undefined {
  const fields = line.split('\t');
  const rest = columns.slice(1);
  const name = (parts: readonly string[]): string => {
    const text = parts.join('\t');
    return isEscaped ? unescaped(text) : text;
  };
  if (isDownRow(fields, columns))
    return { ...emptyRow(columns), name: name(fields.slice(0, 1)), state: fields[1] ?? '' };
  if (fields.length < columns.length) return undefined;
  const cut = fields.length - rest.length;
  const row: Record<string, string> = { name: name(fields.slice(0, cut)) };
  for (const [index, column] of rest.entries()) row[column] = fields[cut + index] ?? '';
  return row;
}

/** 3.6 prints name, state, durable and pid of a queue that is down, whatever was asked for. */
function isDownRow(fields: readonly string[], columns: readonly string[]): boolean {
  const [, state = '', durable = '', pid = ''] = fields;
  if (fields.length !== 4 || columns.join() === 'name,state,durable,pid') return false;
  return /^[a-z]+$/.test(state) && /^(?:true|false)$/.test(durable) && /^<.*>$/.test(pid);
}

const emptyRow = (columns: readonly string[]): TableRow => Object.fromEntries(columns.map((column) => [column, '']));

/** `\303\251` is the UTF-8 of one character, a byte each. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/(?:\\[0-3][0-7]{2})+|\\\\/g, (found) => {
    if (found === '\\\\') return '\\';
    return Buffer.from(
      found
        .split('\\')
        .slice(1)
        .map((octal) => Number.parseInt(octal, 8)),
    ).toString('utf8');
  });
}

/** `list_vhosts name` without a formatter: one name in a line. */
export function parseVhostTable(text: string): readonly string[] {
  return parseQueueTable(text, ['name'], true).rows.map(({ name = '' }) => name);
}
