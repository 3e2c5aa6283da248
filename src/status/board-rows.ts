/** The rows of one table: what was seen last of each measured thing, for as long as it is seen. Pure. */
import type { Labels } from '../metric.ts';
import type { Point } from '../point.ts';
import type { Table } from '../table.ts';
import { byColumn, inOrder } from './board-order.ts';

export interface Row {
  readonly key: string;
  readonly target: string;
  labels: Labels;
  /** The values of labels, then of tags. */
  names: readonly (string | null)[];
  /** Target and names, in small letters; made when it is asked for. */
  text: string | undefined;
  /** By column; NaN: unknown. */
  readonly values: number[];
  /** By column, the run that read it last; undefined: none, or too long ago. */
  readonly runs: (Run | undefined)[];
  /** How many `runs` there are, and how many of them are the one that is being put. */
  known: number;
  put: number;
  /** The last run that read any of them. */
  seenIn: Run;
  /** The row that was put after it the last time, which is mostly the next one again. */
  next: Row | undefined;
}

/** One run, as rows need to know it. */
export interface Run {
  readonly job: string;
  readonly target: string;
  readonly atMs: number;
  /** Monotonic: when it was seen, and until when that tells what is there now. */
  readonly nowMs: number;
  readonly untilMs: number;
}

export interface Rows {
  readonly table: Table;
  /** Grows whenever anything has changed. */
  readonly version: number;
  readonly size: number;
  /** How many there were besides in the last runs, and are not kept. */
  readonly omitted: number;
  put(column: number, point: Point, run: Run): void;
  /** All points of a run were put. */
  settle(run: Run): void;
  /** Forgets what was read too long ago. */
  sweep(nowMs: number): void;
  /** Forgets the `count` rows that are the least by the table's own order. */
  prune(count: number): void;
  /** By their keys, so that rows that are alike in what they are sorted by keep their places. */
  all(): readonly Row[];
}

const always = Number.POSITIVE_INFINITY;

export function createRows(table: Table): Rows {
  const rows = new Map<string, Row>();
  const omitted = new Map<string, { count: number; untilMs: number }>();
  const { columns, labels, tags = [] } = table;
  const shown = [...labels, ...tags];
  const unknown = columns.map(() => Number.NaN);
  const unread = columns.map((): Run | undefined => undefined);
  let ordered: readonly Row[] | undefined;
  let version = 0;
  // Within a run the points of an entity mostly have one labels object, so the last row is mostly the next one.
  let lastRow: Row | undefined;
  let touched: Row[] = [];
  let ending: Row[] = [];
  /** Nothing has to be forgotten before. */
  let dueMs = always;

  const remove = (row: Row): void => {
    rows.delete(row.key);
    row.next = undefined;
    row.known = 0;
    ordered = undefined;
    version += 1;
  };
  const add = (key: string, run: Run): Row => {
    // Written out and copied: with ten thousand of them it is felt how they are made.
    const row: Row = {
      key,
      target: run.target,
      labels: none,
      names: [],
      text: undefined,
      values: unknown.slice(),
      runs: unread.slice(),
      known: 0,
      put: 0,
      seenIn: run,
      next: undefined,
    };
    rows.set(key, row);
    touched.push(row);
    ordered = undefined;
    return row;
  };
  const name = (row: Row, found: Labels): void => {
    row.labels = found;
    const { names } = row;
    if (names.length > 0 && shown.every((label, at) => names[at] === (found[label] ?? null))) return;
    row.names = shown.map((label) => found[label] ?? null);
    row.text = undefined;
  };
  /** Hundreds of thousands a run: a name is looked up only where a row does not follow the one that it followed before. */
  const find = (point: Point, run: Run): Row | undefined => {
    if (lastRow?.labels === point.labels) return lastRow;
    const next = lastRow?.next;
    // Labels may be shared by the machines of several runs.
    const isNext = next !== undefined && (next.seenIn === run ? next.labels === point.labels : isOf(next.key, point));
    return isNext && next.known > 0 ? next : rows.get(keyOf(point));
  };
  const clear = (row: Row, column: number): void => {
    if (row.runs[column] === undefined) return;
    row.runs[column] = undefined;
    row.values[column] = Number.NaN;
    row.known -= 1;
  };
  /** Forgets the cells that `isOver` says; a row without any is gone. */
  const clearCells = (row: Row, isOver: (run: Run) => boolean): void => {
    const before = row.known;
    for (const [at, run] of row.runs.entries()) if (run !== undefined && isOver(run)) clear(row, at);
    if (row.known === before) return;
    version += 1;
    const [first, ...others] = row.runs.filter((run) => run !== undefined);
    if (first === undefined) remove(row);
    else row.seenIn = others.reduce((last, run) => (run.nowMs > last.nowMs ? run : last), first);
  };

  return {
    table,
    get version() {
      return version;
    },
    get size() {
      return rows.size;
    },
    get omitted() {
      return [...omitted.values()].reduce((sum, { count }) => sum + count, 0);
    },
    put(column, point, run) {
      if (point.ends === true) {
        // One whose labels are tags ends by its old tags alone, and goes on.
        const ended = point.taggedOnly === true ? undefined : rows.get(keyOf(point));
        if (ended === undefined) return;
        clear(ended, column);
        ending.push(ended);
        return;
      }
      const row = find(point, run) ?? add(keyOf(point), run);
      if (row !== lastRow && lastRow !== undefined) lastRow.next = row;
      lastRow = row;
      if (row.labels !== point.labels) name(row, point.labels);
      if (row.seenIn !== run) {
        row.seenIn = run;
        row.put = 0;
        touched.push(row);
      }
      row.values[column] = shownValue(point);
      const before = row.runs[column];
      if (before === run) return;
      if (before === undefined) row.known += 1;
      row.runs[column] = run;
      row.put += 1;
    },
    settle(run) {
      if (touched.length === 0 && ending.length === 0) return;
      const { job, nowMs } = run;
      omitted.delete(run.target);
      for (const row of touched) if (row.put < row.known) clearCells(row, ({ untilMs }) => untilMs < nowMs);
      if (touched.length > 0) dueMs = Math.min(dueMs, run.untilMs);
      // Counters end without a word: where something of a job has ended, and nothing was read by it, all of it is gone.
      for (const row of ending) {
        if (rows.get(row.key) !== row || row.seenIn === run) continue;
        if (row.known === 0) remove(row);
        else clearCells(row, (one) => one.job === job);
      }
      [touched, ending, lastRow] = [[], [], undefined];
      version += 1;
    },
    sweep(nowMs) {
      if (nowMs <= dueMs) return;
      dueMs = always;
      for (const row of rows.values()) {
        clearCells(row, ({ untilMs }) => untilMs < nowMs);
        for (const run of row.runs) if (run !== undefined) dueMs = Math.min(dueMs, run.untilMs);
      }
      for (const [target, { untilMs }] of omitted) {
        if (untilMs < nowMs) omitted.delete(target);
        else dueMs = Math.min(dueMs, untilMs);
      }
    },
    prune(count) {
      if (count <= 0) return;
      const worst = inOrder([...rows.values()], byColumn(table, table.sortBy), false);
      for (const row of worst.slice(-count)) {
        remove(row);
        const before = omitted.get(row.target)?.count ?? 0;
        omitted.set(row.target, { count: before + 1, untilMs: row.seenIn.untilMs });
        dueMs = Math.min(dueMs, row.seenIn.untilMs);
      }
    },
    all() {
      ordered ??= [...rows.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
      return ordered;
    },
  };
}

const none: Labels = Object.freeze({});

/** Its series without the metric: names what was measured. */
function keyOf({ path, metric }: Point): string {
  return path.slice(0, -metric.name.length - 1);
}

/** What `keyOf` says, without making a text of it. */
function isOf(key: string, { path, metric }: Point): boolean {
  return path.length === key.length + 1 + metric.name.length && path.startsWith(key);
}

/** Of a counter the increment per second; NaN: unknown. */
function shownValue({ metric, value = Number.NaN, elapsedSeconds = 0 }: Point): number {
  const shown = metric.kind === 'counter' ? (elapsedSeconds > 0 ? value / elapsedSeconds : Number.NaN) : value;
  return Number.isFinite(shown) ? shown : Number.NaN;
}
