/** What the reader of `top` has chosen. Pure. */
import type { TableHead } from '../status/document.ts';

export interface Sorting {
  /** The title of a column, a label, or `target`; undefined: as the table says. */
  readonly sort: string | undefined;
  readonly order: 'worst' | 'best';
}

export interface View {
  /** Undefined: nothing was chosen, and there is none with rows yet. */
  readonly table: string | undefined;
  /** By table: each keeps its own. */
  readonly sortings: ReadonlyMap<string, Sorting>;
  /** Of tables that have none of their own. */
  readonly sorting: Sorting;
  readonly filter: string;
  /** What is being typed after `/`; undefined: nothing is. */
  readonly typed: string | undefined;
  readonly target: string | undefined;
  /** How many rows are above the first that is shown. */
  readonly offset: number;
  readonly isPaused: boolean;
  readonly showsHelp: boolean;
  /** At most so many rows; undefined: as many as fit. */
  readonly lines: number | undefined;
}

export function sortingOf(view: View, table: string): Sorting {
  return view.sortings.get(table) ?? view.sorting;
}

/** The title by which rows are sorted now; what the table does not have is as if nothing was chosen. */
export function sortOf(view: View, head: TableHead): string {
  const { sort } = sortingOf(view, head.name);
  return sort !== undefined && sortable(head).includes(sort) ? sort : head.sortBy;
}

/** What rows can be sorted by, in the order in which they stand on the screen. */
export function sortable({ labels, tags, columns }: Pick<TableHead, 'labels' | 'tags' | 'columns'>): string[] {
  return ['target', ...labels, ...tags, ...columns.map(({ title }) => title)];
}

/** The table that is shown: the one that was chosen, else the first that has rows, else the first. */
export function chosenTable(view: View, heads: readonly TableHead[]): TableHead | undefined {
  const chosen = heads.find(({ name }) => name === view.table);
  return chosen ?? heads.find(({ rows }) => rows > 0) ?? heads[0];
}

/** More are asked for than fit, so that the next key finds them. */
const AHEAD = 20;

/** The question for a table, of which `rows` are shown at once. */
export function questionOf(view: View, head: TableHead, rows: number): URLSearchParams {
  const question = new URLSearchParams({ sort: sortOf(view, head), order: sortingOf(view, head.name).order });
  const filter = view.typed ?? view.filter;
  if (filter !== '') question.set('filter', filter);
  if (view.target !== undefined) question.set('target', view.target);
  question.set('limit', String(view.offset + rows + AHEAD));
  return question;
}
