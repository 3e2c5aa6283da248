/** The latest values of all tables: fed with what sinks get, asked by `top` and the status page. */
import type { Clock } from '../clock.ts';
import type { Collector } from '../collector.ts';
import { Failure } from '../errors.ts';
import type { Point } from '../point.ts';
import type { Column, Table } from '../table.ts';
import { nearest, quoted } from '../text.ts';
import { byColumn, inOrder, type Rank } from './board-order.ts';
import { createRows, type Row, type Rows } from './board-rows.ts';
import type { ColumnHead, Entry, TableDocument, TableHead, TablesDocument } from './document.ts';

export interface Question {
  /** The title of a column, a label, a tag, or `target`; default: what the table says. */
  readonly sort?: string | undefined;
  readonly order?: 'worst' | 'best' | undefined;
  readonly filter?: string | undefined;
  readonly target?: string | undefined;
  readonly limit?: number | undefined;
}

/** One run's points, as the board needs to know them. */
export interface Seen {
  readonly job: string;
  readonly collector: string;
  readonly target: string;
  readonly atMs: number;
  readonly intervalMs: number;
  /** How long it took: the next one may take as long, beyond its interval. */
  readonly tookMs: number;
  readonly points: readonly Point[];
}

export interface Board {
  /** The tables are those of these collectors; what others had is forgotten. */
  use(collectors: readonly Collector[]): void;
  see(seen: Seen): void;
  tables(): TablesDocument;
  /** Undefined: there is no such table. `E_CONFIG`: the question names what the table has not. */
  table(name: string, question: Question): TableDocument | undefined;
}

/** In all tables together. */
const MAX_ROWS = 20_000;
/** What was not seen for so many intervals is not there any more, or nobody knows. */
const KEPT_INTERVALS = 3;
/** Answers that are remembered of one table, until something is seen. */
const MAX_ANSWERS = 8;

interface Answered {
  readonly found: number;
  readonly entries: readonly Entry[];
}

interface Shown {
  readonly collector: string;
  readonly rows: Rows;
  readonly columns: readonly ColumnHead[];
  readonly answers: Map<string, Answered>;
  /** Of the rows, when `answers` were given. */
  answeredAt: number;
}

/** Which cells a metric fills. */
type Places = Map<string, { readonly rows: Rows; readonly column: number }[]>;

export function createBoard(clock: Clock, maxRows = MAX_ROWS): Board {
  let shown: ReadonlyMap<string, Shown> = new Map();
  let places: ReadonlyMap<string, Places> = new Map();

  const headOf = ({ collector, rows, columns }: Shown): TableHead => {
    const { name, title, labels, tags = [], sortBy } = rows.table;
    const { omitted, size } = rows;
    return { name, title, collector, labels, tags, columns, sortBy, rows: size, ...(omitted > 0 ? { omitted } : {}) };
  };
  const answer = (table: Shown, question: Question): Answered => {
    const { rows, answers } = table;
    if (table.answeredAt !== rows.version) answers.clear();
    table.answeredAt = rows.version;
    const { sort, order, filter, target, limit } = question;
    const key = JSON.stringify([sort, order, filter, target, limit]);
    const before = answers.get(key);
    if (before !== undefined) return before;
    const fitting = chosen(rows.all(), question);
    const ordered = inOrder(fitting, rankOf(rows.table, sort), order === 'best');
    const given = { found: ordered.length, entries: ordered.slice(0, limit).map(entryOf) };
    const [oldest] = answers.keys();
    if (answers.size >= MAX_ANSWERS && oldest !== undefined) answers.delete(oldest);
    answers.set(key, given);
    return given;
  };
  const sweep = (): void => {
    const nowMs = clock.monotonicMs();
    for (const { rows } of shown.values()) rows.sweep(nowMs);
  };

  return {
    use(collectors) {
      const next = new Map<string, Shown>();
      const cells = new Map<string, Places>();
      for (const { name: collector, tables = [] } of collectors) {
        if (tables.length === 0) continue;
        const ofCollector: Places = new Map();
        cells.set(collector, ofCollector);
        for (const table of tables) {
          // Of two that have one name the first is meant; a plugin's is refused before.
          if (next.has(table.name)) continue;
          const before = shown.get(table.name);
          // One that a reload has left as it is goes on.
          const rows = before?.rows.table === table ? before.rows : createRows(table);
          const columns = table.columns.map(columnHead);
          next.set(table.name, { collector, rows, columns, answers: new Map(), answeredAt: -1 });
          for (const [column, { metric }] of table.columns.entries()) {
            const there = ofCollector.get(metric.name) ?? [];
            ofCollector.set(metric.name, [...there, { rows, column }]);
          }
        }
      }
      [shown, places] = [next, cells];
    },
    see({ job, collector, target, atMs, intervalMs, tookMs, points }) {
      const cells = places.get(collector);
      if (cells === undefined) return;
      const nowMs = clock.monotonicMs();
      const run = { job, target, atMs, nowMs, untilMs: nowMs + KEPT_INTERVALS * intervalMs + tookMs };
      for (const point of points) {
        const there = cells.get(point.metric.name);
        if (there !== undefined) for (const { rows, column } of there) rows.put(column, point, run);
      }
      const all = [...shown.values()];
      for (const one of all) {
        if (one.collector === collector) one.rows.settle(run);
        // Answers are large, and nobody may ask again.
        if (one.answeredAt !== one.rows.version) one.answers.clear();
      }
      sweep();
      const size = all.reduce((sum, { rows }) => sum + rows.size, 0);
      if (size <= maxRows) return;
      const [largest] = all.map(({ rows }) => rows).sort((one, other) => other.size - one.size);
      largest?.prune(Math.min(largest.size, size - maxRows));
    },
    tables() {
      sweep();
      return { format: 1, tables: [...shown.values()].map(headOf) };
    },
    table(name, question) {
      const table = shown.get(name);
      if (table === undefined) return undefined;
      sweep();
      return { format: 1, ...headOf(table), nowMs: Math.round(clock.wallMs()), ...answer(table, question) };
    },
  };
}

function columnHead({ title, metric, form, warnAt, badAt, below, chart }: Column): ColumnHead {
  return {
    ...{ title, metric: metric.name, unit: metric.unit, help: metric.help, form },
    ...(warnAt === undefined ? {} : { warnAt }),
    ...(badAt === undefined ? {} : { badAt }),
    ...(below === undefined ? {} : { below }),
    ...(chart === undefined ? {} : { chart }),
  };
}

function chosen(rows: readonly Row[], { filter = '', target }: Question): readonly Row[] {
  const wanted = filter.toLowerCase();
  if (wanted === '' && target === undefined) return rows;
  return rows.filter((row) => (target === undefined || row.target === target) && textOf(row).includes(wanted));
}

function textOf(row: Row): string {
  row.text ??= [row.target, ...row.names.map((name) => name ?? '')].join('\n').toLowerCase();
  return row.text;
}

function rankOf(table: Table, sort = table.sortBy): Rank {
  const { columns, labels, tags = [] } = table;
  if (columns.some(({ title }) => title === sort)) return byColumn(table, sort);
  if (sort === 'target') return { text: ({ target }) => target };
  const names = [...labels, ...tags];
  const at = names.indexOf(sort);
  if (at >= 0) return { text: (row) => row.names[at] ?? null };
  const known = [...columns.map(({ title }) => title), ...names, 'target'];
  const meant = nearest(sort, known);
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${meant}"?`;
  throw new Failure('E_CONFIG', `sort: the table ${table.name} has no column ${quoted(sort)}; ${hint}`);
}

function entryOf({ key, target, names, values, seenIn: { atMs } }: Row): Entry {
  return { key, target, names, values: values.map((value) => (Number.isNaN(value) ? null : value)), atMs };
}
