/** State, documents and size → the lines of the screen. Pure. */
import type { TableDocument, TableHead } from '../status/document.ts';
import { printable } from '../text.ts';
import { headerLine, titleLine } from './header.ts';
import { helpLines } from './help.ts';
import { type Known, type Size, targetsOf } from './known.ts';
import { fitted, type Line, plain, styled, washed } from './line.ts';
import { tableLines } from './rows.ts';
import { tabLine } from './tabs.ts';
import { chosenTable, sortingOf, sortOf, type View } from './view.ts';

export interface Parts {
  readonly header: boolean;
  readonly tabs: boolean;
  readonly title: boolean;
  readonly head: boolean;
  readonly keys: boolean;
  /** How many rows of the table fit. */
  readonly page: number;
}

/** A low screen has fewer parts, so that it has rows. */
export function partsOf({ rows }: Size, { lines }: Pick<View, 'lines'>): Parts {
  const parts = { header: rows >= 3, tabs: rows >= 8, title: rows >= 6, head: rows >= 2, keys: rows >= 12 };
  const taken = Object.values(parts).filter((is) => is).length;
  return { ...parts, page: Math.min(Math.max(1, rows - taken), lines ?? Number.POSITIVE_INFINITY) };
}

/** Exactly `size.rows` lines, each at most `size.columns` wide. `nowMs` is this machine's clock. */
export function screen(view: View, known: Known, size: Size, nowMs: number, colours: boolean): Line[] {
  const parts = partsOf(size, view);
  const { header, tabs, title, keys, page } = parts;
  const head = chosenTable(view, known.heads);
  const table = known.table?.name === head?.name ? known.table : undefined;
  const lines: Line[] = [];
  if (header) lines.push(headerLine(view, known, table, { width: size.columns, nowMs, page }));
  if (tabs) lines.push(tabLine(known.heads, head, size.columns));
  if (view.showsHelp) lines.push(...helpLines(size.columns, colours));
  else {
    if (title) lines.push(titleLine(view, head, table, page));
    lines.push(...body(view, { ...known, table }, head, size, colours));
  }
  const bottom = keys ? 1 : 0;
  const above = lines.slice(0, size.rows - bottom).map((line) => fitted(line, size.columns));
  while (above.length < size.rows - bottom) above.push([]);
  // Where a low screen has no title, what is typed stands on its last line.
  if (view.typed !== undefined && !title)
    above[size.rows - 1] = fitted([plain(`/${printable(view.typed)}_`)], size.columns);
  return keys ? [...above, fitted([styled('dim', KEYS)], size.columns)] : above;
}

const KEYS = 'q quit  ? help  ←→ table  ↑↓ scroll  s sort  r reverse  / filter  t target  p pause';

function body(view: View, known: Known, head: TableHead | undefined, size: Size, colours: boolean): readonly Line[] {
  const { head: showsHead, page } = partsOf(size, view);
  const { table, lost } = known;
  if (head === undefined) {
    const none = known.heads.length === 0 && lost === undefined;
    return none ? [[plain('No job has a table: the collectors that run have none.')]] : [];
  }
  if (table === undefined) return [];
  const offset = Math.max(0, Math.min(view.offset, table.found - page));
  const entries = table.entries.slice(offset, offset + page);
  const { order } = sortingOf(view, head.name);
  const { head: titles, rows } = tableLines(
    { ...table, entries },
    {
      ...{ width: size.columns, sort: sortOf(view, head), order, marks: !colours, bare: false },
      showTarget: severalTargets(view, known, table),
    },
  );
  const shown = table.found > 0 ? rows : [[styled('dim', emptyText(view))]];
  const all = showsHead ? [titles, ...shown] : shown;
  return lost === undefined ? all : all.map((line) => washed(line, 'dim'));
}

function emptyText({ filter, typed, target }: View): string {
  const isNarrowed = (typed ?? filter) !== '' || target !== undefined;
  return isNarrowed ? 'no rows like this' : 'no rows yet';
}

function severalTargets(view: View, known: Known, table: TableDocument): boolean {
  return view.target === undefined && targetsOf({ status: known.status, table }).length > 1;
}
