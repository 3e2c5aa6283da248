import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { cronFault, cronIntervalMs, nextMatches, splayFraction, startTicking, type When } from '../src/schedule.ts';
import { fakeClock } from './support/fake-clock.ts';

const START = Date.UTC(2026, 0, 1, 12, 0, 3);

function ticking(
  when: When,
  overrides: { run?: () => Promise<void>; key?: string; splayMs?: number; firstWithinMs?: number } = {},
) {
  const clock = fakeClock(START);
  const ticks: { wall: number; monotonic: number }[] = [];
  let skipped = 0;
  const ticker = startTicking({
    when,
    splayKey: overrides.key ?? 'node job',
    splayMs: overrides.splayMs ?? ('everyMs' in when ? when.everyMs : 0),
    firstWithinMs: overrides.firstWithinMs,
    clock,
    run: () => {
      ticks.push({ wall: clock.wallMs(), monotonic: clock.monotonicMs() });
      return overrides.run?.() ?? Promise.resolve();
    },
    onSkipped: (count) => {
      skipped += count;
    },
  });
  return { clock, ticks, ticker, skipped: () => skipped, gaps: () => gapsOf(ticks.map((tick) => tick.monotonic)) };
}

function gapsOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => Math.round(time - (times[index] ?? 0)));
}

describe('every', () => {
  it('runs at once, again within half an interval, then at a fixed phase without drift', async () => {
    const { clock, ticks, gaps } = ticking({ everyMs: 10_000 });
    await clock.advance(1000);
    expect(ticks).toHaveLength(1);
    await clock.advance(10_000);
    expect(ticks.length).toBeGreaterThanOrEqual(2);
    await clock.advance(600_000);
    expect(new Set(gaps().slice(2))).toEqual(new Set([10_000]));
    const phase = (ticks.at(-1)?.wall ?? 0) % 10_000;
    expect(phase).toBeCloseTo(splayFraction('node job') * 10_000, 0);
    expect(Math.max(...gaps().slice(0, 2))).toBeLessThanOrEqual(10_000);
  });

  it('gives counters their second reading within half an interval and a second, for any splay', async () => {
    for (let key = 0; key < 200; key++) {
      const { clock, ticks, ticker } = ticking({ everyMs: 10_000 }, { key: `node${key} tcp` });
      await clock.advance(6501);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      ticker.stop();
    }
  });

  it('spreads the first runs too where that is asked for, and then keeps to the same phase', async () => {
    const firsts: number[] = [];
    for (let key = 0; key < 100; key++) {
      const { clock, ticks, ticker, gaps } = ticking({ everyMs: 30_000 }, { key: `hv${key}`, firstWithinMs: 30_000 });
      await clock.advance(30_001);
      firsts.push(ticks[0]?.monotonic ?? Number.NaN);
      await clock.advance(120_000);
      expect(new Set(gaps().slice(2))).toEqual(new Set([30_000]));
      expect(Math.max(...gaps())).toBeLessThanOrEqual(30_000);
      ticker.stop();
    }
    const thirds = [0, 1, 2].map((third) => firsts.filter((ms) => Math.floor(ms / 10_000.1) === third).length);
    for (const count of thirds) expect(count).toBeGreaterThan(20);
  });

  it('spreads names over the interval, and a name always comes to the same place', () => {
    const fractions = Array.from({ length: 1000 }, (_, index) => splayFraction(`hv${index} rabbitmq`));
    const quarters = [0, 1, 2, 3].map((quarter) => fractions.filter((f) => Math.floor(f * 4) === quarter).length);
    for (const count of quarters) expect(count).toBeGreaterThan(180);
    expect(splayFraction('hv1 rabbitmq')).toBe(fractions[1]);
  });

  it('never overlaps: a tick that finds a run under way is skipped and counted', async () => {
    let finish = (): void => {};
    let running = 0;
    let most = 0;
    const { clock, ticks, ticker, skipped } = ticking(
      { everyMs: 1000 },
      {
        run: () =>
          new Promise((resolve) => {
            running += 1;
            most = Math.max(most, running);
            finish = () => {
              running -= 1;
              resolve();
            };
          }),
      },
    );
    await clock.advance(10_000);
    expect(ticks).toHaveLength(1);
    expect(skipped()).toBeGreaterThanOrEqual(9);
    expect(ticker.runningMs()).toBeGreaterThan(9000);
    finish();
    await clock.advance(1000);
    expect(ticks).toHaveLength(2);
    expect(most).toBe(1);
  });

  it.each([86_400_000, -86_400_000, 3_600_000, -20_000, 1500])(
    'is not disturbed by a wall clock that jumps %i ms',
    async (jump) => {
      const { clock, ticks, gaps, skipped } = ticking({ everyMs: 10_000 });
      await clock.advance(35_000);
      clock.jumpWall(jump);
      const before = ticks.length;
      await clock.advance(60_000);
      expect(ticks.length - before).toBe(6);
      expect(Math.max(...gaps())).toBeLessThanOrEqual(10_000);
      expect(skipped()).toBe(0);
    },
  );

  it('counts the ticks that passed while the process stood still, and sends no burst', async () => {
    const { clock, ticks, skipped } = ticking({ everyMs: 1000 });
    await clock.advance(5000);
    const before = ticks.length;
    const late = clock.after;
    // A process that stands still calls its timers late: 7.5 s at once.
    clock.after = (delayMs, call) => late(delayMs + 7500, call);
    await clock.advance(1000);
    clock.after = late;
    await clock.advance(9000);
    const expected = 10;
    expect(ticks.length - before + skipped()).toBeGreaterThanOrEqual(expected - 1);
    expect(skipped()).toBeGreaterThanOrEqual(6);
    expect(Math.min(...gapsOf(ticks.slice(before).map((tick) => tick.monotonic)))).toBeGreaterThan(0);
  });

  it('stops: no timer is left, and idle resolves when the run under way has ended', async () => {
    let finish = (): void => {};
    const { clock, ticker } = ticking({ everyMs: 1000 }, { run: () => new Promise((resolve) => (finish = resolve)) });
    await clock.advance(1000);
    ticker.stop();
    let idle = false;
    const waiting = ticker.idle().then(() => (idle = true));
    await clock.advance(5000);
    expect([idle, clock.timers, ticker.running]).toEqual([false, 0, true]);
    finish();
    await waiting;
    expect(ticker.running).toBe(false);
  });
});

describe('cron', () => {
  afterEach(() => vi.useRealTimers());

  it('knows what is wrong with an expression', () => {
    expect(cronFault('*/10 * * * * *')).toBeUndefined();
    expect(cronFault('0 3 * * *')).toBeUndefined();
    expect(cronFault('* * * *')).toContain('fields');
    expect(cronFault('61 * * * * *')).toContain('second');
    expect(cronFault('0 0 31 2 *')).toContain('impossible');
    expect(cronFault('constructor')).toBeDefined();
  });

  it('matches in UTC, whatever the zone of the process', () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 9, 25, 0, 30) });
    // 01:00 UTC on 2026-10-25 is when Europe falls back: local cron is silent for an hour there.
    expect(nextMatches('*/15 * * * *', 4).map((ms) => new Date(ms).toISOString().slice(11, 16))).toEqual([
      '00:45',
      '01:00',
      '01:15',
      '01:30',
    ]);
    expect(cronIntervalMs('*/10 * * * * *')).toBe(10_000);
  });

  it.each([0, 3000, 7000, 15_000, 59_000])('gives an irregular expression one interval, asked after %i ms', (ms) => {
    vi.useFakeTimers({ now: START + ms });
    expect(cronIntervalMs('0,10 * * * * *')).toBe(10_000);
    expect(cronIntervalMs('0 0 3,4 * * *')).toBe(3_600_000);
  });

  const cronTicks = (expression: string, splayMs = 0) => {
    vi.useFakeTimers({ now: START });
    let stallMs = 0;
    const ticks: number[] = [];
    let skipped = 0;
    const ticker = startTicking({
      when: { cron: expression },
      splayKey: 'x',
      splayMs,
      // A process that stands still calls its timers late.
      clock: { ...systemClock, after: (delayMs, call) => systemClock.after(delayMs + stallMs, call) },
      run: async () => void ticks.push(performance.now()),
      onSkipped: (count) => {
        skipped += count;
      },
    });
    /** Stands still for a time at the next match, and goes on for another. */
    const stall = async (ms: number, thenMs: number): Promise<void> => {
      await vi.advanceTimersByTimeAsync(34_000);
      // The timer of 12:00:40 is armed: the one of 12:00:50 is late.
      stallMs = ms;
      await vi.advanceTimersByTimeAsync(10_000);
      stallMs = 0;
      await vi.advanceTimersByTimeAsync(ms + thenMs);
    };
    return { ticks, ticker, stall, skipped: () => skipped };
  };

  it.each([
    [500, 0],
    [9500, 0],
    [10_500, 1],
    [35_000, 3],
    [600_500, 60],
  ])('counts the matches that passed while the process stood still for %i ms: %i', async (ms, passed) => {
    const { ticks, ticker, stall, skipped } = cronTicks('*/10 * * * * *');
    await stall(ms, 40_000);
    ticker.stop();
    expect(skipped()).toBe(passed);
    // Nothing is lost uncounted: the first match was 7 s after the start.
    expect(ticks.length + skipped()).toBe(Math.floor((34_000 + 10_000 + ms + 40_000 - 7000) / 10_000) + 1);
  });

  it('counts what a splay lets it miss too', async () => {
    const { ticks, ticker, stall, skipped } = cronTicks('*/10 * * * * *', 9000);
    const offsetMs = splayFraction('x') * 9000;
    await stall(25_000, 60_000);
    ticker.stop();
    const matches = Math.floor((34_000 + 10_000 + 25_000 + 60_000 - 7000 - offsetMs) / 10_000) + 1;
    expect(ticks.length + skipped()).toBe(matches);
    expect(skipped()).toBeGreaterThanOrEqual(2);
  });

  it('ticks at each match, once', async () => {
    const { ticks, ticker } = cronTicks('*/10 * * * * *');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ticks).toHaveLength(6);
    expect(new Set(gapsOf(ticks))).toEqual(new Set([10_000]));
    ticker.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([86_400_000, -86_400_000, -20_000, 7000])(
    'goes on after a wall clock jump of %i ms, within one interval and without a burst',
    async (jump) => {
      const { ticks, ticker, skipped } = cronTicks('*/10 * * * * *');
      await vi.advanceTimersByTimeAsync(34_000);
      vi.setSystemTime(Date.now() + jump);
      const before = ticks.length;
      await vi.advanceTimersByTimeAsync(60_000);
      ticker.stop();
      expect(ticks.length - before).toBeGreaterThanOrEqual(5);
      expect(ticks.length - before).toBeLessThanOrEqual(8);
      expect(Math.max(...gapsOf(ticks))).toBeLessThanOrEqual(10_000);
      expect(skipped()).toBe(0);
    },
  );

  it('notices within a minute that the clock was set past a rare match, and runs once', async () => {
    const { ticks, ticker } = cronTicks('0 0 3 * * *');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(ticks).toHaveLength(0);
    vi.setSystemTime(Date.UTC(2026, 0, 3, 4));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ticks).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(ticks).toHaveLength(1);
    ticker.stop();
  });
});
