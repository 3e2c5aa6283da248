/** The status page: what it answers, and by what. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import type { Board } from './board.ts';
import type { Entry, HistoryDocument, StatusDocument, TableDocument } from './document.ts';
import type { History } from './history.ts';
import { recent } from './history-recent.ts';
import { type View, viewOf } from './page-address.ts';
import { answerCard, inPageOrder } from './page-answers.ts';
import { complaint, PAGE_HEADERS, pageOf } from './page-frame.ts';
import { type Html, html } from './page-html.ts';
import { jobSection, troubleSection } from './page-jobs.ts';
import { eventSection, processSection, sinkSection } from './page-sinks.ts';
import { OVERVIEW_ROWS, TABLE_ROWS, tableSection } from './page-table.ts';
import { scriptText } from './script.ts';
import { type Answer, JSON_TYPE, type Routes, refused } from './server.ts';
import { styleText } from './style.ts';

export interface PageSurroundings {
  readonly board: Board;
  readonly history: History;
  readonly status: () => StatusDocument;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** What the loopback listener answers besides what the socket does. */
export function pageRoutes({ board, history, status, nowMs }: PageSurroundings): Routes {
  return new Map<string, (query: URLSearchParams) => Answer>([
    ['/', (query) => page({ board, history, status: status() }, query)],
    ['/page.css', () => ({ status: 200, type: 'text/css; charset=utf-8', body: styleText })],
    ['/page.js', () => ({ status: 200, type: 'text/javascript; charset=utf-8', body: scriptText })],
    ['/history', (query) => historyOf(history, nowMs(), query)],
  ]);
}

interface Known {
  readonly board: Board;
  readonly history: History;
  readonly status: StatusDocument;
}

/** Rows of each table that one look at it takes: enough to count what stands out. */
const LOOKED_AT = 1000;

function page(known: Known, query: URLSearchParams): Answer {
  const { board, status } = known;
  const tables = inPageOrder(board.tables().tables);
  const all = (view: View): ReadonlyMap<string, TableDocument> => {
    const wanted = tables.filter(({ name }) => view.table === undefined || view.table === name);
    return new Map(wanted.flatMap(({ name }) => present(name, board.table(name, questionOf(view)))));
  };
  const targets = [...new Set(status.jobs.map(({ target }) => target))].toSorted();
  let view: View = {};
  let code = 200;
  let main: Html;
  try {
    view = viewOf(query);
    if (view.table !== undefined && !tables.some(({ name }) => name === view.table)) {
      const names = tables.map(({ name }) => name).join(', ');
      main = complaint(
        `there is no table ${quoted(view.table)}; expected ${names === '' ? 'none: no job has one' : `one of ${names}`}`,
      );
      code = 404;
    } else main = view.table === undefined ? overview(known, all(view), view) : alone(known, all(view), view);
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.code !== 'E_CONFIG') throw thrown;
    [main, code] = [complaint(thrown.message), 400];
  }
  const body = pageOf({ status, tables, targets, view, main });
  return { status: code, type: 'text/html; charset=utf-8', body, headers: PAGE_HEADERS };
}

function questionOf({ table, sort, order, filter, target, rows }: View) {
  if (table === undefined) return { filter, target, limit: LOOKED_AT };
  return { sort, order, filter, target, limit: rows ?? TABLE_ROWS };
}

function present<Value>(name: string, value: Value | undefined): readonly (readonly [string, Value])[] {
  return value === undefined ? [] : [[name, value]];
}

function overview({ history, status }: Known, tables: ReadonlyMap<string, TableDocument>, view: View): Html {
  const withRows = [...tables.values()].filter(({ rows }) => rows > 0);
  const shown = withRows.map((table) => {
    const entries = table.entries.slice(0, OVERVIEW_ROWS);
    const of = lastOf(history, table.name, entries, status.nowMs);
    return { table, entries, history: of, view, withTargets: hasTargets(table) };
  });
  const empty = [...tables.values()].filter(({ rows }) => rows === 0).map(({ name }) => name);
  return html`<div class="cards" id="cards" data-part>${shown.map(answerCard)}</div>
${troubleSection(status)}
${shown.map(tableSection)}
${shown.length === 0 ? html`<section class="panel" id="none" data-part><p>No table has rows yet. A job shows its rows when it has run twice.</p></section>` : undefined}
${shown.length > 0 && empty.length > 0 ? html`<p class="dim" id="empty" data-part>Without rows: ${empty.join(', ')}.</p>` : undefined}
${jobSection(status, view)}${sinkSection(status)}${status.events === undefined ? undefined : eventSection(status.events)}${processSection(status)}`;
}

function alone({ history, status }: Known, tables: ReadonlyMap<string, TableDocument>, view: View): Html {
  const sections = [...tables.values()].map((table) => {
    const { entries } = table;
    const of = lastOf(history, table.name, entries, status.nowMs);
    return tableSection({ table, entries, history: of, view, withTargets: hasTargets(table) });
  });
  return html`${sections}`;
}

function lastOf(
  history: History,
  table: string,
  entries: readonly Entry[],
  nowMs: number,
): HistoryDocument | undefined {
  const keys = entries.map(({ key }) => key);
  const document = history.document(table, keys, nowMs);
  return document === undefined || document.series.length === 0 ? undefined : recent(document);
}

function hasTargets({ entries }: TableDocument): boolean {
  const [first] = entries;
  return entries.some(({ target }) => target !== first?.target);
}

const MAX_KEYS = 20;

function historyOf(history: History, nowMs: number, query: URLSearchParams): Answer {
  const table = query.get('table') ?? '';
  const keys = query.getAll('key');
  if (keys.length === 0 || keys.length > MAX_KEYS) {
    throw new Failure('E_CONFIG', `key: found ${keys.length} of them; expected 1 to ${MAX_KEYS}`);
  }
  const document = history.document(table, keys, nowMs);
  if (document === undefined) return refused(404, `there is no table ${quoted(table)} with charts`);
  return { status: 200, type: JSON_TYPE, body: `${JSON.stringify(document)}\n` };
}
