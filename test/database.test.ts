/** Files of ours that must outlive the process, and the lock that one process has of them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, type DatabaseOptions, moveAside, openDatabase, takeLock } from '../src/database.ts';
import { isBusy, isFull } from '../src/database-failures.ts';
import { endWithParent, eventually } from './support/statsd.ts';
import { isRoot, mountTmpfs } from './support/tmpfs.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
let root: string;
let path: string;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgestatd-database-'));
  path = join(root, 'file.db');
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(root, { recursive: true, force: true });
});

const options: DatabaseOptions = {
  versions: ['CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL)'],
  ...{ sync: 'normal', maxBytes: 2 ** 20, mayMoveAside: true, nowMs: NOW },
};
function open(overrides: Partial<DatabaseOptions> = {}): Database {
  const database = openDatabase(path, { ...options, ...overrides });
  closers.push(() => database.close());
  return database;
}
const put = (database: Database, k: number, v = ''): number =>
  database.prepare('INSERT INTO t VALUES (?, ?)').run(k, v);
const keys = (database: Database): unknown[] =>
  database
    .prepare('SELECT k FROM t ORDER BY k')
    .all()
    .map(({ k }) => k);

describe('a database', () => {
  it('is made with its directory, for us alone, and keeps what is put in', () => {
    path = join(root, 'new', 'deep', 'file.db');
    const first = open();
    expect(put(first, 1)).toBe(1);
    expect([statSync(path).mode & 0o777, statSync(join(root, 'new')).mode & 0o777]).toEqual([0o600, 0o700]);
    first.close();
    first.close();
    expect(keys(open())).toEqual([1]);
  });

  it('is brought from each version to the next, once, and never back', () => {
    const versions = [
      'CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL)',
      "ALTER TABLE t ADD w TEXT DEFAULT 'new'",
    ];
    put(open(), 1);
    expect(open({ versions }).prepare('SELECT * FROM t').all()).toEqual([{ k: 1, v: '', w: 'new' }]);
    expect(open({ versions }).prepare('PRAGMA user_version').get()).toEqual({ user_version: 2 });
    expect(() => open()).toThrow('was written by a newer edgestatd (version 2; this one knows 1)');
  });

  it('that cannot be brought to the next version stays at its own', () => {
    put(open(), 1);
    const broken = [...options.versions, 'CREATE TABLE u (k); ALTER TABLE missing ADD w'];
    expect(() => open({ versions: broken })).toThrow(expect.objectContaining({ code: 'E_SPOOL' }));
    const again = open();
    expect(keys(again)).toEqual([1]);
    expect(again.prepare("SELECT name FROM sqlite_master WHERE name = 'u'").get()).toBeUndefined();
  });

  it('takes all of a transaction or, when it throws, nothing', () => {
    const database = open();
    const failing = (): void => {
      put(database, 1);
      throw new TypeError('of ours');
    };
    expect(() => database.transaction(failing)).toThrow(TypeError);
    expect(() => database.transaction(() => [put(database, 2), put(database, 2)])).toThrow(
      expect.objectContaining({ code: 'E_SPOOL' }),
    );
    expect(database.transaction(() => put(database, 3))).toBe(1);
    expect(keys(database)).toEqual([3]);
  });

  it('grows to its bound and no further, and has room again where something was deleted', () => {
    const database = open();
    let full: unknown;
    let count = 0;
    while (full === undefined) {
      try {
        put(database, count, 'x'.repeat(10_000));
        count += 1;
      } catch (thrown) {
        full = thrown;
      }
    }
    expect(full).toMatchObject({ code: 'E_SPOOL', message: expect.stringContaining('cannot grow') });
    expect([isFull(full), count > 50, database.size().bytes <= 2 ** 20]).toEqual([true, true, true]);
    expect(keys(database)).toHaveLength(count);
    expect(database.prepare('DELETE FROM t WHERE k < 10').run()).toBe(10);
    expect(database.size().freeBytes).toBeGreaterThan(80_000);
    put(database, 1000, 'x'.repeat(10_000));
    database.prepare('DELETE FROM t').run();
    database.shrink(1000);
    expect(database.size().bytes).toBeLessThan(100_000);
  });

  it('tells when another connection has written, and not of its own writing', () => {
    const [one, two] = [open(), open()];
    one.changedElsewhere();
    put(one, 1);
    expect(one.changedElsewhere()).toBe(false);
    expect([two.changedElsewhere(), two.changedElsewhere()]).toEqual([true, false]);
  });

  it.each([
    ['garbage', 'no database at all, but text\n'.repeat(100)],
    ['a cut off one', undefined],
  ])('that is %s is moved aside with its log, where that is allowed', (_, content) => {
    const whole = open();
    for (let n = 0; n < 100; n++) put(whole, n, 'x'.repeat(500));
    whole.close();
    const bytes = content ?? readFileSync(path).subarray(0, 5000);
    writeFileSync(path, bytes);
    writeFileSync(`${path}-wal`, 'x');
    expect(() => {
      const one = open({ mayMoveAside: false });
      one.prepare('SELECT * FROM t').all();
    }).toThrow(expect.objectContaining({ code: 'E_SPOOL', message: expect.stringContaining('is no usable database') }));
    expect(readFileSync(path)).toEqual(Buffer.from(bytes));
    let database = open();
    try {
      keys(database);
    } catch {
      // Found when it is used: as its owner does then.
      database.close();
      moveAside(path, NOW);
      database = open();
    }
    const aside = `${path}.corrupt-20260102T030405Z`;
    expect([keys(database), readFileSync(aside)]).toEqual([[], Buffer.from(bytes)]);
    // A second time, the first is not overwritten.
    database.close();
    writeFileSync(path, 'garbage again\n'.repeat(100));
    expect(open().movedAside).toBe(`${aside}-2`);
    expect(readFileSync(aside)).toEqual(Buffer.from(bytes));
  });

  it.each([
    ['a directory', () => mkdirSync(path, { recursive: true }), /cannot be/],
    ['below a file', () => writeFileSync(dirname(path), ''), /ENOTDIR/],
  ])('that is %s is one clear error', (_, prepare, message) => {
    path = join(root, 'below', 'file.db');
    prepare();
    expect(() => open()).toThrow(expect.objectContaining({ code: 'E_SPOOL', message: expect.stringMatching(message) }));
  });

  it('that another process holds is waited for, and then given up with one clear error', () => {
    const [one, two] = [open(), open()];
    two.exec('PRAGMA busy_timeout = 50');
    one.transaction(() => {
      put(one, 1);
      let busy: unknown;
      try {
        put(two, 2);
      } catch (thrown) {
        busy = thrown;
      }
      expect(isBusy(busy)).toBe(true);
      expect(busy).toMatchObject({ code: 'E_SPOOL', message: expect.stringContaining('is held by another process') });
    });
    put(two, 2);
    expect(keys(one)).toEqual([1, 2]);
  });
});

/** A process that tries to lock, says whether it could, and stays until it is ended. */
async function locker(): Promise<{ readonly has: boolean; kill(): Promise<void> }> {
  const url = new URL('../src/database.ts', import.meta.url).href;
  const program = `
    import { takeLock } from ${JSON.stringify(url)};
    const release = takeLock(${JSON.stringify(path)});
    process.send(release !== undefined);
    setInterval(() => release, 1e6);`;
  const args = [...endWithParent, '--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  closers.push(() => child.kill('SIGKILL'));
  const [has] = (await once(child, 'message')) as [boolean];
  return {
    has,
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('the lock', () => {
  it('is one process’s until that ends, however it ends', async () => {
    const first = await locker();
    const second = await locker();
    expect([first.has, second.has, takeLock(path)]).toEqual([true, false, undefined]);
    await first.kill();
    const release = takeLock(path);
    expect(release).toBeDefined();
    expect((await locker()).has).toBe(false);
    release?.();
    expect((await locker()).has).toBe(true);
    // Nothing has to be cleared away for that.
    expect(readdirSync(root)).toContain('file.db.lock');
  });

  it('is not given twice within a process, nor lost by asking again', async () => {
    const release = takeLock(path);
    for (let n = 0; n < 3; n++) expect(takeLock(path)).toBeUndefined();
    // The database itself, beside it, is opened and closed without letting the lock go.
    open().close();
    expect((await locker()).has).toBe(false);
    release?.();
    release?.();
    const again = takeLock(path);
    expect(again).toBeDefined();
    again?.();
  });

  it('is taken also where its file is garbage', async () => {
    writeFileSync(`${path}.lock`, 'garbage, and not a little of it\n'.repeat(200));
    const release = takeLock(path);
    expect(release).toBeDefined();
    expect((await locker()).has).toBe(false);
    release?.();
  });

  it('of one file is none of another', () => {
    const one = takeLock(path);
    const two = takeLock(`${path}2`);
    expect([one, two]).not.toContain(undefined);
    one?.();
    two?.();
  });
});

describe.runIf(isRoot)('on a file system of its own', () => {
  it('that is full nothing is made, and said', () => {
    const at = join(root, 'mount');
    const mount = mountTmpfs(at, 'size=64k');
    closers.push(mount.unmount);
    path = join(at, 'file.db');
    writeFileSync(join(at, 'filler'), Buffer.alloc(60 * 1024));
    expect(() => open()).toThrow(
      expect.objectContaining({ code: 'E_SPOOL', message: expect.stringMatching(/full|space/) }),
    );
    rmSync(join(at, 'filler'));
    mount.remount('size=4m');
    put(open(), 1);
  });

  it('that is read-only neither database nor lock is made, and said', () => {
    const at = join(root, 'mount');
    const mount = mountTmpfs(at, 'size=4m');
    closers.push(mount.unmount);
    path = join(at, 'file.db');
    mount.remount('ro');
    const message = expect.objectContaining({ code: 'E_SPOOL', message: expect.stringContaining('read-only') });
    expect(() => open()).toThrow(message);
    expect(() => takeLock(path)).toThrow(message);
    mount.remount('rw');
    put(open(), 1);
    for (const close of closers.splice(1)) close();
    const release = takeLock(path);
    release?.();
    mount.remount('ro');
    expect(() => open()).toThrow(message);
    expect(() => takeLock(path)).toThrow(message);
  });

  it('for a user who may not write there it says so', async () => {
    chmodSync(root, 0o755);
    const at = join(root, 'others');
    mkdirSync(at);
    const url = new URL('../src/database.ts', import.meta.url).href;
    const program = `
      const { openDatabase } = await import(${JSON.stringify(url)});
      process.setgid(65534); process.setuid(65534);
      try { openDatabase(${JSON.stringify(join(at, 'x.db'))}, ${JSON.stringify(options)}); } catch (thrown) { process.send([thrown.code, thrown.message]); }`;
    const args = [...endWithParent, '--input-type=module', '-e', program];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const [[code, message]] = (await once(child, 'message')) as [[string, string]];
    expect([code, message]).toEqual(['E_SPOOL', expect.stringContaining('may not be written by this user')]);
    await eventually(() => (child.exitCode !== null || child.signalCode !== null ? true : undefined), 'its end');
    expect(existsSync(join(at, 'x.db'))).toBe(false);
  });
});
