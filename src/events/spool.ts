/**
 * The spool of events: what was accepted is on the disk before anybody is told so, each event once, with its own
 * progress at each destination. Everything here is synchronous, and throws `E_SPOOL` alone.
 */
import { type Database, openDatabase, type Row } from '../database.ts';
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { type Event, likenessOf } from './event.ts';
import { createRoom, type SpoolOptions } from './spool-room.ts';
import { OPEN, type State, States, spoolVersions } from './spool-tables.ts';

/** What became of an event that was handed in: `known` is there already, `conflict` is another one with its id. */
export type Receipt = 'added' | 'known' | 'conflict';

export interface Acceptance {
  /** The way in. */
  readonly source: string;
  readonly conflicts: 'refuse' | 'report';
  readonly nowMs: number;
}

/** An event on its way to one destination. */
export interface Outgoing {
  readonly seq: number;
  readonly event: Event;
  readonly isDoubtful: boolean;
  readonly attempts: number;
}

/** What an attempt came to; `answer` is what is shown of it. */
export interface Outcome {
  readonly seq: number;
  readonly state: Exclude<State, 'dropped'>;
  readonly answer: string;
}

export interface Spool {
  readonly database: Database;
  /**
   * Takes events, all or, when it throws, none; on the disk when it returns. `E_PARSE`: a conflict, where these are to
   * be refused.
   */
  accept(events: readonly Event[], how: Acceptance): readonly Receipt[];
  /** Those that are configured. One that is new, or comes back, gets what none has settled yet. */
  setDestinations(names: readonly string[], nowMs: number): void;
  /** Up to `limit` that wait or are doubtful, in the order of `when`, without the numbers (`seq`) that are left out. */
  open(destination: string, limit: number, without?: readonly number[]): Outgoing[];
  /** Settles attempts, and marks the next ones as perhaps taken before they are sent; one commit. */
  advance(destination: string, outcomes: readonly Outcome[], claimed: readonly number[], nowMs: number): void;
  /** How many events like this one (same what, tags, second and data) the destination has surely got. */
  deliveredLike(destination: string, event: Event): number;
  /** Lets `livedMs` pass: gives up what is too old, and answers how many deliveries that were. */
  age(livedMs: number, nowMs: number): number;
  note(name: string): string | undefined;
  setNote(name: string, value: string): void;
  /** How many were dropped to make room since it was opened. */
  readonly droppedForRoom: number;
  close(): void;
}

export function openSpool(
  options: SpoolOptions,
  { mayMoveAside, nowMs }: { readonly mayMoveAside: boolean; readonly nowMs: number },
): Spool {
  const { path, maxBytes, maxAgeMs } = options;
  const database = openDatabase(path, { versions: spoolVersions, sync: 'full', maxBytes, mayMoveAside, nowMs });
  const sql = {
    known: database.prepare('SELECT what, tags, data, when_us FROM event WHERE id = ?'),
    add: database.prepare(
      `INSERT INTO event (id, what, tags, data, when_us, likeness, source, accepted_ms, lived_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
    ),
    destine: database.prepare(
      `INSERT INTO delivery (destination, seq, state, when_us, changed_ms)
       SELECT number, ?, ${States.waiting}, ?, ? FROM destination WHERE wanted = 1`,
    ),
    want: database.prepare('INSERT INTO destination (name, wanted) VALUES (?, 1) ON CONFLICT DO UPDATE SET wanted = 1'),
    inherit: database.prepare(
      `INSERT OR IGNORE INTO delivery (destination, seq, state, when_us, changed_ms)
       SELECT :to, seq, ${States.waiting}, when_us, :nowMs FROM event
       WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.seq = event.seq AND d.state IN (2, 3, 4))`,
    ),
    number: database.prepare('SELECT number FROM destination WHERE name = ?'),
    settle: database.prepare(
      'UPDATE delivery SET state = ?, answer = ?, changed_ms = ? WHERE destination = ? AND seq = ? AND state IN (0, 1)',
    ),
    claim: database.prepare(
      `UPDATE delivery SET state = ${States.doubtful}, attempts = attempts + 1, changed_ms = ?
       WHERE destination = ? AND seq = ? AND state IN (0, 1)`,
    ),
    // Each branch comes from the index in its order, which SQLite takes only where the index's own condition stands: of
    // many, only the first are read. CROSS keeps the order of the tables.
    open: database.prepare(
      `SELECT e.*, o.state, d.attempts FROM (
         SELECT * FROM (SELECT seq, state, when_us FROM delivery WHERE destination = :to AND state = 0 AND ${OPEN}
           AND seq NOT IN (SELECT value FROM json_each(:without)) ORDER BY when_us, seq LIMIT :limit)
         UNION ALL
         SELECT * FROM (SELECT seq, state, when_us FROM delivery WHERE destination = :to AND state = 1 AND ${OPEN}
           AND seq NOT IN (SELECT value FROM json_each(:without)) ORDER BY when_us, seq LIMIT :limit)
       ) o CROSS JOIN event e ON e.seq = o.seq CROSS JOIN delivery d ON d.destination = :to AND d.seq = o.seq
       ORDER BY o.when_us, o.seq LIMIT :limit`,
    ),
    like: database.prepare(
      `SELECT count(*) AS count FROM event e JOIN delivery d ON d.seq = e.seq
       WHERE e.likeness = ? AND d.destination = ? AND d.state = ${States.delivered}`,
    ),
    note: database.prepare('SELECT value FROM note WHERE name = ?'),
    setNote: database.prepare('INSERT INTO note VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value'),
    tooOld: database.prepare(
      `UPDATE delivery SET state = ${States.dropped}, changed_ms = ?, answer = 'too old'
       WHERE state IN (0, 1, 3) AND seq IN (SELECT seq FROM event WHERE lived_ms < ?)`,
    ),
  };
  const room = createRoom(database, options);
  const numberOf = (name: string): number => Number(sql.number.get(name)?.number ?? -1);
  const lived = (): number => Number(sql.note.get('lived_ms')?.value ?? 0);

  const add = (event: Event, { source, nowMs }: Acceptance): Receipt => {
    const { id, what, tags, data, whenUs, isRelative } = event;
    const known = sql.known.get(id);
    if (known !== undefined) {
      const sameTime = isRelative === true || known.when_us === whenUs;
      const same = sameTime && known.what === what && known.data === data && sameTags(String(known.tags), tags);
      return same ? 'known' : 'conflict';
    }
    const texts = [id, what, JSON.stringify(tags), data] as const;
    const row = sql.add.get(...texts, whenUs, likenessOf(event), source, nowMs, lived());
    sql.destine.run(Number(row?.seq), whenUs, nowMs);
    return 'added';
  };

  return {
    database,
    accept(events, how) {
      const bytes = events.reduce((sum, { what, data }) => sum + Buffer.byteLength(what) + Buffer.byteLength(data), 0);
      return room.fit({ events: events.length, bytes }, () =>
        events.map((event, index) => {
          const receipt = add(event, how);
          if (receipt === 'conflict' && how.conflicts === 'refuse') throw conflict(event, index, events.length);
          return receipt;
        }),
      );
    },
    setDestinations(names, nowMs) {
      room.force(() => {
        const before = database.prepare('SELECT name FROM destination WHERE wanted = 1').all();
        database.exec('UPDATE destination SET wanted = 0');
        for (const name of names) {
          sql.want.run(name);
          // Also of one that comes back: nobody has got what came when no destination was wanted.
          if (!before.some((row) => row.name === name)) sql.inherit.run({ to: numberOf(name), nowMs });
        }
      });
    },
    open: (destination, limit, without = []) =>
      sql.open.all({ to: numberOf(destination), limit, without: JSON.stringify(without) }).map(outgoingOf),
    advance(destination, outcomes, claimed, nowMs) {
      const number = numberOf(destination);
      room.force(() => {
        for (const { seq, state, answer } of outcomes) sql.settle.run(States[state], answer, nowMs, number, seq);
        for (const seq of claimed) sql.claim.run(nowMs, number, seq);
      });
    },
    deliveredLike: (destination, event) => Number(sql.like.get(likenessOf(event), numberOf(destination))?.count ?? 0),
    age(livedMs, nowMs) {
      return room.force(() => {
        const now = lived() + livedMs;
        sql.setNote.run('lived_ms', String(Math.round(now)));
        return sql.tooOld.run(nowMs, now - maxAgeMs);
      });
    },
    note: (name) => sql.note.get(name)?.value as string | undefined,
    setNote: (name, value) => void sql.setNote.run(name, value),
    get droppedForRoom() {
      return room.dropped;
    },
    close: () => database.close(),
  };
}

function conflict({ id }: Event, index: number, of: number): Failure {
  const where = of > 1 ? `event ${index + 1} of ${of}: ` : '';
  const advice = 'an id is one event for ever; give this one another';
  return new Failure('E_PARSE', `${where}the id ${quoted(id)} is that of an event with other content; ${advice}`);
}

function sameTags(known: string, tags: readonly string[]): boolean {
  return (
    known === JSON.stringify(tags) ||
    JSON.stringify((JSON.parse(known) as string[]).toSorted()) === JSON.stringify(tags.toSorted())
  );
}

/** Events as they stand in the spool. Only we write them, so that what does not parse is a corrupt file. */
export function eventOfRow(row: Row): Event {
  const { id, what, tags, data, when_us: whenUs } = row;
  try {
    return {
      id: String(id),
      what: String(what),
      tags: JSON.parse(String(tags)),
      data: String(data),
      whenUs: Number(whenUs),
    };
  } catch (cause) {
    throw new Failure('E_SPOOL', `the event ${String(id)} in the spool cannot be read`, { cause });
  }
}

function outgoingOf(row: Row): Outgoing {
  const { seq, state, attempts } = row;
  const isDoubtful = state === States.doubtful;
  return { seq: Number(seq), event: eventOfRow(row), isDoubtful, attempts: Number(attempts) };
}
