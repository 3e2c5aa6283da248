/**
 * Takes events one after the other and says the number of each that was acknowledged, until it is killed:
 * `node accepting-loop.ts SPOOL full|normal`. `normal` commits without a sync, which the spool never does.
 */
import { openDatabase } from '../../src/database.ts';
import { hashOf } from '../../src/events/event.ts';
import { openSpool } from '../../src/events/spool.ts';
import { spoolVersions } from '../../src/events/spool-tables.ts';

const [path = '', sync] = process.argv.slice(2);
const options = { path, maxBytes: 2 ** 24, maxAgeMs: 1e12, whenFull: 'refuse' } as const;
const spool = openSpool(options, { mayMoveAside: true, nowMs: 0 });
const loose = openDatabase(path, {
  ...options,
  versions: spoolVersions,
  sync: 'normal',
  mayMoveAside: false,
  nowMs: 0,
});
// A checkpoint would sync.
loose.exec('PRAGMA wal_autocheckpoint = 0');
const insert = loose.prepare(
  `INSERT INTO event (id, what, tags, data, when_us, likeness, source, accepted_ms, lived_ms)
   VALUES (?, ?, '[]', '', 0, '', 'loop', 0, 0)`,
);
for (let number = 0; ; number++) {
  const body = { what: `event ${number}`, tags: [], data: '', whenUs: 1_700_000_000_000_000 };
  if (sync === 'full') spool.accept([{ id: hashOf(body), ...body }], { source: 'loop', conflicts: 'refuse', nowMs: 0 });
  else loose.transaction(() => insert.run(body.what, body.what));
  // To a pipe, which is written at once.
  process.stdout.write(`${number}\n`);
  if (number % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
}
