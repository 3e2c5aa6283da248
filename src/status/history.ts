/** The last hour of what the status page charts: a bounded ring in memory, kept only where the page is on. */
import type { Collector } from '../collector.ts';
import type { Point } from '../point.ts';
import type { Seen } from './board.ts';
import type { HistoryDocument } from './document.ts';
import { lastOf, read, STEP_MS, STEPS, stepOf, write } from './history-cell.ts';
import {
  addRow,
  type ChartedTable,
  chartedTable,
  isAlike,
  leastOf,
  type Place,
  rate,
  removeRow,
  seriesOf,
} from './history-table.ts';

export interface History {
  /** The tables are those of these collectors; what others had is forgotten. */
  use(collectors: readonly Collector[]): void;
  see(seen: Seen): void;
  /** The charted columns of these rows until now; rows that are not charted are left out. Undefined: no such table. */
  document(table: string, keys: readonly string[], nowMs: number): HistoryDocument | undefined;
  /** How many series are kept. */
  readonly size: number;
}

/** 1,440 bytes of values each: about 3 MiB, and as much again for what finds them. */
const MAX_SERIES = 2000;
/** Rows that take the place of others after one run: each costs a look at all. */
const MAX_CONTESTS = 64;

interface Role {
  readonly table: ChartedTable;
  readonly isSortedBy: boolean;
}

const NO_ROLES: readonly Role[] = [];

/** A row that is not charted, and how bad it is. */
interface Candidate {
  readonly table: ChartedTable;
  readonly point: Point;
  readonly severity: number;
}

/** Of one collector, by the name of the metric. */
type Roles = Map<string, readonly Role[]>;

export function createHistory({ maxSeries = MAX_SERIES }: { readonly maxSeries?: number } = {}): History {
  let tables: ReadonlyMap<string, ChartedTable> = new Map();
  let roles: ReadonlyMap<string, Roles> = new Map();
  let series = 0;
  let sweptAt = 0;

  const add = (table: ChartedTable, key: string): void => {
    addRow(table, key);
    series += table.columns.length;
  };
  const remove = (table: ChartedTable, row: Place['row']): void => {
    removeRow(table, row);
    series -= table.columns.length;
  };
  const hasRoom = (table: ChartedTable): boolean => series + table.columns.length <= maxSeries;

  /** What is nowhere in the last hour leaves. */
  const sweep = (step: number): void => {
    sweptAt = step;
    for (const table of tables.values()) {
      for (const row of table.rows.values()) {
        if (row.cells.every((cell) => lastOf(cell) <= step - STEPS)) remove(table, row);
      }
    }
  };

  const isBelowShare = (table: ChartedTable): boolean => {
    const open = [...tables.values()].filter(({ rows }) => rows.size > 0 || rows === table.rows);
    return seriesOf(table) + table.columns.length <= maxSeries / open.length;
  };

  /** Makes room for a row that is bad, if one that is charted is less so. A table below its share takes from the largest. */
  const contest = (table: ChartedTable, severity: number, atMs: number): boolean => {
    const takes = isBelowShare(table);
    while (!hasRoom(table)) {
      const largest = [...tables.values()].reduce((most, one) => (seriesOf(one) > seriesOf(most) ? one : most), table);
      const from = takes ? largest : table;
      const least = leastOf(from, atMs);
      if (least === undefined || (from === table && least.severity >= severity)) return false;
      remove(from, least.row);
    }
    return true;
  };

  const admit = (table: ChartedTable, point: Point, severity: number | undefined, atMs: number): void => {
    add(table, keyOf(point));
    const added = table.places.get(point.path);
    if (severity !== undefined && added !== undefined) rate(added.row, severity, atMs);
  };

  /** Who is charted is settled before anything is written, so that a row that comes in has all of its columns. */
  const choose = ({ points, atMs }: Seen, ofCollector: Roles): void => {
    const bad: Candidate[] = [];
    const floors = new Map<ChartedTable, number>();
    // Found out when the first row has no room: in most daemons none ever is without.
    const floorOf = (table: ChartedTable): number => {
      const before = floors.get(table);
      if (before !== undefined) return before;
      const least = isBelowShare(table) ? undefined : leastOf(table, atMs)?.severity;
      floors.set(table, least ?? Number.NEGATIVE_INFINITY);
      return floorOf(table);
    };
    for (const point of points) {
      for (const { table, isSortedBy } of ofCollector.get(point.metric.name) ?? NO_ROLES) {
        const value = worth(point);
        if (Number.isNaN(value) || point.taggedOnly === true) continue;
        const known = table.places.get(point.path);
        const severity = isSortedBy ? (table.sortBy.below ? -value : value) : undefined;
        if (known !== undefined && severity !== undefined) rate(known.row, severity, atMs);
        if (known !== undefined) continue;
        if (hasRoom(table)) admit(table, point, severity, atMs);
        else if (severity !== undefined && severity > floorOf(table)) bad.push({ table, point, severity });
      }
    }
    const worst = bad.toSorted((one, other) => other.severity - one.severity).slice(0, MAX_CONTESTS);
    for (const { table, point, severity } of worst) {
      if (contest(table, severity, atMs)) admit(table, point, severity, atMs);
    }
  };

  return {
    use(collectors) {
      const next = new Map<string, ChartedTable>();
      const nextRoles = new Map<string, Roles>();
      for (const collector of collectors) {
        const own: Roles = new Map();
        nextRoles.set(collector.name, own);
        for (const one of collector.tables ?? []) {
          const fresh = chartedTable(one);
          if (fresh === undefined) continue;
          const before = tables.get(one.name);
          const table = before !== undefined && isAlike(before, fresh) ? before : fresh;
          next.set(one.name, table);
          for (const { metric, title, chart } of one.columns) {
            const role = { table, isSortedBy: title === table.sortBy.title };
            if (chart === true || role.isSortedBy) own.set(metric.name, [...(own.get(metric.name) ?? []), role]);
          }
        }
      }
      [tables, roles] = [next, nextRoles];
      series = [...tables.values()].reduce((sum, table) => sum + seriesOf(table), 0);
    },
    see(seen) {
      const step = stepOf(seen.atMs);
      if (step !== sweptAt) sweep(step);
      const ofCollector = roles.get(seen.collector);
      if (ofCollector === undefined || ofCollector.size === 0) return;
      choose(seen, ofCollector);
      for (const point of seen.points) {
        if (point.taggedOnly === true) continue;
        for (const { table } of ofCollector.get(point.metric.name) ?? NO_ROLES) {
          const place = table.places.get(point.path);
          if (place?.cell !== undefined) write(place.cell, seen, worth(point), place.below);
        }
      }
    },
    document(name, keys, nowMs) {
      const table = tables.get(name);
      if (table === undefined) return undefined;
      const first = stepOf(nowMs) - STEPS + 1;
      const rows = keys.flatMap((key) => table.rows.get(key) ?? []);
      return {
        ...{ format: 1, stepSeconds: STEP_MS / 1000, fromSeconds: (first * STEP_MS) / 1000 },
        series: rows.flatMap(({ key, cells }) =>
          cells.map((cell, index) => ({
            key,
            column: table.columns[index]?.title ?? '',
            values: Array.from({ length: STEPS }, (_, at) => shown(read(cell, first + at, nowMs))),
          })),
        ),
      };
    },
    get size() {
      return series;
    },
  };
}

/** As the board has it: a counter's increment per second, else the value; NaN: unknown, or over. */
function worth({ value, metric, elapsedSeconds, ends }: Point): number {
  if (value === undefined || ends === true) return Number.NaN;
  if (metric.kind !== 'counter') return value;
  return elapsedSeconds === undefined ? Number.NaN : value / elapsedSeconds;
}

/** The series without the metric. */
function keyOf({ path, metric }: Point): string {
  return path.slice(0, -metric.name.length - 1);
}

/** A Float32 has some seven digits; more of them would be noise. */
function shown(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
}
