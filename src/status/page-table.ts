/** One table of the page: what it is, its charts, and its rows. */

import { chartFigure, type Line, linesOf, MAX_LINES, strokeMark } from './chart-figure.ts';
import type { ColumnHead, Entry, HistoryDocument, TableDocument } from './document.ts';
import { spanText } from './history-recent.ts';
import { addressOf, type View } from './page-address.ts';
import { type Html, html, name } from './page-html.ts';
import { rowsOf } from './page-rows.ts';

export interface ShownTable {
  readonly table: TableDocument;
  readonly entries: readonly Entry[];
  /** Of the entries. */
  readonly history: HistoryDocument | undefined;
  readonly view: View;
  /** Rows of several targets: each says of which. */
  readonly withTargets: boolean;
}

export function tableSection(shown: ShownTable): Html {
  const { table, entries, history, view } = shown;
  const charted = table.columns.filter(({ chart }) => chart === true);
  const found = new Set(history?.series.map(({ key }) => key));
  const drawn = entries.filter(({ key }) => found.has(key)).slice(0, MAX_LINES);
  const keys = JSON.stringify(drawn.map(({ key }) => key));
  const id = `table-${table.name}`;
  const here = addressOf({ ...view, table: table.name, ...(view.table === undefined ? { sort: undefined } : {}) });
  const rest = table.found - entries.length;
  const omitted = table.omitted ?? 0;
  return html`<section class="panel" id="${id}" data-part data-table="${table.name}" data-keys="${keys}">
<div class="heading"><h2 id="${id}-title"><a id="${id}-link" href="${here}">${table.title}</a></h2>
<p class="dim">${countText(table, entries.length)}</p></div>
${history === undefined || drawn.length === 0 ? undefined : charts(shown, charted, drawn, history)}
${entries.length === 0 ? html`<p class="dim">No row fits.</p>` : rowsOf({ ...shown, drawn })}
${rest > 0 ? html`<p class="more"><a id="${id}-more" href="${addressOf({ ...view, table: table.name, rows: nextRows(view) })}">more rows (${rest} are not shown)</a></p>` : undefined}
${omitted > 0 ? html`<p class="dim">${omitted} more are measured and sent, but not kept here: they are the least by ${table.sortBy}.</p>` : undefined}
</section>`;
}

export const OVERVIEW_ROWS = 20;
export const TABLE_ROWS = 100;

function nextRows({ table, rows }: View): number | undefined {
  return table === undefined ? undefined : Math.min(1000, (rows ?? TABLE_ROWS) * 4);
}

function countText({ found, rows }: TableDocument, shown: number): string {
  if (found === rows)
    return shown === rows ? `${rows} ${rows === 1 ? 'row' : 'rows'}` : `the first ${shown} of ${rows}`;
  return shown === found ? `${found} of ${rows} fit` : `the first ${shown} of ${found} that fit, of ${rows}`;
}

/** What a row is called, what tells most first: its labels from the last on, and its target where there are several. */
export function rowNames(
  { labels }: Pick<TableDocument, 'labels'>,
  { names, target }: Entry,
  withTargets: boolean,
): readonly string[] {
  const own = names
    .slice(0, labels.length)
    .reverse()
    .filter((one) => one !== null);
  return withTargets || own.length === 0 ? [...own, target] : own;
}

function charts(
  { table, withTargets }: ShownTable,
  charted: readonly ColumnHead[],
  drawn: readonly Entry[],
  history: HistoryDocument,
): Html {
  const named = drawn.map((entry) => ({
    key: entry.key,
    name: rowNames(table, entry, withTargets).join(' · ').slice(0, 200),
  }));
  const all = charted.map((column) => {
    const values = linesOf(history, column);
    return { column, lines: named.map((one): Line => ({ name: one.name, values: values.get(one.key) ?? [] })) };
  });
  // A chart of nothing but zeros says it in a word.
  const moving = all.filter(({ column, lines }) => column.title === table.sortBy || lines.some(isMoving));
  const flat = all.filter((one) => !moving.includes(one)).map(({ column }) => column.title);
  const figures = moving.map(({ column, lines }) => chartFigure(column, lines, history));
  const legend = named.map((one, index) => html`<li>${strokeMark(index)} ${name(one.name)}</li>`);
  return html`<div class="charts">${figures}</div>
${flat.length === 0 ? undefined : html`<p class="dim flat">0 or unknown for the last ${spanText(history)}: ${flat.join(', ')}</p>`}<ol class="legend">${legend}</ol>`;
}

function isMoving({ values }: Line): boolean {
  return values.some((value) => value !== null && value !== 0);
}
