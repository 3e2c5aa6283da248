/** The charted rows of one table, and how bad each has been lately. */
import type { Metric } from '../metric.ts';
import type { Table } from '../table.ts';
import { type Cell, newCell } from './history-cell.ts';

/** How bad a row is counts for at least so long after it has become better, and for at most twice that. */
const REMEMBERED_MS = 600_000;

export interface Charted {
  readonly title: string;
  readonly metric: string;
  readonly below: boolean;
}

export interface Row {
  readonly key: string;
  /** In the order of the charted columns. */
  readonly cells: readonly Cell[];
  /** The worst value of the column that the table is sorted by, larger is worse: in this span and in the one before. */
  worst: number;
  worstBefore: number;
  span: number;
}

/** What a series writes; no cell: its column is only what the table is sorted by. */
export interface Place {
  readonly row: Row;
  readonly cell: Cell | undefined;
  readonly below: boolean;
}

export interface ChartedTable {
  readonly name: string;
  readonly columns: readonly Charted[];
  readonly sortBy: Charted;
  readonly rows: Map<string, Row>;
  /** By path. */
  readonly places: Map<string, Place>;
}

/** Undefined: the table has no column that is charted. */
export function chartedTable({ name, columns, sortBy }: Table): ChartedTable | undefined {
  const all = columns.map(({ title, metric, below = false, chart }) => ({ title, metric, below, chart }));
  const toCharted = ({ title, metric, below }: { title: string; metric: Metric; below: boolean }): Charted => ({
    ...{ title, metric: metric.name, below },
  });
  const charted = all.filter(({ chart }) => chart === true).map(toCharted);
  const [first] = all;
  const sorting = all.find(({ title }) => title === sortBy) ?? first;
  if (charted.length === 0 || sorting === undefined) return undefined;
  return { name, columns: charted, sortBy: toCharted(sorting), rows: new Map(), places: new Map() };
}

/** Whether what one of them has charted can go on as the other's. */
export function isAlike(a: ChartedTable, b: ChartedTable): boolean {
  return JSON.stringify([a.columns, a.sortBy]) === JSON.stringify([b.columns, b.sortBy]);
}

/** How many series all rows have. */
export function seriesOf({ rows, columns }: ChartedTable): number {
  return rows.size * columns.length;
}

export function addRow(table: ChartedTable, key: string): Row {
  const cells = table.columns.map(newCell);
  const row: Row = { key, cells, worst: Number.NEGATIVE_INFINITY, worstBefore: Number.NEGATIVE_INFINITY, span: 0 };
  table.rows.set(key, row);
  const { sortBy } = table;
  table.places.set(`${key}.${sortBy.metric}`, { row, cell: undefined, below: sortBy.below });
  for (const [index, { metric, below }] of table.columns.entries()) {
    table.places.set(`${key}.${metric}`, { row, cell: cells[index], below });
  }
  return row;
}

export function removeRow(table: ChartedTable, { key }: Row): void {
  table.rows.delete(key);
  for (const { metric } of [table.sortBy, ...table.columns]) table.places.delete(`${key}.${metric}`);
}

/** Takes note of how bad a row is now. */
export function rate(row: Row, severity: number, atMs: number): void {
  const span = Math.floor(atMs / REMEMBERED_MS);
  if (span !== row.span) {
    row.worstBefore = span === row.span + 1 ? row.worst : Number.NEGATIVE_INFINITY;
    [row.worst, row.span] = [Number.NEGATIVE_INFINITY, span];
  }
  row.worst = Math.max(row.worst, severity);
}

export function severityOf(row: Row, atMs: number): number {
  const span = Math.floor(atMs / REMEMBERED_MS);
  if (span === row.span) return Math.max(row.worst, row.worstBefore);
  return span === row.span + 1 ? row.worst : Number.NEGATIVE_INFINITY;
}

/** The row that is missed least; undefined: there is none. */
export function leastOf(
  table: ChartedTable,
  atMs: number,
): { readonly row: Row; readonly severity: number } | undefined {
  let least: { readonly row: Row; readonly severity: number } | undefined;
  for (const row of table.rows.values()) {
    const severity = severityOf(row, atMs);
    if (least === undefined || severity < least.severity) least = { row, severity };
  }
  return least;
}
