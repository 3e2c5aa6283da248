/** Lists and pages of the management plugin. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { amount, fieldsOf, isFields, listOf } from './json.ts';
import type { Client } from './management-client.ts';

/** What the server gives in one page at most; it refuses to give more. */
const PAGE = 500;
const MAX_PAGES = 40;

/** Totals and depths with the time at which they were counted. */
export const SAMPLED = 'msg_rates_age=5&msg_rates_incr=5&lengths_age=5&lengths_incr=5';

type RecordOf<Value> = (value: unknown) => Value | undefined;

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
  options?: { readonly timeoutMs?: number },
): Promise<Value[]> {
  return rowsOf(await client.get(path, options), path).flatMap((row) => recordOf(row) ?? []);
}

/** Page after page, in the order that the server sorts cheaply (vhost and name); `query` ends with ? or &. */
export async function readPages<Value>(
  client: Client,
  query: string,
  recordOf: RecordOf<Value>,
  timeoutMs: number,
): Promise<Value[]> {
  const found: Value[] = [];
  for (let page = 1; page <= MAX_PAGES; page++) {
    const path = `${query}page=${page}&page_size=${PAGE}`;
    const answer = await client.get(path, { timeoutMs });
    for (const row of rowsOf(answer, path)) {
      const record = recordOf(row);
      if (record !== undefined) found.push(record);
    }
    if (page >= (amount(fieldsOf(answer), 'page_count') ?? 1)) return found;
  }
  const what = query.replace(/\?.*/, '');
  throw new Failure('E_OUTPUT_SIZE', `${what} has more than ${MAX_PAGES} pages of ${PAGE}; narrow the options`);
}
