/** Which part of the targets is ours: forms of `shard:`, and how a stable hash shares names out. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { keepsTarget, parseShard, shardOption } from '../src/shard.ts';

const names = Array.from({ length: 2000 }, (_, index) => `hv${String(index).padStart(4, '0')}.example.org`);
const ownerOf = (name: string, count: number): number =>
  Array.from({ length: count }, (_, index) => index).findIndex((index) => keepsTarget(name, { index, count }));

describe('shard', () => {
  it.each([
    ['0/1', 0, 1],
    ['2/5', 2, 5],
    [' 2 / 5 ', 2, 5],
    ['edgestatd-2/5', 2, 5],
    ['my-edge-10/11', 10, 11],
    ['edgestatd@3/4', 3, 4],
    ['007/8', 7, 8],
  ])('%s', (text, index, count) => {
    expect(parseShard(text)).toEqual({ index, count });
    expect(shardOption.parse(text)).toEqual({ index, count });
  });

  it.each([
    ['', 'expected "i/n"'],
    ['2', 'expected "i/n"'],
    ['/5', 'expected "i/n"'],
    ['2/', 'expected "i/n"'],
    ['-1/5', 'expected "i/n"'],
    ['a/5', 'expected "i/n"'],
    ['host2/5', 'expected "i/n"'],
    ['1/2/3', 'expected "i/n"'],
    ['1.5/3', 'expected "i/n"'],
    ['5/5', 'expected a number from 0 to 4 before the "/"'],
    ['0/0', 'expected 1 to 1000 shards'],
    ['0/1001', 'expected 1 to 1000 shards'],
    ['0/99999999999', 'expected "i/n"'],
  ])('%j: %s', (text, message) => {
    expect(() => parseShard(text)).toThrow(Failure);
    expect(() => parseShard(text)).toThrow(message);
    expect(shardOption.safeParse(text).error?.issues[0]?.message).toContain(message);
  });
});

describe('targets are shared out', () => {
  it('each to exactly one shard, whatever their number', () => {
    for (const count of [1, 2, 3, 7, 16]) {
      for (const name of names.slice(0, 300)) {
        const owners = Array.from({ length: count }, (_, index) => keepsTarget(name, { index, count })).filter(Boolean);
        expect(owners).toHaveLength(1);
      }
    }
  });

  it('evenly', () => {
    const sizes = [0, 0, 0, 0, 0];
    for (const name of names) sizes[ownerOf(name, 5)] = (sizes[ownerOf(name, 5)] ?? 0) + 1;
    // 400 each; the names are fixed, so this is no chance.
    for (const size of sizes) {
      expect(size).toBeGreaterThan(340);
      expect(size).toBeLessThan(460);
    }
  });

  it.each([1, 2, 4, 9])('and one more than %i takes its share, and moves nothing else', (count) => {
    const moved = names.filter((name) => ownerOf(name, count) !== ownerOf(name, count + 1));
    expect(moved.every((name) => ownerOf(name, count + 1) === count)).toBe(true);
    const share = names.length / (count + 1);
    expect(Math.abs(moved.length - share)).toBeLessThan(0.15 * share);
  });

  it('as by every version before', () => {
    expect(names.slice(0, 12).map((name) => ownerOf(name, 4))).toEqual([1, 3, 2, 3, 3, 0, 1, 2, 3, 2, 0, 0]);
  });
});
