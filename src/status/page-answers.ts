/** What is asked at 3 a.m., answered at the top of the page: the worst rows of each table. */

import { scaleOf } from './chart.ts';
import { linesOf, sparkline } from './chart-figure.ts';
import type { HistoryDocument, TableDocument } from './document.ts';
import { addressOf, type View } from './page-address.ts';
import { cellText, gradeOf } from './page-cell.ts';
import { type Html, html, name } from './page-html.ts';
import { gradeMark } from './page-rows.ts';
import { rowNames } from './page-table.ts';

/** In the order in which they are asked. A table that is not here is asked for by its title. */
const QUESTIONS: ReadonlyMap<string, string> = new Map([
  ['vifs', 'Which VM is limited?'],
  ['queues', 'Which queue grows?'],
  ['tcp', 'Which uplink retransmits?'],
  ['interfaces', 'Which interface has errors?'],
  ['ports', 'Which switch port drops?'],
]);

const ANSWERS = 3;

/** The tables in the order in which the page shows them. */
export function inPageOrder<Named extends { readonly name: string }>(tables: readonly Named[]): readonly Named[] {
  const order = [...QUESTIONS.keys()];
  const place = ({ name: of }: Named): number => (order.includes(of) ? order.indexOf(of) : order.length);
  return tables.toSorted((one, other) => place(one) - place(other));
}

export interface Asked {
  /** Sorted as the table says, the worst above. */
  readonly table: TableDocument;
  /** Of its first rows. */
  readonly history: HistoryDocument | undefined;
  readonly view: View;
  readonly withTargets: boolean;
}

/** Of a table that nobody asks for by itself only while something in it stands out; else undefined. */
export function answerCard({ table, history, view, withTargets }: Asked): Html | undefined {
  const at = table.columns.findIndex(({ title }) => title === table.sortBy);
  const column = table.columns[at];
  if (column === undefined) return undefined;
  const { entries, found } = table;
  const grades = entries.map(({ values }) => gradeOf(values[at] ?? null, column));
  // The worst are above, so that what stands out does so without a gap.
  const clear = grades.indexOf(undefined);
  const count = clear < 0 ? grades.length : clear;
  const worst = grades[0];
  if (worst === undefined && !QUESTIONS.has(table.name)) return undefined;
  const some = clear < 0 && entries.length < found ? `at least ${count}` : String(count);
  const limit = column.warnAt ?? column.badAt;
  const unknown = entries.filter(({ values }) => (values[at] ?? null) === null).length;
  const isKnown = unknown < entries.length;
  const sign = column.form === 'boolean' ? ':' : column.below === true ? ' ≤' : ' ≥';
  const bound = limit === undefined ? '' : ` ${column.title}${sign} ${cellText(limit, column.form)}`;
  const rest = unknown === 0 ? '' : `, ${unknown} unknown`;
  const verdict =
    found === 0
      ? html`– no row fits`
      : limit === undefined
        ? html`${found} ${found === 1 ? 'row' : 'rows'}`
        : !isKnown
          ? html`– ${column.title} of ${found} is unknown`
          : worst === undefined
            ? html`<span class="mark" aria-hidden="true">✓</span> none of ${found}${bound}${rest}`
            : html`${gradeMark(worst)} ${some} of ${found}${bound}${rest}`;
  const charted = column.chart === true ? column : table.columns.find(({ chart }) => chart === true);
  const values = history === undefined || charted === undefined ? undefined : linesOf(history, charted);
  const first = entries.slice(0, ANSWERS);
  const lines = first.map(({ key }) => values?.get(key));
  const scale =
    charted === undefined
      ? undefined
      : scaleOf(
          lines.filter((one) => one !== undefined),
          charted,
        );
  const items = first.map((entry, index) => {
    const line = lines[index];
    const grade = grades[index];
    const [who = '–', ...rest] = rowNames(table, entry, withTargets);
    const spark =
      line === undefined || scale === undefined || charted === undefined || history === undefined
        ? undefined
        : sparkline(line, scale, charted, history);
    return html`<li><span class="who"><b>${name(who)}</b> <span class="dim">${name(rest.join(' · '))}</span></span>${spark}<span class="number ${grade}">${cellText(entry.values[at] ?? null, column.form)}</span></li>`;
  });
  const id = `answer-${table.name}`;
  const question = QUESTIONS.get(table.name) ?? table.title;
  return html`<article class="card ${worst ?? (limit === undefined || !isKnown ? '' : 'ok')}" id="${id}">
<h2><a id="${id}-link" href="${addressOf({ ...view, table: table.name })}">${question}</a></h2>
<p class="verdict">${verdict}</p><ol>${items}</ol></article>`;
}
