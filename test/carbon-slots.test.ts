import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSlots } from '../src/sinks/carbon-slots.ts';

const STEP = 10_000;
/** On the border of a slot of ten seconds, and of ten minutes. */
const EPOCH = 1_699_999_200_000;

/** The slots of runs that began at these times, counted from the epoch above. */
function slotsOf(atMs: readonly number[], intervalMs = STEP): number[] {
  const slots = createSlots();
  return atMs.map((ms) => (slots.secondsOf('job', EPOCH + ms, intervalMs) * 1000 - EPOCH) / intervalMs);
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);

describe('time stamps of a job', () => {
  it('are multiples of its interval, the last one before the run', () => {
    const slots = createSlots();
    expect(slots.secondsOf('a', 1_700_000_009_999, STEP)).toBe(1_700_000_000);
    expect(slots.secondsOf('b', 1_700_000_010_000, STEP)).toBe(1_700_000_010);
    expect(slots.secondsOf('c', 1_700_000_059_999, 60_000)).toBe(1_700_000_040);
  });

  it('neither skip nor double a slot when runs begin around its border', () => {
    const early = [-3, 2, -1, 4, -2, 0, -4, 1].map((ms, index) => index * STEP + ms);
    expect(slotsOf(early)).toEqual(range(-1, 8));
    const late = [3, -2, 1, -4, 2, 0, 4, -1].map((ms, index) => index * STEP + ms);
    expect(slotsOf(late)).toEqual(range(0, 8));
  });

  it('are one after the other for a jitter of up to 0.4 of the interval, at any phase, once two runs have shown the beat', () => {
    const jitter = fc.array(fc.double({ min: -0.4, max: 0.4, noNaN: true }), { minLength: 3, maxLength: 300 });
    fc.assert(
      fc.property(jitter, fc.double({ min: 0, max: 1, noNaN: true }), (all, phase) => {
        const slots = slotsOf(all.map((each, index) => (index + phase + each) * STEP)).slice(2);
        expect(slots).toEqual(range(slots[0] ?? 0, slots.length));
      }),
    );
  });

  it('are one after the other from the first run for a jitter of an eighth', () => {
    const jitter = fc.array(fc.double({ min: -0.12, max: 0.12, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(jitter, fc.double({ min: 0, max: 1, noNaN: true }), (all, phase) => {
        const slots = slotsOf(all.map((each, index) => (index + phase + each) * STEP));
        expect(slots).toEqual(range(slots[0] ?? 0, slots.length));
      }),
    );
  });

  it('are never more than two intervals from the run, and never go back while the clock does not', () => {
    const gaps = fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(gaps, (all) => {
        let at = 0;
        const times = all.map((gap) => (at += gap));
        const slots = slotsOf(times.map((one) => one * STEP));
        for (const [index, slot] of slots.entries()) {
          expect(Math.abs(slot - (times[index] ?? 0))).toBeLessThanOrEqual(2);
          expect(slot).toBeGreaterThanOrEqual(slots[index - 1] ?? slot);
        }
      }),
    );
  });

  it('leave out as many slots as runs were skipped', () => {
    expect(slotsOf([0.3, 1.3, 2.3, 3.3, 6.3, 7.3, 8.3, 18.3].map((at) => at * STEP))).toEqual([
      0, 1, 2, 3, 6, 7, 8, 18,
    ]);
  });

  it('follow the beat of a job whose first runs come off it', () => {
    // At once, after half an interval, and from then on at the job's offset (schedule.ts).
    expect(slotsOf([0.1, 0.6, 1.45, 2.45, 3.45, 4.45].map((at) => at * STEP))).toEqual([0, 0, 1, 2, 3, 4]);
    expect(slotsOf([0.7, 1.2, 2.02, 3.02, 3.99, 5.01].map((at) => at * STEP))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('follow a clock that is set, forwards and back', () => {
    const forwards = [0.5, 1.5, 2.5, 3.5, 364.2, 365.2, 366.2].map((at) => at * STEP);
    expect(slotsOf(forwards)).toEqual([0, 1, 2, 3, 364, 365, 366]);
    const back = [400.5, 401.5, 402.5, 403.5, 40.2, 41.2, 42.2, 43.2].map((at) => at * STEP);
    expect(slotsOf(back)).toEqual([400, 401, 402, 403, 40, 41, 42, 43]);
    // Three seconds: less than an interval, so it is the next run all the same, and the time is off by as much.
    const little = [0.5, 1.5, 2.5, 3.5, 4.2, 5.2, 6.2, 7.2].map((at) => at * STEP);
    expect(slotsOf(little)).toEqual(range(0, 8));
  });

  it('do not creep away from a clock that is set back a little again and again', () => {
    const times = range(0, 400).map((index) => (index + 0.5 - index * 0.01) * STEP);
    const slots = slotsOf(times);
    for (const [index, slot] of slots.entries()) {
      expect(Math.abs(slot - Math.floor((times[index] ?? 0) / STEP))).toBeLessThanOrEqual(2);
    }
  });

  it('of an irregular cron job are those of its runs, each of its own', () => {
    const minutes = [0, 10, 30, 60, 70, 90, 120, 130, 150];
    expect(
      slotsOf(
        minutes.map((minute) => minute * 60_000),
        600_000,
      ),
    ).toEqual(minutes.map((minute) => minute / 10));
    const slots = slotsOf(
      [0, 7, 20, 60, 67, 80, 120, 127, 140].map((second) => second * 1000 + 3),
      7000,
    );
    expect(new Set(slots).size).toBe(9);
  });

  it('of intervals that are no whole seconds are whole seconds of their own', () => {
    const slots = createSlots();
    const seconds = range(0, 40).map((index) => slots.secondsOf('job', EPOCH + index * 1500 + 700, 1500));
    expect(seconds.every(Number.isInteger)).toBe(true);
    expect(new Set(seconds).size).toBe(40);
  });

  it('of two jobs know nothing of each other', () => {
    const slots = createSlots();
    const both = range(0, 20).flatMap((index) => [
      slots.secondsOf('a', EPOCH + index * STEP, STEP),
      slots.secondsOf('b', EPOCH + index * STEP + 9999, STEP),
    ]);
    expect(both).toEqual(range(0, 20).flatMap((index) => [EPOCH / 1000 + index * 10, EPOCH / 1000 + index * 10]));
  });
});
