/** What a spool holds, for operators: by destination, and each event that is dead. Also what they can do about it. */
import type { Database, Row } from '../database.ts';
import type { Event } from './event.ts';
import { eventOfRow } from './spool.ts';
import { States } from './spool-tables.ts';

/** What is open at one destination. */
export interface Waiting {
  readonly destination: string;
  /** Configured now; what waits for one that is not waits until it is again. */
  readonly isWanted: boolean;
  /** Not delivered yet, doubtful ones among them. */
  readonly waiting: number;
  readonly doubtful: number;
  readonly dead: number;
  /** When the oldest that waits was accepted, in milliseconds since the epoch. */
  readonly oldestMs: number | undefined;
}

export interface Settled {
  readonly delivered: number;
  readonly dropped: number;
  readonly lastDeliveredMs: number | undefined;
}

export interface Dead {
  readonly destination: string;
  readonly event: Event;
  readonly attempts: number;
  readonly diedMs: number;
  readonly answer: string;
}

/** Cheap: only what is open is read. */
export function waitingIn(database: Database): Waiting[] {
  const open = database.prepare(
    `SELECT state, count(*) AS count FROM delivery
     WHERE destination = ? AND state IN (0, 1, 3) GROUP BY state`,
  );
  const oldest = database.prepare(
    `SELECT accepted_ms FROM event WHERE seq = (SELECT min(seq) FROM delivery WHERE destination = ? AND state IN (0, 1))`,
  );
  return database
    .prepare('SELECT number, name, wanted FROM destination ORDER BY number')
    .all()
    .map(({ number, name, wanted }) => {
      const counts = new Map(open.all(Number(number)).map((row) => [row.state, Number(row.count)]));
      const doubtful = counts.get(States.doubtful) ?? 0;
      const waiting = (counts.get(States.waiting) ?? 0) + doubtful;
      const since = waiting === 0 ? undefined : oldest.get(Number(number))?.accepted_ms;
      return {
        destination: String(name),
        isWanted: wanted === 1,
        waiting,
        doubtful,
        dead: counts.get(States.dead) ?? 0,
        oldestMs: since === undefined ? undefined : Number(since),
      };
    });
}

/** How many events came in before any destination was known; the first one gets them. */
export function undestinedIn(database: Database): number {
  const row = database
    .prepare('SELECT count(*) AS count FROM event WHERE NOT EXISTS (SELECT 1 FROM delivery WHERE seq = event.seq)')
    .get();
  return Number(row?.count ?? 0);
}

/** Reads every delivery that the spool still knows. */
export function settledIn(database: Database, destination: string): Settled {
  const row: Row =
    database
      .prepare(
        `SELECT sum(state = ${States.delivered}) AS delivered, sum(state = ${States.dropped}) AS dropped,
           max(CASE WHEN state = ${States.delivered} THEN changed_ms END) AS last
         FROM delivery WHERE destination = (SELECT number FROM destination WHERE name = ?)`,
      )
      .get(destination) ?? {};
  return {
    delivered: Number(row.delivered ?? 0),
    dropped: Number(row.dropped ?? 0),
    lastDeliveredMs: row.last === null || row.last === undefined ? undefined : Number(row.last),
  };
}

/** The first `limit` dead events, those that died last first. */
export function deadIn(database: Database, limit: number): Dead[] {
  return database
    .prepare(
      `SELECT e.*, t.name AS destination, d.attempts, d.changed_ms, d.answer FROM delivery d
       JOIN event e ON e.seq = d.seq JOIN destination t ON t.number = d.destination
       WHERE d.state = ${States.dead} ORDER BY d.changed_ms DESC, d.seq DESC LIMIT ?`,
    )
    .all(limit)
    .map((row) => ({
      destination: String(row.destination),
      event: eventOfRow(row),
      attempts: Number(row.attempts),
      diedMs: Number(row.changed_ms),
      answer: String(row.answer),
    }));
}

/** Which deliveries a command is about. */
export interface Choice {
  /** Of these events; undefined: of all. */
  readonly ids: readonly string[] | undefined;
  /** At this destination; undefined: at each. */
  readonly destination: string | undefined;
}

/** Dead ones wait again. Answers how many. */
export function retryDead(database: Database, choice: Choice, nowMs: number): number {
  return change(
    database,
    choice,
    'state = 3',
    `state = ${States.waiting}, answer = '', changed_ms = ${Math.round(nowMs)}`,
  );
}

/** Gives up dead ones; with `alsoWaiting` also what waits. They are known all the same, and not taken a second time. */
export function dropOpen(database: Database, choice: Choice, alsoWaiting: boolean, nowMs: number): number {
  const which = alsoWaiting ? 'state IN (0, 1, 3)' : 'state = 3';
  return change(database, choice, which, `state = ${States.dropped}, changed_ms = ${Math.round(nowMs)}`);
}

function change(database: Database, { ids, destination }: Choice, which: string, becomes: string): number {
  const at = destination === undefined ? '' : 'AND destination = (SELECT number FROM destination WHERE name = :at)';
  const named = destination === undefined ? {} : { at: destination };
  return database.transaction(() => {
    if (ids === undefined) {
      return database.prepare(`UPDATE delivery SET ${becomes} WHERE ${which} ${at}`).run(named);
    }
    const of = 'AND seq = (SELECT seq FROM event WHERE id = :id)';
    const statement = database.prepare(`UPDATE delivery SET ${becomes} WHERE ${which} ${at} ${of}`);
    return ids.reduce((sum, id) => sum + statement.run({ ...named, id }), 0);
  });
}
