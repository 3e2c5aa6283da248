/** What the address of the page asks for, and the addresses of its links. Pure. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';

/** What is shown. Every part of it stands in the address, so that a link can be sent to a colleague. */
export interface View {
  /** One table alone; undefined: all of them, and the rest of the page. */
  readonly table?: string | undefined;
  readonly sort?: string | undefined;
  readonly order?: 'best' | undefined;
  readonly filter?: string | undefined;
  readonly target?: string | undefined;
  /** Rows of a table alone. */
  readonly rows?: number | undefined;
  /** All jobs, instead of those that have something to say. */
  readonly jobs?: 'all' | undefined;
}

const NAMES = ['table', 'sort', 'order', 'filter', 'target', 'rows', 'jobs'] as const;
const MAX_TEXT = 200;
const MAX_ROWS = 1000;

/** `E_CONFIG` says which part of the address is wrong. What it does not know it leaves out. */
export function viewOf(query: URLSearchParams): View {
  const text = (part: (typeof NAMES)[number]): string | undefined => {
    const found = query.get(part) ?? '';
    if (found.length > MAX_TEXT) {
      throw new Failure('E_CONFIG', `${part}: found ${found.length} characters; expected at most ${MAX_TEXT}`);
    }
    return found.trim() === '' ? undefined : found.trim();
  };
  const rows = text('rows');
  if (rows !== undefined && (!/^[1-9][0-9]{0,3}$/.test(rows) || Number(rows) > MAX_ROWS)) {
    throw new Failure('E_CONFIG', `rows: found ${quoted(rows)}; expected a whole number from 1 to ${MAX_ROWS}`);
  }
  return {
    ...{ table: text('table'), sort: text('sort'), order: text('order') === 'best' ? 'best' : undefined },
    ...{ filter: text('filter'), target: text('target'), rows: rows === undefined ? undefined : Number(rows) },
    jobs: text('jobs') === 'all' ? 'all' : undefined,
  };
}

/** The address of the page with this view. */
export function addressOf(view: View): string {
  const query = new URLSearchParams();
  for (const part of NAMES) {
    const value = view[part];
    if (value !== undefined) query.set(part, String(value));
  }
  return query.size === 0 ? '/' : `/?${query}`;
}
