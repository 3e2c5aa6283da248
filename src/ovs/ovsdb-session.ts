/** One connection to an OVSDB server that follows the watched rows until something is wrong. */
import type { Lasting } from '../collector.ts';
import { asFailure, Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import type { Row, Tables } from './database.ts';
import { type JsonRpc, jsonRpc, refusal } from './jsonrpc.ts';
import { createRows, type Rows, type Schema, schemaOf, selectedRows, wantedOf } from './ovsdb-rows.ts';

const DATABASE = 'Open_vSwitch';
const MONITOR = 'edgestatd';

export interface Session {
  /** Of the wanted tables and columns, those that the server's schema lacks. */
  readonly missing: readonly string[];
  /** The rows now; after the end, the last ones. */
  tables(): Tables;
  /** How many updates changed a row. */
  changes(): number;
  /** Resolves with the seconds that the answer took. All that was committed before the call is in the rows then. */
  echo(deadline: AbortSignal): Promise<number>;
  /** `E_NOT_FOUND`: the schema has no such table. Columns that it lacks are left out. */
  select(table: string, columns: readonly string[], deadline: AbortSignal): Promise<readonly Row[]>;
  /** Ends it; what is pending rejects with the reason. */
  end(reason: Failure): void;
  /** Why it ended: the connection broke, or the server did or said something that leaves the rows in doubt. */
  ended(): Failure | undefined;
}

/** Resolves when all rows are there. The connection lives until `life` aborts, which it does with a Failure. */
export async function openSession(lasting: Lasting, socketPath: string, life: AbortSignal): Promise<Session> {
  const peer = `the OVSDB server at ${quoted(socketPath)}`;
  let rows: Rows | undefined;
  let changes = 0;
  const onNotification = (method: string, params: unknown): void => {
    // `locked` and `stolen` are of locks, which nobody here has.
    if (method === 'monitor_canceled') rpc.close(new Failure('E_CONNECT', `${peer} no longer tells of ${DATABASE}`));
    if (method !== 'update') return;
    const [monitor, updates] = Array.isArray(params) ? params : [];
    if (monitor !== MONITOR || rows === undefined) throw new Failure('E_PARSE', 'an update that was not asked for');
    if (rows.apply(updates)) changes += 1;
  };

  const rpc = jsonRpc(await lasting.connect(socketPath, life), { peer, onNotification, strict: true });
  if (life.aborted) rpc.close(life.reason);
  else life.addEventListener('abort', () => rpc.close(life.reason), { once: true });

  try {
    const schema = await schemaFrom(rpc, peer);
    const { columns, missing } = wantedOf(schema);
    const requests = Object.fromEntries([...columns].map(([table, names]) => [table, { columns: names }]));
    const { tables } = await rpc.call('monitor', [DATABASE, MONITOR, requests], {
      // At once: the first update may be in the same chunk.
      read(initial) {
        const followed = createRows(columns);
        followed.apply(initial);
        rows = followed;
        return followed;
      },
    });
    return {
      missing,
      tables,
      changes: () => changes,
      async echo(deadline) {
        const sentMs = performance.now();
        const read = (): number => (performance.now() - sentMs) / 1000;
        return rpc.call('echo', [], { deadline, read });
      },
      select: (table, names, deadline) => selectFrom(rpc, schema, peer, { table, names, deadline }),
      end: rpc.close,
      ended: rpc.ended,
    };
  } catch (thrown) {
    rpc.close(asFailure(thrown));
    throw thrown;
  }
}

async function schemaFrom(rpc: JsonRpc, peer: string): Promise<Schema> {
  try {
    return await rpc.call('get_schema', [DATABASE], { read: schemaOf });
  } catch (thrown) {
    if (!(thrown instanceof Failure && thrown.code === 'E_NOT_FOUND')) throw thrown;
    const hint = 'is this the socket of another server, such as one of OVN?';
    throw new Failure('E_NOT_FOUND', `${peer} has no database ${DATABASE}; ${hint}`, { cause: thrown });
  }
}

async function selectFrom(
  rpc: JsonRpc,
  schema: Schema,
  peer: string,
  { table, names, deadline }: { table: string; names: readonly string[]; deadline: AbortSignal },
): Promise<readonly Row[]> {
  const known = schema.get(table);
  if (known === undefined) throw new Failure('E_NOT_FOUND', `${peer} has no table ${quoted(table)}`);
  const columns = names.filter((name) => known.has(name));
  const select = { op: 'select', table, where: [], columns };
  const refused = (error: unknown): Failure => refusal(peer, `select of ${table}`, error);
  const result = await rpc.call('transact', [DATABASE, select], { deadline });
  return selectedRows(result, table, columns, refused);
}
