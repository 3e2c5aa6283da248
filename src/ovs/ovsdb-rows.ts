/**
 * What an OVSDB server says of its schema and rows, checked (RFC 7047, sections 3.2, 4.1.5 and 4.1.6). Pure.
 * Whatever has another form is `E_PARSE`: rows that may be wrong are worse than none.
 */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { columnValue, type Row, type Tables, type Value, watchedColumns } from './database.ts';

type Json = Readonly<Record<string, unknown>>;

/** Table → its columns' names. */
export type Schema = ReadonlyMap<string, ReadonlySet<string>>;

/** The columns that every table has and no schema names (RFC 7047, 3.2). */
const implied = ['_uuid', '_version'];

/** Of the result of `get_schema`. */
export function schemaOf(json: unknown): Schema {
  const { tables } = objectOf(json, 'the schema');
  return new Map(
    Object.entries(objectOf(tables, 'the schema’s tables')).map(([name, table]) => {
      const { columns } = objectOf(table, `the schema’s table ${quoted(name)}`);
      return [name, new Set([...implied, ...Object.keys(objectOf(columns, `the columns of ${quoted(name)}`))])];
    }),
  );
}

export interface Wanted {
  /** Table → those of its watched columns that the server has. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  /** The others, as `Interface.bfd_status`; a table without any as `Manager`. */
  readonly missing: readonly string[];
}

export function wantedOf(schema: Schema): Wanted {
  const columns = new Map<string, readonly string[]>();
  const missing: string[] = [];
  for (const [table, watched] of Object.entries<readonly string[]>(watchedColumns)) {
    const known = schema.get(table);
    const there = watched.filter((column) => known?.has(column));
    if (there.length > 0) columns.set(table, there);
    if (known === undefined || there.length === 0) missing.push(table);
    else missing.push(...watched.filter((column) => !known.has(column)).map((column) => `${table}.${column}`));
  }
  return { columns, missing };
}

/** The rows that a monitor follows. */
export interface Rows {
  /** Applies `<table-updates>` as a whole, or throws and applies nothing; tells whether a row changed. */
  apply(updates: unknown): boolean;
  /** The rows now. The same maps until one of their rows changes; none that was given away is ever changed. */
  tables(): Tables;
}

export function createRows(columns: Wanted['columns']): Rows {
  const now = new Map<string, Map<string, Row>>([...columns.keys()].map((table) => [table, new Map()]));
  const givenAway = new Set<string>();
  let given: Tables | undefined;

  const writable = (table: string): Map<string, Row> => {
    const before = now.get(table) ?? new Map<string, Row>();
    if (!givenAway.delete(table)) return before;
    const copy = new Map(before);
    now.set(table, copy);
    return copy;
  };

  return {
    apply(updates) {
      const changes = changesOf(updates, columns, now);
      for (const { table, uuid, row } of changes) {
        if (row === undefined) writable(table).delete(uuid);
        else writable(table).set(uuid, row);
      }
      if (changes.length > 0) given = undefined;
      return changes.length > 0;
    },
    tables() {
      if (given !== undefined) return given;
      for (const table of now.keys()) givenAway.add(table);
      given = new Map(now);
      return given;
    },
  };
}

interface Change {
  readonly table: string;
  readonly uuid: string;
  /** As it is now; undefined: deleted. */
  readonly row: Row | undefined;
}

function changesOf(updates: unknown, columns: Wanted['columns'], before: Tables): Change[] {
  const changes: Change[] = [];
  for (const [table, rows] of Object.entries(objectOf(updates, 'an update'))) {
    const wanted = columns.get(table);
    if (wanted === undefined) throw wrong(`an update of table ${quoted(table)}, which was not asked for`);
    for (const [uuid, json] of Object.entries(objectOf(rows, `an update of ${table}`))) {
      const where = `${table} ${quoted(uuid)}`;
      const change = objectOf(json, `the update of ${where}`);
      const isKnown = before.get(table)?.has(uuid) === true;
      // `new` alone: inserted, or there from the start; `old` alone: deleted; both: modified, `new` is the whole row.
      if (isKnown !== (change.old !== undefined)) {
        throw wrong(isKnown ? `an insert of ${where}, which is there` : `a change of ${where}, which is not there`);
      }
      if (change.new === undefined && !isKnown) throw wrong(`an update of ${where} without rows`);
      const row = change.new === undefined ? undefined : rowOf(change.new, wanted, where);
      changes.push({ table, uuid, row });
    }
  }
  return changes;
}

/** The row with all of these columns, in their order. */
function rowOf(json: unknown, columns: readonly string[], where: string): Row {
  const given = objectOf(json, `the row ${where}`);
  const row: Record<string, Value> = {};
  for (const column of columns) {
    const value = Object.hasOwn(given, column) ? columnValue(given[column]) : undefined;
    if (value === undefined) throw wrong(`no value, or none of OVSDB, in column ${column} of ${where}`);
    row[column] = value;
  }
  return row;
}

/** The rows of a transaction's one `select` (RFC 7047, 5.2.2); `refused` makes of its error what is thrown. */
export function selectedRows(
  result: unknown,
  table: string,
  columns: readonly string[],
  refused: (error: unknown) => Failure,
): Row[] {
  const [first] = listOf(result, 'the result of a transaction');
  const answer = objectOf(first, 'the result of a select');
  if (answer.error !== undefined && answer.error !== null) throw refused(answer);
  return listOf(answer.rows, 'the rows of a select').map((row) => rowOf(row, columns, `of ${table}`));
}

function listOf(json: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(json)) throw wrong(`${what} is no list`);
  return json;
}

function objectOf(json: unknown, what: string): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(`${what} is no object`);
  return json as Json;
}

function wrong(what: string): Failure {
  return new Failure('E_PARSE', what);
}
