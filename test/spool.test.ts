/** The spool of events on real files, in processes that are killed, and on file systems that are full or read-only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { moveAside } from '../src/database.ts';
import { isCorrupt } from '../src/database-failures.ts';
import { type Event, eventOf } from '../src/events/event.ts';
import { type Acceptance, openSpool, type Spool } from '../src/events/spool.ts';
import type { SpoolOptions } from '../src/events/spool-room.ts';
import { endWithParent } from './support/statsd.ts';
import { isRoot, mountTmpfs, type Tmpfs } from './support/tmpfs.ts';

const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
let root: string;
let options: SpoolOptions;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgestatd-spool-'));
  options = { path: join(root, 'spool.db'), maxBytes: 64 * 2 ** 20, maxAgeMs: 24 * HOUR, whenFull: 'refuse' };
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(root, { recursive: true, force: true });
});

function open(overrides: Partial<SpoolOptions> = {}, mayMoveAside = true): Spool {
  const spool = openSpool({ ...options, ...overrides }, { mayMoveAside, nowMs: NOW });
  closers.push(() => spool.close());
  return spool;
}
const how: Acceptance = { source: 'test', conflicts: 'refuse', nowMs: NOW };
const event = (id: number | string, over: Partial<Event> = {}): Event => ({
  ...{ id: String(id), what: `event ${id}`, tags: ['a', 'b'], data: '', whenUs: 1_700_000_000e6 },
  ...over,
});
const fill = (bytes: number): string => 'x'.repeat(bytes);
const ids = (spool: Spool): string[] =>
  spool.database
    .prepare('SELECT id FROM event ORDER BY seq')
    .all()
    .map(({ id }) => String(id));
const waiting = (spool: Spool, to = 'graphite'): string[] => spool.open(to, 100_000).map((one) => one.event.id);
/** Sends all that waits. */
function deliver(spool: Spool, to = 'graphite', answer = '200'): void {
  const all = spool.open(to, 100_000).map(({ seq }) => ({ seq, state: 'delivered' as const, answer }));
  spool.advance(to, all, [], NOW);
}
/** One at a time until the spool throws; answers how many were taken, and what it threw. */
function acceptUntilFull(spool: Spool, bytes: number, from = 0): { count: number; failure: Error } {
  for (let count = 0; ; count++) {
    try {
      spool.accept([event(from + count, { data: fill(bytes) })], how);
    } catch (failure) {
      return { count, failure: failure as Error };
    }
  }
}

describe('the spool', () => {
  it('takes each event once, by its id', () => {
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    expect(spool.accept([event(1), event(2), event(1)], how)).toEqual(['added', 'added', 'known']);
    expect(spool.accept([event(2, { tags: ['b', 'a'] }), event(3)], how)).toEqual(['known', 'added']);
    for (const other of [{ what: 'x' }, { data: 'x' }, { tags: ['a'] }, { whenUs: 1 }]) {
      const list = [event(4), event(1, other)];
      expect(() => spool.accept(list, how)).toThrow('event 2 of 2: the id "1" is that of an event with other content');
      expect(spool.accept([event(1, other)], { ...how, conflicts: 'report' })).toEqual(['conflict']);
    }
    // Of a list with a conflict, none was taken.
    expect(ids(spool)).toEqual(['1', '2', '3']);
    expect(spool.accept([event(4), event(1, { what: 'x' })], { ...how, conflicts: 'report' })).toEqual([
      'added',
      'conflict',
    ]);
    // A time that is that of its acceptance is another each time, and the event the same.
    expect(spool.accept([event(1, { whenUs: 5, isRelative: true })], how)).toEqual(['known']);
    expect(spool.open('graphite', 1)[0]?.event).toEqual(event(1));
  });

  it('gives back every event as it came', () => {
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    const text = fc.string({ unit: 'grapheme', maxLength: 50 });
    const body = fc.record({
      what: text.filter((what) => what.trim() !== '' && !/[\p{Cc}\u2028\u2029]/u.test(what)),
      data: text.filter((data) => !data.includes('\0')),
      tags: fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9_.:-]{1,20}$/), { maxLength: 5 }),
      when: fc.integer({ min: 0, max: 1.7e15 }).map((us) => us / 1e6),
    });
    fc.assert(
      fc.property(body, (one) => {
        const { isRelative: _, ...whole } = eventOf(one, { nowUs: NOW * 1000, strict: true, repeatable: true });
        expect(spool.accept([whole], how)[0]).not.toBe('conflict');
        expect(spool.accept([whole], how)).toEqual(['known']);
        const [found] = spool.open('graphite', 10).filter(({ event: { id } }) => id === whole.id);
        expect(found?.event).toEqual(whole);
        deliver(spool);
      }),
    );
  });

  it('opens them in the order of when, those that may have been taken among them', () => {
    const spool = open();
    spool.setDestinations(['graphite', 'grafana'], NOW);
    const times = [30, 10, 20, 10];
    spool.accept(
      times.map((at, n) => event(n, { whenUs: at * 1e6 })),
      how,
    );
    expect(waiting(spool)).toEqual(['1', '3', '2', '0']);
    const [first, second, third] = spool.open('graphite', 10);
    spool.advance('graphite', [], [second?.seq ?? 0], NOW);
    expect(spool.open('graphite', 2).map((one) => [one.event.id, one.isDoubtful, one.attempts])).toEqual([
      ['1', false, 0],
      ['3', true, 1],
    ]);
    expect(spool.open('graphite', 10, [first?.seq ?? 0]).map((one) => one.event.id)).toEqual(['3', '2', '0']);
    const outcomes = [
      { seq: second?.seq ?? 0, state: 'delivered', answer: '200' },
      { seq: third?.seq ?? 0, state: 'dead', answer: '400' },
    ] as const;
    spool.advance('graphite', outcomes, [], NOW);
    expect([waiting(spool), waiting(spool, 'grafana').length]).toEqual([['1', '0'], 4]);
    // What is settled is not unsettled by a late answer.
    spool.advance('graphite', [{ seq: second?.seq ?? 0, state: 'waiting', answer: '' }], [second?.seq ?? 0], NOW);
    expect(waiting(spool)).toEqual(['1', '0']);
    expect(spool.deliveredLike('graphite', event(9, { ...event(3), whenUs: 10.9e6, id: 'other' }))).toBe(1);
    expect(spool.deliveredLike('grafana', event(3, { whenUs: 10e6 }))).toBe(0);
  });

  it('keeps all when it is opened again', () => {
    const first = open();
    first.setDestinations(['graphite'], NOW);
    first.accept([event(1), event(2)], how);
    first.advance('graphite', [], [1], NOW);
    first.setNote('state', 'running');
    first.close();
    const second = open();
    second.setDestinations(['graphite'], NOW);
    expect(second.open('graphite', 5).map((one) => [one.event.id, one.isDoubtful])).toEqual([
      ['1', true],
      ['2', false],
    ]);
    expect([second.note('state'), second.note('other')]).toEqual(['running', undefined]);
  });

  it('writes through to the disk, and is read by its owner alone', () => {
    const spool = open();
    expect(spool.database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(spool.database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    spool.accept([event(1)], how);
    for (const name of readdirSync(root)) expect(statSync(join(root, name)).mode & 0o077, name).toBe(0);
  });
});

describe('destinations', () => {
  it('that are new get what none has settled yet', () => {
    const spool = open();
    spool.accept([event(1), event(2)], how);
    spool.setDestinations(['graphite'], NOW);
    spool.accept([event(3), event(4)], how);
    expect(waiting(spool)).toEqual(['1', '2', '3', '4']);
    const states = ['delivered', 'dead', 'waiting'] as const;
    spool.advance(
      'graphite',
      states.map((state, n) => ({ seq: n + 1, state, answer: '' })),
      [4],
      NOW,
    );
    spool.setDestinations(['graphite', 'grafana'], NOW);
    // 1 was delivered and 2 refused elsewhere: they are history. 4 may have been taken, and is not settled.
    expect(waiting(spool, 'grafana')).toEqual(['3', '4']);
    expect(spool.open('grafana', 5).map(({ isDoubtful }) => isDoubtful)).toEqual([false, false]);
  });

  it('that are not wanted any more get nothing more, and go on where they stood when they come back', () => {
    const spool = open();
    spool.setDestinations(['graphite', 'grafana'], NOW);
    spool.accept([event(1)], how);
    spool.setDestinations(['graphite'], NOW);
    spool.accept([event(2)], how);
    deliver(spool);
    expect([waiting(spool), waiting(spool, 'grafana')]).toEqual([[], ['1']]);
    spool.setDestinations(['graphite', 'grafana'], NOW);
    spool.accept([event(3)], how);
    expect(waiting(spool, 'grafana')).toEqual(['1', '3']);
    expect(waiting(spool)).toEqual(['3']);
  });

  it('that come back get what came while none was wanted', () => {
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    spool.accept([event(1)], how);
    deliver(spool);
    spool.setDestinations([], NOW);
    spool.accept([event(2)], how);
    expect(waiting(spool)).toEqual([]);
    spool.setDestinations(['graphite'], NOW);
    expect(waiting(spool)).toEqual(['2']);
    deliver(spool);
    for (const names of [['graphite'], [], ['graphite']]) spool.setDestinations(names, NOW);
    expect(waiting(spool)).toEqual([]);
  });

  it('of no such name have nothing', () => {
    const spool = open();
    spool.accept([event(1)], how);
    expect(waiting(spool, "x' OR 1=1 --")).toEqual([]);
    spool.setDestinations(["x'; DROP TABLE event; --"], NOW);
    expect(waiting(spool, "x'; DROP TABLE event; --")).toEqual(['1']);
  });
});

describe('age', () => {
  it('is the time in which it was in use, whatever the clocks show', () => {
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    // The wall clock is years back at first, and then right.
    spool.accept([event('early')], { ...how, nowMs: 0 });
    expect(spool.age(23 * HOUR, NOW + 1e12)).toBe(0);
    spool.accept([event('late')], { ...how, nowMs: NOW - 1e12 });
    expect(waiting(spool)).toEqual(['early', 'late']);
    expect(spool.age(2 * HOUR, 0)).toBe(1);
    expect(waiting(spool)).toEqual(['late']);
    spool.close();
    // Years without a daemon are no time.
    const again = open();
    expect(again.age(0, NOW + 1e13)).toBe(0);
    expect(again.age(21 * HOUR, NOW)).toBe(0);
    expect(again.age(2 * HOUR, NOW)).toBe(1);
    expect(again.accept([event('early')], how)).toEqual(['known']);
  });
});

describe('a spool that is full', () => {
  const maxBytes = 2 ** 20;

  it('refuses what comes, keeps what it has, and takes again when something was delivered', () => {
    const spool = open({ maxBytes });
    spool.setDestinations(['graphite'], NOW);
    const { count, failure } = acceptUntilFull(spool, 2000);
    expect(failure).toMatchObject({
      code: 'E_SPOOL',
      message: expect.stringContaining('is full (1048576 bytes) of events that wait'),
    });
    expect(count).toBeGreaterThan(200);
    expect(ids(spool)).toEqual(Array.from({ length: count }, (_, n) => String(n)));
    expect(statSync(options.path).size).toBeLessThanOrEqual(maxBytes);
    // What is known needs no room.
    expect(spool.accept([event(0, { data: fill(2000) })], how)).toEqual(['known']);
    expect(() => spool.accept([event('new', { data: fill(2000) })], how)).toThrow('is full');
    expect(spool.droppedForRoom).toBe(0);

    const [first] = spool.open('graphite', 1);
    spool.advance('graphite', [{ seq: first?.seq ?? 0, state: 'delivered', answer: '200' }], [], NOW);
    expect(spool.accept([event('new', { data: fill(2000) })], how)).toEqual(['added']);
    // Forgotten was what was settled, and nothing else.
    expect(waiting(spool)).toHaveLength(count);
    expect(ids(spool)).toEqual([...Array.from({ length: count - 1 }, (_, n) => String(n + 1)), 'new']);
    expect(spool.droppedForRoom).toBe(0);
  });

  it('of small events can still be delivered, with long answers', () => {
    const spool = open({ maxBytes });
    spool.setDestinations(['graphite'], NOW);
    const { count } = acceptUntilFull(spool, 10);
    const all = spool.open('graphite', 100_000);
    expect(all).toHaveLength(count);
    // As delivery does: marked before it is sent, settled afterwards.
    for (let at = 0; at < all.length; at += 4) {
      const some = all.slice(at, at + 4).map(({ seq }) => seq);
      spool.advance('graphite', [], some, NOW);
      const answer = `HTTP 200: ${fill(100)}`;
      spool.advance(
        'graphite',
        some.map((seq) => ({ seq, state: 'delivered', answer })),
        [],
        NOW,
      );
    }
    expect(waiting(spool)).toEqual([]);
    expect(statSync(options.path).size).toBeLessThanOrEqual(maxBytes);
    expect(spool.accept([event('next')], how)).toEqual(['added']);
  });

  it('drops the oldest where that is chosen: as few as are needed, and counted', () => {
    const spool = open({ maxBytes, whenFull: 'dropOldest' });
    spool.setDestinations(['graphite'], NOW);
    for (let n = 0; n < 1000; n++) spool.accept([event(n, { data: fill(2000) })], how);
    const left = ids(spool);
    expect(left.at(-1)).toBe('999');
    expect(left).toEqual(Array.from({ length: left.length }, (_, n) => String(1000 - left.length + n)));
    expect(left.length).toBeGreaterThan(200);
    expect(spool.droppedForRoom).toBe(1000 - left.length);
    expect(waiting(spool)).toEqual(left);
    expect(statSync(options.path).size).toBeLessThanOrEqual(maxBytes);
  });

  it('forgets what is settled before it drops what waits', () => {
    const spool = open({ maxBytes, whenFull: 'dropOldest' });
    spool.setDestinations(['graphite'], NOW);
    for (let n = 0; n < 150; n++) spool.accept([event(n, { data: fill(2000) })], how);
    // The oldest wait on; the others are delivered.
    const later = spool.open('graphite', 1000).slice(50);
    spool.advance(
      'graphite',
      later.map(({ seq }) => ({ seq, state: 'delivered', answer: '' })),
      [],
      NOW,
    );
    for (let n = 150; n < 300; n++) spool.accept([event(n, { data: fill(2000) })], how);
    expect(waiting(spool)).toHaveLength(200);
    expect(spool.droppedForRoom).toBe(0);
  });

  it('remembers what is like an event that is open, as it tells whether that one is there too', () => {
    const spool = open({ maxBytes });
    spool.setDestinations(['graphite'], NOW);
    spool.accept([event('first', { what: 'twin' })], how);
    deliver(spool);
    spool.accept([event('second', { what: 'twin' })], how);
    for (let n = 0; n < 600; n++) {
      spool.accept([event(n, { data: fill(2000) })], how);
      const others = spool.open('graphite', 10).filter((one) => one.event.what !== 'twin');
      spool.advance(
        'graphite',
        others.map(({ seq }) => ({ seq, state: 'delivered', answer: '' })),
        [],
        NOW,
      );
    }
    expect(ids(spool).length).toBeLessThan(600);
    expect(spool.deliveredLike('graphite', event('second', { what: 'twin' }))).toBe(1);
  });

  it.each(['refuse', 'dropOldest'] as const)('drops nothing for what would never fit (%s)', (whenFull) => {
    const spool = open({ maxBytes, whenFull });
    spool.setDestinations(['graphite'], NOW);
    spool.accept([event('kept')], how);
    const large = Array.from({ length: 5 }, (_, n) => event(n, { data: fill(250_000) }));
    expect(() => spool.accept(large, how)).toThrow(/is too small \(1048576 bytes\) for 12500\d\d bytes of events/);
    expect([ids(spool), spool.droppedForRoom]).toEqual([['kept'], 0]);
  });
});

/** A process of its own that has opened the spool; `body` may use `spool`, `event` and `how`. */
function child(body: string): ChildProcess {
  const url = new URL('../src/events/spool.ts', import.meta.url).href;
  const program = `
    import { openSpool } from ${JSON.stringify(url)};
    const spool = openSpool(${JSON.stringify(options)}, { mayMoveAside: false, nowMs: ${NOW} });
    const how = ${JSON.stringify(how)};
    const event = (id) => ({ ...${JSON.stringify(event(0))}, id: String(id), what: 'event ' + id });
    ${body}`;
  const args = [...endWithParent, '--input-type=module', '-e', program];
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  closers.push(() => process_.kill('SIGKILL'));
  return process_;
}

describe('processes', () => {
  it('that are two at once take all events, each once', async () => {
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    const body = (from: number): string => `
      const receipts = [];
      for (let n = ${from}; n < ${from + 300}; n++) receipts.push(...spool.accept([event(n)], how));
      process.send(receipts);`;
    const both = [child(body(0)), child(body(200))];
    const receipts = (await Promise.all(both.map((one) => once(one, 'message')))).map(([all]) => all as string[]);
    expect(
      ids(spool)
        .map(Number)
        .toSorted((a, b) => a - b),
    ).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(receipts.flat().filter((one) => one === 'added')).toHaveLength(500);
    expect(receipts.flat().filter((one) => one === 'known')).toHaveLength(100);
    expect(waiting(spool)).toHaveLength(500);
  });

  it('that are killed lose nothing that was acknowledged', async () => {
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    for (let round = 0; round < 5; round++) {
      let acknowledged = -1;
      // It waits for no one, so that the kill comes anywhere.
      const process_ = child(`
        for (let n = ${round * 1e6}; ; n++) {
          spool.accept([event(n), event(n + '-twin')], how);
          process.send(n);
          await new Promise((resolve) => setImmediate(resolve));
        }`);
      process_.on('message', (n) => {
        acknowledged = n as number;
        if (acknowledged === round * 1e6 + 40 + round * 7) process_.kill('SIGKILL');
      });
      await once(process_, 'close');
      const known = new Set(ids(spool));
      for (let n = round * 1e6; n <= acknowledged; n++)
        expect(known.has(`${n}`) && known.has(`${n}-twin`), `${n}`).toBe(true);
      // All of a list or nothing.
      for (const id of known) expect(known.has(id.endsWith('-twin') ? id.slice(0, -5) : `${id}-twin`), id).toBe(true);
    }
    expect(spool.database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    expect(waiting(spool)).toEqual(ids(spool));
  });
});

describe('a file that is no spool', () => {
  /** With some pages, and nothing in its log. */
  function written(): Buffer {
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    spool.accept(
      Array.from({ length: 500 }, (_, n) => event(n, { data: fill(200) })),
      how,
    );
    spool.close();
    return readFileSync(options.path);
  }

  it.each([
    ['garbage', () => Buffer.from('this was never a database\n'.repeat(1000))],
    ['one that was cut off in a page', (whole: Buffer) => whole.subarray(0, 3000)],
    ['one that was cut off after some pages', (whole: Buffer) => whole.subarray(0, 3 * 4096)],
    ['one whose header is gone', (whole: Buffer) => Buffer.concat([Buffer.alloc(100), whole.subarray(100)])],
    [
      'one whose schema is gone',
      (whole: Buffer) => Buffer.concat([whole.subarray(0, 100), Buffer.alloc(3996, 0xff), whole.subarray(4096)]),
    ],
  ])('but %s is kept beside it, and a new one begun', (_, damage) => {
    const content = damage(written());
    writeFileSync(options.path, content);
    // Who does not hold the lock touches nothing.
    expect(() => open({}, false).accept([event(1)], how)).toThrow(expect.objectContaining({ code: 'E_SPOOL' }));
    closers.splice(0);
    const spool = usable(open());
    const aside = spool.database.movedAside ?? readdirSync(root).find((name) => name.includes('.corrupt-')) ?? '';
    expect(readFileSync(aside)).toEqual(content);
    spool.setDestinations(['graphite'], NOW);
    expect(spool.accept([event('new')], how)).toEqual(['added']);
    expect(waiting(spool)).toEqual(['new']);
  });

  /** Damage in a page that opening does not read is found by the first use, and moved aside by whoever holds the lock. */
  function usable(spool: Spool): Spool {
    try {
      spool.accept([event('probe')], how);
      spool.database.exec("DELETE FROM event WHERE id = 'probe'");
      return spool;
    } catch (thrown) {
      expect(isCorrupt(thrown)).toBe(true);
      spool.close();
      moveAside(options.path, NOW);
      return open();
    }
  }

  it('in one page says so wherever it is read, as E_SPOOL', () => {
    const { length } = written();
    const file = openSync(options.path, 'r+');
    for (let at = 4096; at < length; at += 4096) writeSync(file, Buffer.alloc(64, 0xa5), 0, 64, at);
    closeSync(file);
    const attempts: (() => unknown)[] = [
      () => open(),
      () => open().accept([event('x')], how),
      () => open().open('graphite', 10),
      () => open().age(1, NOW),
    ];
    let failed = 0;
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (thrown) {
        failed += 1;
        expect(thrown).toMatchObject({ name: 'Failure', code: 'E_SPOOL' });
      }
    }
    expect(failed).toBeGreaterThan(0);
  });

  it('of a newer version is refused, and left alone', () => {
    const spool = open();
    spool.database.exec('PRAGMA user_version = 99');
    spool.close();
    expect(() => open()).toThrow(/was written by a newer edgestatd \(version 99; this one knows 1\)/);
    expect(readdirSync(root).filter((name) => name.includes('corrupt'))).toEqual([]);
  });
});

describe.runIf(isRoot)('on a file system of its own', () => {
  function mounted(how_: string): Tmpfs {
    const at = join(root, 'mount');
    const mount = mountTmpfs(at, how_);
    closers.push(mount.unmount);
    options = { ...options, path: join(at, 'spool.db') };
    return mount;
  }

  it.each(['refuse', 'dropOldest'] as const)(
    'that is full it refuses, keeps what it has, and goes on when there is space (%s)',
    (whenFull) => {
      const mount = mounted('size=4m');
      const spool = open({ whenFull });
      spool.setDestinations(['graphite'], NOW);
      const { count, failure } = acceptUntilFull(spool, 20_000);
      expect(failure).toMatchObject({ code: 'E_SPOOL', message: expect.stringContaining('the disk is full') });
      expect(count).toBeGreaterThan(10);
      const kept = Array.from({ length: count }, (_, n) => String(n));
      expect([ids(spool), spool.droppedForRoom]).toEqual([kept, 0]);
      mount.remount('size=40m');
      expect(spool.accept([event('new', { data: fill(20_000) })], how)).toEqual(['added']);
      spool.close();
      const again = open({ whenFull });
      expect(again.database.movedAside).toBeUndefined();
      expect(waiting(again)).toEqual([...kept, 'new']);
    },
  );

  it('that is full to the last byte it keeps what it has, and opens again', () => {
    const mount = mounted('size=4m');
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    spool.accept([event(1), event(2)], how);
    const file = openSync(join(root, 'mount', 'filler'), 'w');
    expect(() => {
      for (;;) writeSync(file, Buffer.alloc(4096));
    }).toThrow('ENOSPC');
    closeSync(file);
    for (let n = 0; n < 200; n++) {
      try {
        spool.accept([event(`x${n}`, { data: fill(5000) })], how);
      } catch (thrown) {
        expect(thrown).toMatchObject({ name: 'Failure', code: 'E_SPOOL' });
      }
    }
    expect(() => spool.accept([event('last', { data: fill(5000) })], how)).toThrow('disk is full');
    expect(ids(spool).slice(0, 2)).toEqual(['1', '2']);
    const before = ids(spool);
    mount.remount('size=40m');
    spool.close();
    const again = open();
    expect([again.database.movedAside, ids(again)]).toEqual([undefined, before]);
  });

  it('that is read-only it says so, and keeps what it has', () => {
    const mount = mounted('size=4m');
    const spool = open();
    spool.setDestinations(['graphite'], NOW);
    spool.accept([event(1)], how);
    spool.close();
    mount.remount('ro');
    expect(() => open()).toThrow(
      expect.objectContaining({
        code: 'E_SPOOL',
        message: expect.stringContaining('is read-only; mount it for writing'),
      }),
    );
    mount.remount('rw');
    expect(waiting(open())).toEqual(['1']);
    expect(readdirSync(join(root, 'mount')).filter((name) => name.includes('corrupt'))).toEqual([]);
  });
});
