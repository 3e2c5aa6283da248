import { duplexPair } from 'node:stream';
import { afterEach, expect, it, vi } from 'vitest';
import { socketLike } from '../src/hosts/ssh-http.ts';

afterEach(() => vi.useRealTimers());

it('notices silence on a stream that is no socket', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const [near, far] = duplexPair();
  far.resume();
  const stream = socketLike(near) as typeof near & { setTimeout(ms: number, told?: () => void): unknown };
  const told: string[] = [];
  stream.setTimeout(100, () => told.push('silence'));
  // What comes, and what goes, begins it anew.
  for (const one of [stream, far, stream, far]) {
    await new Promise<void>((resolve) => one.write('x', () => resolve()));
    vi.advanceTimersByTime(99);
  }
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual(['silence']);
  stream.destroy();
  far.destroy();
});
