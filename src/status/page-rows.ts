/** The rows of one table of the page. */
import { scaleOf } from './chart.ts';
import { linesOf, sparkline, strokeMark } from './chart-figure.ts';
import type { ColumnHead, Entry, HistoryDocument, TableDocument } from './document.ts';
import { spanText } from './history-recent.ts';
import { addressOf, type View } from './page-address.ts';
import { cellText, gradeOf, unitText } from './page-cell.ts';
import { type Html, html, name } from './page-html.ts';

export interface ShownRows {
  readonly table: TableDocument;
  readonly entries: readonly Entry[];
  /** Of the entries. */
  readonly history: HistoryDocument | undefined;
  readonly view: View;
  /** Rows of several targets: each says of which. */
  readonly withTargets: boolean;
  /** Those that have a line in the charts, in the order of the strokes. */
  readonly drawn: readonly Entry[];
}

/** What stands in one place of each row. */
interface Field {
  readonly head: Html;
  readonly cell: (entry: Entry) => Html;
}

/** What tells most stands first: whose row it is, its last hour, its numbers; then all else that it is known by. */
export function rowsOf(shown: ShownRows): Html {
  const { table, entries, history, drawn } = shown;
  const charted = chartedColumn(shown);
  const hasLines = history !== undefined && charted !== undefined;
  const [whose, known] = nameFields(shown);
  const fields = [
    ...(hasLines ? [strokeField(drawn)] : []),
    ...whose,
    ...(hasLines ? [hourField(history, charted)] : []),
    ...table.columns.map(
      (column, at): Field => ({
        head: sortHead(shown, column.title, column),
        cell: ({ values }) => numberCell(values[at] ?? null, column),
      }),
    ),
    ...known,
  ];
  const id = `table-${table.name}`;
  return html`<div class="scroll" id="${id}-scroll" tabindex="0" role="region" aria-labelledby="${id}-title"><table>
<thead><tr>${fields.map(({ head }) => head)}</tr></thead>
<tbody>${entries.map((entry) => html`<tr>${fields.map(({ cell }) => cell(entry))}</tr>\n`)}</tbody></table></div>`;
}

/** The column whose last hour each row shows: the one that they are sorted by, if there is one of it. */
function chartedColumn({ table, view }: ShownRows): ColumnHead | undefined {
  const all = table.columns.filter(({ chart }) => chart === true);
  return all.find(({ title }) => title === sortOf(table, view)) ?? all[0];
}

function sortOf({ sortBy }: TableDocument, { table, sort }: View): string {
  return table === undefined ? sortBy : (sort ?? sortBy);
}

/** The labels from the last on, with the target and the first tag; and the other tags. What no row has is left out. */
function nameFields(shown: ShownRows): readonly [whose: readonly Field[], known: readonly Field[]] {
  const { table, entries, withTargets } = shown;
  const { labels, tags } = table;
  const all = [...labels, ...tags].map((title, at) => ({ title, of: ({ names }: Entry) => names[at] ?? null }));
  const used = all.filter(({ of }) => entries.some((entry) => (of(entry) ?? '') !== ''));
  const ofLabels = used.filter(({ title }) => labels.includes(title)).reverse();
  const ofTags = used.filter(({ title }) => !labels.includes(title));
  const needsTarget = withTargets || entries.some((entry) => ofLabels.every(({ of }) => of(entry) === null));
  const target = { title: 'target', of: ({ target: own }: Entry): string | null => own };
  const first = [...ofLabels, ...(needsTarget ? [target] : []), ...ofTags.slice(0, 1)];
  const field =
    (isFirst: boolean) =>
    ({ title, of }: (typeof all)[number]): Field => ({
      head: sortHead(shown, title),
      cell: (entry) => nameCell(of(entry), isFirst),
    });
  return [
    [...first.slice(0, 1).map(field(true)), ...first.slice(1).map(field(false))],
    ofTags.slice(1).map(field(false)),
  ];
}

function nameCell(text: string | null, isFirst: boolean): Html {
  const shown = text === null || text === '' ? html`<span class="dim">–</span>` : name(text);
  return isFirst ? html`<th scope="row">${shown}</th>` : html`<td class="name">${shown}</td>`;
}

function strokeField(drawn: readonly Entry[]): Field {
  return {
    head: html`<th scope="col" class="key"><span class="hidden">line</span></th>`,
    cell(entry) {
      const at = drawn.indexOf(entry);
      return html`<td class="key">${at < 0 ? undefined : strokeMark(at)}</td>`;
    },
  };
}

function hourField(history: HistoryDocument, column: ColumnHead): Field {
  const lines = linesOf(history, column);
  const scale = scaleOf([...lines.values()], column);
  return {
    head: html`<th scope="col" class="name">${column.title}, last ${spanText(history)}</th>`,
    cell({ key }) {
      const own = lines.get(key);
      return html`<td>${own === undefined ? undefined : sparkline(own, scale, column, history)}</td>`;
    },
  };
}

/** The title, as a link that sorts by it: what is sorted by it already is turned around. */
function sortHead({ table, view }: ShownRows, title: string, column?: ColumnHead): Html {
  const isSorted = title === sortOf(table, view);
  const order = isSorted && view.order === undefined && view.table !== undefined ? 'best' : undefined;
  const sort = title === table.sortBy ? undefined : title;
  const isRising = (column === undefined || column.below === true) === (view.order === undefined);
  const state = isSorted ? html` aria-sort="${isRising ? 'ascending' : 'descending'}"` : undefined;
  const arrow = isSorted ? html`<span aria-hidden="true">${isRising ? ' ▲' : ' ▼'}</span>` : undefined;
  const help = column === undefined ? '' : `${column.help} ${unitText(column)}`.trim();
  const id = `table-${table.name}-by-${encodeURIComponent(title)}`;
  const address = addressOf({ ...view, table: table.name, sort, order });
  return html`<th scope="col" class="${column === undefined ? 'name' : 'number'}"${state}><a id="${id}" href="${address}" title="${help}">${title}${arrow}</a></th>`;
}

/** What stands out has a mark besides its colour, and a word for those who hear it. */
function numberCell(value: number | null, column: ColumnHead): Html {
  const grade = gradeOf(value, column);
  if (value === null) return html`<td class="number dim"><span title="unknown">–</span></td>`;
  const text = cellText(value, column.form);
  if (grade === undefined) return html`<td class="number">${text}</td>`;
  return html`<td class="number ${grade}">${gradeMark(grade)}${text}</td>`;
}

export function gradeMark(grade: 'bad' | 'warn'): Html {
  return html`<span class="mark" aria-hidden="true">${grade === 'bad' ? '▲' : '△'}</span><span class="hidden">${grade === 'bad' ? 'bad: ' : 'warning: '}</span>`;
}
