/** Paths, lists and pages of the management plugin. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { amount, fieldsOf, isFields, listOf } from './json.ts';
import type { Asking, Client } from './management-client.ts';

/** What the server gives in one page at most; it refuses to give more. */
const PAGE = 500;

/** Totals and depths with the time at which they were counted. */
export const SAMPLED = 'msg_rates_age=5&msg_rates_incr=5&lengths_age=5&lengths_incr=5';

/** For pages of what has such a name alone, if a URL can carry that; without a pattern, of all. */
export function namedQuery(pattern: string | undefined): string {
  return pattern?.isWellFormed() === true ? `name=${encodeURIComponent(pattern)}&use_regex=true&` : '';
}

type RecordOf<Value> = (value: unknown) => Value | undefined;

/**
 * No URL can carry these names: `.` and `..` would be taken for folders, however they are encoded, and half a surrogate
 * pair has no bytes.
 */
export function cannotBeAsked(name: string): boolean {
  return name === '.' || name === '..' || !name.isWellFormed();
}

/** The queues of a vhost, or one of them; of names that can be asked for. */
export function queuesPath(...names: readonly string[]): string {
  return ['/api/queues', ...names.map(encodeURIComponent)].join('/');
}

/** A list as it is, or the items of a page. */
export function rowsOf(answer: unknown, path: string): readonly unknown[] {
  if (Array.isArray(answer)) return answer;
  if (isFields(answer) && Array.isArray(answer.items)) return listOf(answer.items);
  const keys = isFields(answer) ? Object.keys(answer).slice(0, 5).join(', ') : undefined;
  const found = keys === undefined ? typeof answer : `an object with ${keys === '' ? 'nothing' : keys}`;
  throw new Failure('E_PARSE', `${path.replace(/\?.*/, '')} answered with ${quoted(found)} instead of a list`);
}

export async function readRows<Value>(
  client: Client,
  path: string,
  recordOf: RecordOf<Value>,
  asking?: Asking,
): Promise<Value[]> {
  return rowsOf(await client.get(path, asking), path).flatMap((row) => recordOf(row) ?? []);
}

export interface Page<Value> {
  readonly records: readonly Value[];
  /** Pages after this one. */
  readonly after: number;
  /** How many rows there are in all pages together, as the query filters them. */
  readonly matching: number;
}

/** Page after page, in the order that the server sorts cheaply (vhost and name); `query` ends with ? or &. */
export async function* pagesOf<Value>(
  client: Client,
  query: string,
  recordOf: RecordOf<Value>,
  leftMs: () => number,
): AsyncGenerator<Page<Value>, void, undefined> {
  for (let number = 1, after = 1; after > 0; number++) {
    const path = `${query}page=${number}&page_size=${PAGE}`;
    const answer = await client.get(path, { timeoutMs: leftMs() });
    const pages = amount(fieldsOf(answer), 'page_count') ?? 1;
    after = pages - number;
    yield {
      records: rowsOf(answer, path).flatMap((row) => recordOf(row) ?? []),
      after,
      matching: amount(fieldsOf(answer), 'filtered_count') ?? pages * PAGE,
    };
  }
}

export interface PageLimits {
  readonly leftMs: () => number;
  /** So many pages at most. */
  readonly most: number;
  /** The option that makes them fewer. */
  readonly option: string;
}

/** All pages, where there are not more than `most`; where there are, one tells that, and the others would be in vain. */
export async function readPages<Value>(
  client: Client,
  query: string,
  recordOf: RecordOf<Value>,
  { leftMs, most, option }: PageLimits,
): Promise<Value[]> {
  const found: Value[] = [];
  let pages = 0;
  for await (const { records, after } of pagesOf(client, query, recordOf, leftMs)) {
    pages += 1;
    if (after > 0 && pages + after > most) {
      const what = query.replace(/\?.*/, '');
      throw new Failure('E_OUTPUT_SIZE', `${what} has more than ${most} pages of ${PAGE}; narrow ${option}`);
    }
    for (const record of records) found.push(record);
  }
  return found;
}
