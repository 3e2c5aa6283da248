import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../src/sinks/carbon-chunk.ts';
import { createSpool, type Spool, type SpoolOptions } from '../src/sinks/carbon-spool.ts';
import type { Stored } from '../src/sinks/carbon-store.ts';
import { type FakeClock, fakeClock } from './support/fake-clock.ts';

const MIB = 2 ** 20;
const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0).reverse()) end();
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'edgestatd-carbon-spool-'));
  endings.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Lines that cannot be made shorter, so that it is known what they take of the disk. */
function chunk(text: string, over: Partial<Chunk> & { readonly bytes?: number } = {}): Chunk {
  const noise = Array.from({ length: over.bytes ?? 0 }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90)));
  return {
    data: Buffer.from(`${text}${noise.join('')}\n`),
    metrics: 1,
    atMs: Date.UTC(2026, 0, 1),
    sent: 'never',
    ...over,
  };
}

function opened(path: string, over: Partial<SpoolOptions> = {}, clock: FakeClock = fakeClock()) {
  const said: string[] = [];
  const dropped: [string, Stored][] = [];
  const spool = createSpool({ path, maxBytes: 16 * MIB, maxAgeMs: 3_600_000, lanes: ['a', 'b'], ...over }, clock, {
    failed: ({ message }) => said.push(`failed: ${message}`),
    works: () => said.push('works'),
    moved: () => said.push('moved'),
    dropped: (reason, stored) => dropped.push([reason, stored]),
  });
  endings.push(() => spool.close());
  /** Time passes, and the sink looks after it as it does. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await clock.advance(1000);
      spool.tend();
    }
  };
  return { spool, said, dropped, clock, pass };
}

function textsOf(spool: Spool, lane: string): string[] {
  const all: string[] = [];
  for (let stored = spool.after(lane, 0); stored !== undefined; stored = spool.after(lane, stored.id))
    all.push(String(spool.lines(stored)).trimEnd());
  return all;
}

describe('the spool of a carbon sink', () => {
  it('keeps chunks for each lane in order, and gives them to the next process', () => {
    const path = join(directory(), 'new', 'folder', 'spool.db');
    const first = opened(path).spool;
    for (const text of ['1', '2', '3']) first.add('a', chunk(text));
    first.add('b', chunk('other', { sent: 'taken', metrics: 7, atMs: 1234.5 }));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    first.close();
    const { spool, said } = opened(path);
    expect(textsOf(spool, 'a')).toEqual(['1', '2', '3']);
    expect(spool.after('b', 0)).toMatchObject({ sent: 'taken', metrics: 7, atMs: 1235 });
    expect(spool.amount('a')).toMatchObject({ metrics: 3 });
    const second = spool.after('a', spool.after('a', 0)?.id ?? 0);
    spool.remove('a', 0, second?.id ?? 0);
    expect(textsOf(spool, 'a')).toEqual(['3']);
    expect(spool.amount('a')).toMatchObject({ metrics: 1 });
    expect(said).toEqual([]);
  });

  it('gives what waits for a destination that is none any more to the first', () => {
    const path = join(directory(), 'spool.db');
    const { spool } = opened(path, { lanes: ['gone', 'b'] });
    spool.add('gone', chunk('1'));
    spool.add('b', chunk('2'));
    spool.close();
    const next = opened(path).spool;
    expect([textsOf(next, 'a'), textsOf(next, 'b')]).toEqual([['1'], ['2']]);
  });

  it('is bounded: the oldest makes room, is told, and the file does not grow beyond', () => {
    const path = join(directory(), 'spool.db');
    const { spool, dropped, said } = opened(path, { maxBytes: 2 * MIB });
    for (let index = 0; index < 100; index++)
      spool.add(index % 2 === 0 ? 'a' : 'b', chunk(`${index} `, { bytes: 60_000 }));
    const left = textsOf(spool, 'a').length + textsOf(spool, 'b').length;
    expect(dropped).toHaveLength(100 - left);
    expect(left).toBeGreaterThan(20);
    expect(dropped.every(([reason]) => reason === 'spool_full')).toBe(true);
    expect(textsOf(spool, 'b').at(-1)).toMatch(/^99 /);
    expect(statSync(path).size).toBeLessThanOrEqual(2 * MIB);
    expect(said).toEqual([]);
  });

  it('is bounded where chunks are small too', () => {
    const path = join(directory(), 'spool.db');
    const { spool, dropped, said } = opened(path, { maxBytes: MIB });
    for (let index = 0; index < 6000; index++) spool.add('a', chunk(`${index} `, { bytes: 300 }));
    expect(dropped.length).toBeGreaterThan(1000);
    expect(textsOf(spool, 'a').at(-1)).toMatch(/^5999 /);
    expect(said).toEqual([]);
    expect(statSync(path).size).toBeLessThanOrEqual(MIB);
  });

  it('drops what is too old, and not what a clock that was set forwards makes old', async () => {
    const path = join(directory(), 'spool.db');
    const clock = fakeClock();
    const { spool, dropped, pass } = opened(path, { maxAgeMs: 100_000 }, clock);
    spool.add('a', chunk('1', { atMs: clock.wallMs() }));
    clock.jumpWall(365 * 86_400_000);
    await pass(50);
    expect(dropped).toEqual([]);
    spool.add('a', chunk('2', { atMs: clock.wallMs() }));
    await pass(60);
    expect(dropped.map(([reason]) => reason)).toEqual(['expired']);
    expect(textsOf(spool, 'a')).toEqual(['2']);
    spool.close();
    clock.jumpWall(200_000);
    const next = opened(path, { maxAgeMs: 100_000 }, clock);
    await next.pass(1);
    expect(next.dropped.map(([reason]) => reason)).toEqual(['expired']);
  });

  it('drops a part at a time when there is very much of it, and the oldest of each lane alone', async () => {
    const count = 30_000;
    const filled = (atMs: (index: number) => number): string => {
      const path = join(directory(), 'spool.db');
      opened(path).spool.close();
      const database = new DatabaseSync(path);
      const insert = database.prepare("INSERT INTO chunk VALUES (?, ?, ?, 1, 500, 0, x'03')");
      database.exec('BEGIN');
      for (let index = 1; index <= count; index++) insert.run(index, index % 3 === 0 ? 'b' : 'a', atMs(index));
      database.exec('COMMIT');
      database.close();
      return path;
    };
    const clock = fakeClock();
    // Of the last ones every second is too old: those between them stay.
    const old = opened(
      filled((index) => (index <= count - 20 || index % 2 === 0 ? 0 : clock.wallMs())),
      {},
      clock,
    );
    await old.pass(1);
    expect(old.dropped.length).toBeGreaterThan(1000);
    expect(old.dropped.length).toBeLessThan(10_000);
    await old.pass(60);
    expect(new Set(old.dropped.map(([reason, { id }]) => `${reason} ${id}`)).size).toBe(count - 10);
    expect([old.spool.amount('a')?.metrics, old.spool.amount('b')?.metrics]).toEqual([7, 3]);
    // The bound was made smaller.
    const full = opened(
      filled(() => clock.wallMs()),
      { maxBytes: MIB },
      clock,
    );
    full.spool.add('a', chunk('new', { atMs: clock.wallMs() }));
    expect(full.dropped.length).toBeGreaterThan(10);
    expect(full.dropped.length).toBeLessThan(1000);
    await full.pass(60);
    expect(full.dropped.at(-1)?.[1].id).toBe(full.dropped.length);
    const kept = (full.spool.amount('a')?.bytes ?? 0) + (full.spool.amount('b')?.bytes ?? 0);
    expect(kept).toBeLessThan(MIB);
    expect(kept).toBeGreaterThan(0.8 * MIB);
    expect(textsOf(full.spool, 'a').at(-1)).toBe('new');
  });

  it('moves a file aside that is no database, and begins a new one', () => {
    const folder = directory();
    const path = join(folder, 'spool.db');
    writeFileSync(path, 'not a database at all, but long enough to be looked at. '.repeat(100));
    const { spool, said } = opened(path);
    expect(said).toEqual(['moved']);
    spool.add('a', chunk('1'));
    expect(textsOf(spool, 'a')).toEqual(['1']);
    expect(readdirSync(folder).filter((name) => name.includes('corrupt'))).toHaveLength(1);
  });

  it('moves a file aside that turns out to be corrupt while it is used', () => {
    const path = join(directory(), 'spool.db');
    const first = opened(path).spool;
    for (let index = 0; index < 200; index++) first.add('a', chunk(`${index} `, { bytes: 20_000 }));
    first.close();
    const size = statSync(path).size;
    // The schema stays readable, and nothing else does.
    execFileSync(
      'dd',
      ['if=/dev/urandom', `of=${path}`, 'bs=4096', 'seek=2', `count=${size / 4096 - 2}`, 'conv=notrunc'],
      {
        stdio: 'ignore',
      },
    );
    const { spool, said } = opened(path);
    spool.add('a', chunk('1'));
    spool.add('a', chunk('2'));
    expect(said).toEqual(['moved']);
    expect(textsOf(spool, 'a')).toEqual(['1', '2']);
  });

  it('is one process’s alone: a second says so and goes on without, until it is free', async () => {
    const path = join(directory(), 'spool.db');
    const first = opened(path);
    first.spool.add('a', chunk('1'));
    const second = opened(path);
    expect(second.spool.add('a', chunk('2'))).toBeUndefined();
    expect(second.spool.amount('a')).toBeUndefined();
    await second.pass(20);
    expect(second.said).toHaveLength(1);
    expect(second.said[0]).toContain('is held by another process');
    first.spool.close();
    await second.pass(20);
    expect(second.said[1]).toBe('works');
    expect(textsOf(second.spool, 'a')).toEqual(['1']);
  });

  it('says nothing of the other when that ends soon, as the former sink does when the configuration is reloaded', async () => {
    const path = join(directory(), 'spool.db');
    const first = opened(path);
    const second = opened(path);
    await second.pass(8);
    first.spool.close();
    await second.pass(8);
    expect(second.spool.add('a', chunk('1'))).toBeDefined();
    expect(second.said).toEqual([]);
  });

  it('is there as soon as the former sink lets go of it: this one may end, or be replaced, a moment later', () => {
    const path = join(directory(), 'spool.db');
    const first = opened(path).spool;
    const second = opened(path).spool;
    expect(second.add('a', chunk('1'))).toBeUndefined();
    first.add('a', chunk('0'));
    first.close();
    expect(second.add('a', chunk('1'))).toBeDefined();
    expect(textsOf(second, 'a')).toEqual(['0', '1']);
  });

  it('says what is wrong with a path, once, and works as soon as it can', async () => {
    const folder = directory();
    const wall = join(folder, 'wall');
    writeFileSync(wall, '');
    const { spool, said, pass } = opened(join(wall, 'spool.db'));
    expect(spool.add('a', chunk('1'))).toBeUndefined();
    await pass(30);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^failed: .*wall\/spool.db.* cannot be /);
    rmSync(wall);
    await pass(30);
    expect(said[1]).toBe('works');
    expect(spool.add('a', chunk('1'))).toBeDefined();
  });
});

describe.skipIf(process.getuid?.() !== 0)('the spool of a carbon sink on a file system of its own', () => {
  function mounted(size: string): { path: string; remount: (how: string) => void; folder: string } {
    const folder = directory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'edgestatd-test', folder]);
    endings.push(() => execFileSync('umount', ['-l', folder]));
    const remount = (how: string) => execFileSync('mount', ['-o', `remount,${how}`, folder]);
    return { path: join(folder, 'spool.db'), remount, folder };
  }

  it('that is full keeps what it has, says so once, and works again when there is room', async () => {
    const { path, folder } = mounted('3m');
    const { spool, said, dropped, pass } = opened(path);
    const kept: boolean[] = [];
    for (let index = 0; index < 60; index++)
      kept.push(spool.add('a', chunk(`${index} `, { bytes: 100_000 })) !== undefined);
    const count = kept.filter(Boolean).length;
    expect(count).toBeGreaterThan(3);
    expect(count).toBeLessThan(60);
    await pass(30);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/failed: .* (cannot grow|cannot be read or written)/);
    expect(textsOf(spool, 'a')).toHaveLength(count);
    execFileSync('mount', ['-o', 'remount,size=40m', folder]);
    await pass(30);
    expect(said[1]).toBe('works');
    expect(spool.add('a', chunk('later'))).toBeDefined();
    expect(textsOf(spool, 'a')).toHaveLength(count + 1);
    expect(dropped).toEqual([]);
  });

  it('that is read-only keeps what it has, says so once, and works again when it is not', async () => {
    const { path, remount } = mounted('20m');
    const { spool, said } = opened(path);
    spool.add('a', chunk('1'));
    spool.close();
    remount('ro');
    const next = opened(path);
    expect(next.spool.add('a', chunk('2'))).toBeUndefined();
    await next.pass(30);
    expect(next.said).toHaveLength(1);
    expect(next.said[0]).toContain(path);
    remount('rw');
    await next.pass(30);
    expect(next.said[1]).toBe('works');
    expect(next.spool.add('a', chunk('2'))).toBeDefined();
    expect(textsOf(next.spool, 'a')).toEqual(['1', '2']);
    expect(said).toEqual([]);
  });
});
