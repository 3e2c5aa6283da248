/** What the status server answers in JSON: `/status`, `/tables`, `/tables/NAME`. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import type { Board, Question } from './board.ts';
import type { Entry, StatusDocument } from './document.ts';
import { type Answer, JSON_TYPE, type Routes, refused } from './server.ts';

export function statusRoutes(status: () => StatusDocument, board: Board): Routes {
  /** Asked once a second, while rows change when a job has run. */
  const texts = new WeakMap<readonly Entry[], string>();
  const textOf = (entries: readonly Entry[]): string => {
    const before = texts.get(entries);
    if (before !== undefined) return before;
    const text = JSON.stringify(entries);
    texts.set(entries, text);
    return text;
  };

  return new Map([
    ['/status', () => json(JSON.stringify(status()))],
    ['/tables', () => json(JSON.stringify(board.tables()))],
    [
      '/tables/',
      (query: URLSearchParams, name: string) => {
        const table = board.table(name, questionOf(query));
        if (table === undefined) {
          const names = board.tables().tables.map((one) => one.name);
          const known = names.length === 0 ? 'there are none' : `expected one of ${names.join(', ')}`;
          return refused(404, `there is no table ${quoted(name)}; ${known}`);
        }
        const { entries, ...head } = table;
        return json(`${JSON.stringify(head).slice(0, -1)},"entries":${textOf(entries)}}`);
      },
    ],
  ]);
}

const json = (body: string): Answer => ({ status: 200, type: JSON_TYPE, body: `${body}\n` });

const PARAMETERS = ['sort', 'order', 'filter', 'target', 'limit'];
const MAX_TEXT = 200;

/** `E_CONFIG` says which parameter is wrong. */
export function questionOf(query: URLSearchParams): Question {
  const wrong = (what: string): never => {
    throw new Failure('E_CONFIG', what);
  };
  for (const name of query.keys()) {
    if (!PARAMETERS.includes(name)) {
      wrong(`unknown parameter ${quoted(name)}; expected one of ${PARAMETERS.join(', ')}`);
    }
  }
  const text = (name: string): string | undefined => {
    const found = query.get(name) ?? undefined;
    if (found !== undefined && found.length > MAX_TEXT) wrong(`${name}: expected at most ${MAX_TEXT} characters`);
    return found;
  };
  const order = text('order');
  if (order !== undefined && order !== 'worst' && order !== 'best') {
    return wrong(`order: found ${quoted(order)}; expected worst or best`);
  }
  const limit = text('limit');
  if (limit !== undefined && !/^[1-9][0-9]{0,5}$/.test(limit)) {
    wrong(`limit: found ${quoted(limit)}; expected a whole number from 1 to 999999`);
  }
  const counted = limit === undefined ? undefined : Number(limit);
  return { sort: text('sort'), order, filter: text('filter'), target: text('target'), limit: counted };
}
