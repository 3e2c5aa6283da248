/** Chunks of lines in an SQLite file: for each lane (a destination, or several that stand in for each other) a queue. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type Database, openDatabase, type Row } from '../database.ts';
import { type Chunk, MAX_CHUNK_BYTES, type Sent } from './carbon-chunk.ts';

export interface StoreOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly nowMs: number;
  /** Those that are configured; what waits for others becomes the first one's. */
  readonly lanes: readonly string[];
}

export interface Amount {
  metrics: number;
  /** Of the disk. */
  bytes: number;
}

export interface Stored extends Amount {
  readonly id: number;
  readonly lane: string;
  readonly atMs: number;
  readonly sent: Sent;
}

/** Every call throws `E_SPOOL` alone. */
export interface Store {
  readonly movedAside: string | undefined;
  readonly lastId: number;
  amounts(): Map<string, Amount>;
  add(id: number, lane: string, chunk: Chunk): Stored;
  /** The first of a lane behind this one. */
  after(lane: string, id: number): Stored | undefined;
  /** Its lines; undefined: they cannot be read back. */
  lines(id: number): Buffer | undefined;
  /** The oldest of all lanes. */
  oldest(count: number): Stored[];
  /** Those of the lane from one to another, both included; answers how much that was. */
  remove(lane: string, fromId: number, toId: number): Amount;
  /** The file has reached its bound, or nearly so. */
  isAtBound(): boolean;
  /** Whether a chunk of full size could be kept now: throws if not. */
  prove(): void;
  /** Gives back what is free, a little each time. */
  shrink(): void;
  close(): void;
}

const VERSIONS = [
  `CREATE TABLE chunk (
     id INTEGER PRIMARY KEY,
     lane TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     metrics INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     sent INTEGER NOT NULL,
     lines BLOB NOT NULL
   ) STRICT;
   CREATE INDEX chunk_lane ON chunk (lane, id, metrics, bytes)`,
];

const SENT: readonly Sent[] = ['never', 'unsure', 'taken'];
/** Lines are alike: the fastest level makes a tenth of them, and higher ones little less. */
const LEVEL = 1;
const [PAGE, ROW] = [4096, 100];
const SHRINK_PAGES = 256;
const NEARLY = 0.95;
const PROOF_BYTES = 64 * 1024;
const about = 'id, lane, at_ms, metrics, bytes, sent';

/** Throws `E_SPOOL`. Only for who holds the lock of the path. */
export function openStore({ path, maxBytes, nowMs, lanes }: StoreOptions): Store {
  const database = openDatabase(path, { versions: VERSIONS, sync: 'normal', maxBytes, mayMoveAside: true, nowMs });
  try {
    return storeOf(database, lanes, maxBytes);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function storeOf(database: Database, lanes: readonly string[], maxBytes: number): Store {
  const insert = database.prepare(`INSERT INTO chunk (${about}, lines) VALUES (?, ?, ?, ?, ?, ?, ?)`);
  const after = database.prepare(`SELECT ${about} FROM chunk WHERE lane = ? AND id > ? ORDER BY id LIMIT 1`);
  const lines = database.prepare('SELECT lines FROM chunk WHERE id = ?');
  const oldest = database.prepare(`SELECT ${about} FROM chunk ORDER BY id LIMIT ?`);
  const range = 'FROM chunk WHERE lane = ? AND id BETWEEN ? AND ?';
  const sum = database.prepare(`SELECT total(metrics) AS metrics, total(bytes) AS bytes ${range}`);
  const remove = database.prepare(`DELETE ${range}`);
  const known = lanes.map(() => '?').join();
  database.prepare(`UPDATE chunk SET lane = ? WHERE lane NOT IN (${known})`).run(lanes[0] ?? '', ...lanes);
  const [last] = database.prepare('SELECT coalesce(max(id), 0) AS id FROM chunk').all();

  return {
    movedAside: database.movedAside,
    lastId: Number(last?.id ?? 0),
    amounts() {
      const rows = database.prepare(
        'SELECT lane, sum(metrics) AS metrics, sum(bytes) AS bytes FROM chunk GROUP BY lane',
      );
      return new Map(rows.all().map((row) => [String(row.lane), amountOf(row)]));
    },
    add(id, lane, { data, metrics, atMs, sent }) {
      const packed = deflateRawSync(data, { level: LEVEL });
      const bytes =
        packed.length + ROW < PAGE / 4 ? packed.length + ROW : Math.ceil((packed.length + ROW) / PAGE) * PAGE;
      const whenMs = Math.round(atMs);
      insert.run(id, lane, whenMs, metrics, bytes, SENT.indexOf(sent), packed);
      return { id, lane, atMs: whenMs, metrics, bytes, sent };
    },
    after(lane, id) {
      const row = after.get(lane, id);
      return row === undefined ? undefined : storedOf(row);
    },
    lines(id) {
      const row = lines.get(id);
      try {
        return row === undefined ? undefined : inflateRawSync(row.lines as Uint8Array, { chunkSize: MAX_CHUNK_BYTES });
      } catch {
        return undefined;
      }
    },
    oldest: (count) => oldest.all(count).map(storedOf),
    remove(lane, fromId, toId) {
      const amount = amountOf(sum.get(lane, fromId, toId) ?? {});
      remove.run(lane, fromId, toId);
      return amount;
    },
    isAtBound() {
      const { bytes, freeBytes } = database.size();
      return bytes - freeBytes > NEARLY * maxBytes;
    },
    prove() {
      database.transaction(() => {
        insert.run(-1, '', 0, 0, 0, 0, Buffer.alloc(PROOF_BYTES));
        remove.run('', -1, -1);
      });
    },
    shrink() {
      const { bytes, freeBytes } = database.size();
      if (freeBytes > bytes / 4 && freeBytes > SHRINK_PAGES * PAGE) database.shrink(SHRINK_PAGES);
    },
    close: () => database.close(),
  };
}

function amountOf(row: Row): Amount {
  return { metrics: Number(row.metrics ?? 0), bytes: Number(row.bytes ?? 0) };
}

function storedOf(row: Row): Stored {
  const sent = SENT[Number(row.sent)] ?? 'never';
  return { ...amountOf(row), id: Number(row.id), lane: String(row.lane), atMs: Number(row.at_ms), sent };
}

/** Those that are meant, with as few runs as can be: between the first and the last of one there is no other of its lane. */
export function runsOf(
  oldest: readonly Stored[],
  isMeant: (stored: Stored) => boolean,
): [first: Stored, last: Stored, run: Stored[]][] {
  const runs: [first: Stored, last: Stored, run: Stored[]][] = [];
  const open = new Map<string, (typeof runs)[number]>();
  for (const stored of oldest) {
    const run = open.get(stored.lane);
    if (!isMeant(stored)) open.delete(stored.lane);
    else if (run !== undefined) {
      run[1] = stored;
      run[2].push(stored);
    } else {
      const begun: (typeof runs)[number] = [stored, stored, [stored]];
      open.set(stored.lane, begun);
      runs.push(begun);
    }
  }
  return runs;
}
