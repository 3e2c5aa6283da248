/** Tables printed once: aligned text, whole names unless a terminal is too narrow for them. Pure. */
import type { TableDocument, TableHead } from '../status/document.ts';
import { printable } from '../text.ts';
import { targetsOf } from './known.ts';
import { fitted, type Line, painted, styled } from './line.ts';
import { tableLines } from './rows.ts';
import { left, widthOf } from './width.ts';

export interface Paper {
  /** Infinity: no terminal. */
  readonly width: number;
  readonly colours: boolean;
}

export interface Printed {
  readonly document: TableDocument;
  readonly sort: string;
  readonly order: 'worst' | 'best';
}

export function tablesText(tables: readonly Printed[], paper: Paper): string {
  return tables.map((table) => tableText(table, paper)).join('\n');
}

function tableText({ document, sort, order }: Printed, { width, colours }: Paper): string {
  const { title, name, entries, found, rows } = document;
  const showTarget = targetsOf({ status: undefined, table: document }).length > 1;
  const { head, rows: lines } = tableLines(document, { width, sort, order, showTarget, marks: false, bare: true });
  const count = entries.length === rows ? `${rows}` : `${entries.length} of ${rows}`;
  const heading = styled('bold', `${printable(name)}: ${printable(title)} (${count})`);
  const body: readonly Line[] =
    found === 0 ? [[styled('dim', rows === 0 ? 'no rows yet' : 'no rows like this')]] : lines;
  const top = Number.isFinite(width) ? fitted([heading], width) : [heading];
  return [top, head, ...body].map((line) => `${painted(line, colours)}\n`).join('');
}

/** One line for each table. */
export function listText(heads: readonly TableHead[]): string {
  const names = Math.max(0, ...heads.map(({ name }) => widthOf(printable(name))));
  const counts = Math.max(0, ...heads.map(({ rows }) => String(rows).length));
  return heads
    .map(({ name, rows, title }) => {
      const count = `${String(rows).padStart(counts)} ${rows === 1 ? 'row ' : 'rows'}`;
      return `${left(printable(name), names)}  ${count}  ${printable(title)}\n`;
    })
    .join('');
}
