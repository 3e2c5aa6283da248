/** The SQLite database of a private graphite-web, from outside: what it holds exactly, and a lock that it meets. */
import { DatabaseSync } from 'node:sqlite';

/** An event as it is stored. */
export interface StoredEvent {
  readonly id: number;
  readonly what: string;
  /** As posted: these are what `events/get_data` shows. */
  readonly tags: readonly string[];
  /**
   * The tags by which graphite-web finds it. They are written after the event, by transactions of their own: after a
   * failure in between, some or all are missing.
   */
  readonly foundBy: readonly string[];
  readonly data: string;
  /** Since the epoch, to the microsecond. */
  readonly whenSeconds: number;
}

/** `all`: nobody can read or write. `writes`: nobody can write. */
export type LockMode = 'all' | 'writes';

/** Not read-only: what a killed server left half done is rolled back by the next one that opens the database. */
function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA busy_timeout = 5000');
  return database;
}

const words = (text: unknown): string[] =>
  String(text ?? '')
    .split(/\s+/)
    .filter(Boolean);

/** `2023-11-14 22:13:20.750000`, in UTC, without the fraction when it is 0. */
function secondsOf(text: string): number {
  const [whole = '', fraction = ''] = text.split('.');
  const wholeSeconds = Date.parse(`${whole.replace(' ', 'T')}Z`) / 1000;
  // In whole microseconds, so that the result is the number nearest to the decimal fraction.
  return (wholeSeconds * 1e6 + Number(fraction.padEnd(6, '0'))) / 1e6;
}

/** In the order in which they were stored. */
export function storedEvents(file: string): StoredEvent[] {
  const database = open(file);
  try {
    const found = database
      .prepare(
        `SELECT e.id, e.what, e.tags, e.data, e."when" AS at,
           (SELECT group_concat(t.name, ' ') FROM tagging_taggeditem i JOIN tagging_tag t ON t.id = i.tag_id
             JOIN django_content_type c ON c.id = i.content_type_id
             WHERE i.object_id = e.id AND c.app_label = 'events' AND c.model = 'event') AS found
         FROM events_event e ORDER BY e.id`,
      )
      .all();
    return found.map((row) => ({
      id: Number(row.id),
      what: String(row.what),
      tags: words(row.tags),
      foundBy: words(row.found).toSorted(),
      data: String(row.data),
      whenSeconds: secondsOf(String(row.at)),
    }));
  } finally {
    database.close();
  }
}

/** Returns what lifts it. */
export function lockDatabase(file: string, mode: LockMode): () => void {
  const database = open(file);
  try {
    database.exec(mode === 'all' ? 'BEGIN EXCLUSIVE' : 'BEGIN IMMEDIATE');
  } catch (error) {
    database.close();
    throw error;
  }
  return () => {
    if (!database.isOpen) return;
    database.exec('ROLLBACK');
    database.close();
  };
}
