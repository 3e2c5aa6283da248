/** The tables of the spool of events. A version is never changed once released: the next one changes what it made. */
export const spoolVersions: readonly string[] = [
  `
  CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    what TEXT NOT NULL,
    tags TEXT NOT NULL,          -- a JSON list
    data TEXT NOT NULL,
    when_us INTEGER NOT NULL,
    likeness TEXT NOT NULL,      -- equal for those that Graphite cannot tell apart
    source TEXT NOT NULL,        -- the way in
    accepted_ms INTEGER NOT NULL,-- by the wall clock, for people
    lived_ms INTEGER NOT NULL    -- how long the spool had been in use when it came: for its age
  );
  CREATE INDEX event_likeness ON event (likeness);
  CREATE TABLE destination (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    wanted INTEGER NOT NULL
  );
  CREATE TABLE delivery (
    destination INTEGER NOT NULL REFERENCES destination (number) ON DELETE CASCADE,
    seq INTEGER NOT NULL REFERENCES event (seq) ON DELETE CASCADE,
    state INTEGER NOT NULL,      -- see States
    when_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    changed_ms INTEGER NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (destination, seq)
  ) WITHOUT ROWID;
  CREATE INDEX delivery_open ON delivery (destination, state, when_us, seq) WHERE state IN (0, 1, 3);
  CREATE INDEX delivery_seq ON delivery (seq);
  CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  `,
];

/** The condition of the index delivery_open, word for word: without it SQLite reads every delivery there ever was. */
export const OPEN = 'state IN (0, 1, 3)';

/** Of one event at one destination, as they stand in `delivery.state`. */
export const States = {
  /** Never sent, or surely not taken. */
  waiting: 0,
  /** It may have been taken: the destination is asked before it is sent again. */
  doubtful: 1,
  delivered: 2,
  /** Refused for good; the answer says why. */
  dead: 3,
  /** Too old, or given up by an operator. */
  dropped: 4,
} as const;
export type State = keyof typeof States;
