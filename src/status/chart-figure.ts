/** The charts of one table: drawn here, so that they are there without a script. */
import { HEIGHT, heightOf, linePath, type Scale, scaleOf, summaryOf, thinned, type Values } from './chart.ts';
import type { ColumnHead, HistoryDocument } from './document.ts';
import { spanOf, spanText } from './history-recent.ts';
import { cellText, clockText, unitText } from './page-cell.ts';
import { type Html, html } from './page-html.ts';

/** Lines that one chart has at most: each has a colour and a stroke of its own. */
export const MAX_LINES = 5;

export interface Line {
  readonly name: string;
  readonly values: Values;
}

/** One column of the worst rows. Lines have the order, and so the colours, of the rows. */
export function chartFigure(column: ColumnHead, lines: readonly Line[], history: HistoryDocument): Html {
  const { fromSeconds, stepSeconds } = history;
  const span = spanOf(history);
  const scale = scaleOf(
    lines.map(({ values }) => values),
    column,
  );
  const ticks = scale.ticks.map((tick) => html`<span>${cellText(tick, column.form)}</span>`);
  const times = [0, 1, 2, 3, 4].map((quarter) => {
    const atMs = (fromSeconds + (quarter * span * stepSeconds) / 4) * 1000;
    return html`<span>${clockText(atMs).slice(0, 5)}</span>`;
  });
  const unit = unitText(column);
  const paths = lines.map(
    ({ values }, index) => html`<path class="line s${index + 1}" d="${linePath(values, scale)}"/>`,
  );
  return html`<figure class="chart" data-column="${column.title}" data-form="${column.form}" data-span="${span}">
<figcaption><b>${column.title}</b>${unit === '' ? undefined : html` <span>${unit}</span>`} <span class="read" aria-hidden="true"></span></figcaption>
<div class="plot"><div class="y" aria-hidden="true">${ticks}</div>
<svg viewBox="0 0 ${span - 1} ${HEIGHT}" preserveAspectRatio="none" role="img"><title>${spoken(column, lines, spanText(history))}</title>
<path class="grid" d="${gridPath(scale, span)}"/>${limits(column, scale, span)}${paths}<path class="cursor" d=""/></svg>
<div class="x" aria-hidden="true">${times}</div></div></figure>`;
}

/** A row's own line: as high as a line of text. */
export function sparkline(values: Values, scale: Scale, column: ColumnHead, history: HistoryDocument): Html {
  const every = Math.ceil(spanOf(history) / SPARK_VALUES);
  const thin = thinned(values, every, column.below);
  const { lowest, highest } = summaryOf(values);
  const range = highest === null ? 'unknown' : `${cellText(lowest, column.form)} to ${cellText(highest, column.form)}`;
  const width = thin.length - 1;
  return html`<svg class="spark" viewBox="0 -6 ${width} ${HEIGHT + 12}" preserveAspectRatio="none" role="img"><title>${column.title}, last ${spanText(history)}: ${range}</title><path class="base" d="M0 ${HEIGHT}h${width}"/><path class="line s1" d="${linePath(thin, scale)}"/></svg>`;
}

const SPARK_VALUES = 90;

/** The stroke that stands for a row in all charts of its table. */
export function strokeMark(index: number): Html {
  return html`<svg class="stroke" viewBox="0 0 24 8" aria-hidden="true"><path class="line s${index + 1}" d="M1 4h22"/></svg>`;
}

/** The values of one column, by row. */
export function linesOf(history: HistoryDocument, column: ColumnHead): ReadonlyMap<string, Values> {
  const ofColumn = history.series.filter((one) => one.column === column.title);
  return new Map(ofColumn.map(({ key, values }) => [key, values]));
}

function gridPath(scale: Scale, span: number): string {
  return scale.ticks.map((tick) => `M0 ${heightOf(tick, scale)}h${span - 1}`).join('');
}

/** Where it begins to stand out, when that is on the chart. */
function limits({ warnAt, badAt }: ColumnHead, scale: Scale, span: number): readonly Html[] {
  const line = (grade: string, at: number | undefined): readonly Html[] => {
    if (at === undefined || at <= scale.min || at > scale.max) return [];
    return [html`<path class="limit ${grade}" d="M0 ${heightOf(at, scale)}h${span - 1}"/>`];
  };
  return [...line('warn', warnAt), ...line('bad', badAt)];
}

function spoken({ title, form }: ColumnHead, lines: readonly Line[], span: string): string {
  const each = lines.map(({ name, values }) => {
    const { latest, highest } = summaryOf(values);
    return highest === null
      ? `${name}: unknown`
      : `${name}: ${cellText(latest, form)} at last, ${cellText(highest, form)} at most`;
  });
  return `${title} of the last ${span}. ${each.join('; ')}`.slice(0, MAX_SPOKEN);
}

const MAX_SPOKEN = 500;
