import { describe, expect, it } from 'vitest';
import { costOf, createPace, SHARE, SLOT_MS, type Waiting } from '../src/sinks/pace.ts';

/** Sends batches through the pace on a clock of its own; answers when each datagram went. */
function simulate(datagrams: number, bytes: number, intervalMs: number, burst = 20): number[] {
  const pace = createPace(burst, bytes);
  const batch: Waiting = { dueAtMs: SHARE * intervalMs, cost: datagrams * costOf(bytes) };
  const sent: number[] = [];
  let nowMs = 0;
  while (sent.length < datagrams) {
    const waitMs = pace.take(bytes, [batch], nowMs);
    if (waitMs > 0) {
      nowMs += waitMs;
      continue;
    }
    sent.push(nowMs);
    batch.cost -= costOf(bytes);
  }
  return sent;
}

/** Most bytes, as the receiver's buffer counts them, within any window as long as one slot. `sent` is sorted. */
function densest(sent: readonly number[], bytes: number): number {
  let most = 0;
  let first = 0;
  for (const [last, at] of sent.entries()) {
    while (at - (sent[first] ?? 0) >= SLOT_MS) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most * costOf(bytes);
}

describe('pace', () => {
  it('lets a small batch go at once', () => {
    expect(simulate(5, 1432, 10_000).at(-1)).toBe(0);
  });

  it('spreads a large batch over a share of its interval, and has it out in time', () => {
    const sent = simulate(2700, 1432, 10_000);
    expect(sent.at(-1)).toBeLessThanOrEqual(5000 + SLOT_MS);
    expect(sent.at(-1)).toBeGreaterThan(1000);
    expect(densest(sent, 1432)).toBeLessThan(20 * costOf(1432));
  });

  it.each([
    [1432, 20_000],
    [8932, 5000],
    [60, 60_000],
  ])('never sends more %i byte datagrams in a slot than the burst allows, however late it is', (bytes, count) => {
    const sent = simulate(count, bytes, 100);
    expect(densest(sent, bytes)).toBeLessThanOrEqual(20 * costOf(Math.min(bytes, 1432)) + costOf(bytes));
  });

  it('sends one datagram that is larger than the whole burst, and then waits', () => {
    const sent = simulate(3, 65_507, 10_000, 1);
    expect(new Set(sent).size).toBe(3);
  });
});
