import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Moment, whenFault, whenOf } from '../src/events/when.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0) * 1000;
const at = (us: number): Moment => ({ whenUs: us, isRelative: false });
const before = (us: number): Moment => ({ whenUs: NOW - us, isRelative: true });

describe('a time', () => {
  it.each([
    [1_700_000_000, at(1_700_000_000e6)],
    [1_700_000_000.5, at(1_700_000_000_500_000)],
    [1_700_000_000.123456, at(1_700_000_000_123_456)],
    [0, at(0)],
    ['1700000000', at(1_700_000_000e6)],
    [' 1700000000.25 ', at(1_700_000_000_250_000)],
    ['2023-11-14T22:13:20Z', at(1_700_000_000e6)],
    ['2023-11-14 22:13:20z', at(1_700_000_000e6)],
    ['2023-11-14T22:13Z', at(1_699_999_980e6)],
    ['2023-11-14T23:13:20+01:00', at(1_700_000_000e6)],
    ['2023-11-14T23:13:20+0100', at(1_700_000_000e6)],
    ['2023-11-14T23:13:20 +01', at(1_700_000_000e6)],
    ['2023-11-14T16:43:20.000007-05:30', at(1_700_000_000_000_007)],
    ['2023-11-14T22:13:20,1234569Z', at(1_700_000_000_123_456)],
    ['2024-02-29T00:00:00Z', at(1_709_164_800e6)],
    ['now', { whenUs: NOW, isRelative: true }],
    ['-90m', before(5400e6)],
    ['-1.5h', before(5400e6)],
    ['-250ms', before(250e3)],
    ['-2d', before(172_800e6)],
    ['-1w', before(604_800e6)],
  ])('%j is understood', (value, moment) => {
    expect(whenOf(value, NOW)).toEqual(moment);
  });

  it.each([
    [Number.NaN, 'is NaN; expected seconds since the epoch (1700000000.5), ISO 8601'],
    [Number.POSITIVE_INFINITY, 'is Infinity; expected'],
    [-5400, 'is -5400, which is before 1970; expected'],
    ['-90', 'a time ago has its unit: -90m'],
    [
      1_700_000_000_123,
      'is 1700000000123, which looks like milliseconds; expected seconds: did you mean 1700000000.123?',
    ],
    ['1700000000123', 'did you mean 1700000000.123?'],
    [1.7e15, 'looks like microseconds; expected seconds: did you mean 1700000000?'],
    [1.7e18, 'looks like nanoseconds; expected seconds: did you mean 1700000000?'],
    [1e30, 'is 1e+30; expected'],
    ['', 'is ""; expected'],
    ['NaN', 'is "NaN"; expected'],
    ['yesterday', 'is "yesterday"; expected'],
    ['+90m', 'is "+90m"; expected'],
    ['-90 m', 'is "-90 m"; expected'],
    ['0x10', 'is "0x10"; expected'],
    ['2026-11-21', 'is "2026-11-21", a day; expected its time and zone too: 2026-11-21T10:00:00Z'],
    [
      '2026-11-21T10:00:00',
      'without a zone; did you mean "2026-11-21T10:00:00Z" (UTC), or "2026-11-21T10:00:00+01:00"?',
    ],
    ['2026-02-29T10:00:00Z', 'which no calendar and clock has'],
    ['2026-11-21T24:00:00Z', 'which no calendar and clock has'],
    ['2026-11-21T10:00:60Z', 'which no calendar and clock has'],
    ['2026-13-01T10:00:00Z', 'which no calendar and clock has'],
    ['2026-11-21T10:00:00+15:00', 'which no calendar and clock has'],
    ['2026-11-21T10:00:00 CET', 'is "2026-11-21T10:00:00 CET"; expected'],
    ['x'.repeat(1000), 'is a text of 1000 characters; expected'],
    ['1\n2', 'is "1\\u000a2"; expected'],
  ])('%.40j is refused with what was probably meant', (value, message) => {
    expect(whenOf(value, NOW)).toContain(message);
  });

  it('as ISO 8601 is that of every microsecond, in every zone', () => {
    const us = fc.integer({ min: 0, max: 4e15 });
    const zone = fc.integer({ min: -14 * 60, max: 14 * 60 });
    fc.assert(
      fc.property(us, zone, (whenUs, minutes) => {
        const local = new Date(Math.floor(whenUs / 1e6) * 1000 + minutes * 60_000);
        fc.pre(local.getTime() >= 0);
        const two = (number: number): string => String(number).padStart(2, '0');
        const offset = `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
        const text = `${local.toISOString().slice(0, 19)}.${String(whenUs % 1e6).padStart(6, '0')}${offset}`;
        expect(whenOf(text, NOW)).toEqual(at(whenUs));
      }),
    );
  });

  it('as seconds keeps its microseconds, as a number and as text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e15 }), (whenUs) => {
        expect(whenOf(whenUs / 1e6, NOW)).toEqual(at(whenUs));
        expect(whenOf((whenUs / 1e6).toFixed(6), NOW)).toEqual(at(whenUs));
      }),
    );
  });

  it('of any text or number is a time in whole microseconds, or one line that says what is wrong', () => {
    const any = fc.oneof(fc.string(), fc.double(), fc.stringMatching(/^[-+0-9.:TZ]{1,30}$/));
    fc.assert(
      fc.property(any, (value) => {
        const moment = whenOf(value, NOW);
        if (typeof moment === 'string') expect(moment).toMatch(/^is [^\n]+$/);
        else expect(Number.isInteger(moment.whenUs)).toBe(true);
      }),
    );
  });
});

describe('a time that is understood', () => {
  it('is neither before 1970 nor more than a day ahead', () => {
    expect(whenFault(0, NOW)).toBeUndefined();
    expect(whenFault(NOW + 86_400e6, NOW)).toBeUndefined();
    expect(whenFault(NOW + 86_400e6 + 1, NOW)).toContain('is 24 hours in the future (2026-11-22T12:00:00.000Z)');
    expect(whenFault(NOW + 3 * 86_400e6, NOW)).toBe(
      'is 3 days in the future (2026-11-24T12:00:00.000Z); expected at most a day; 1795262400 is now',
    );
    expect(whenFault(Date.UTC(9999, 0, 1) * 1000, NOW)).toMatch(/^is 7972 years in the future \(9999-01-01T/);
    expect(whenFault(-1, NOW)).toMatch(/^is before 1970/);
    expect(whenFault(-1e30, NOW)).toMatch(/^is before 1970 \(-1e\+24 s\)/);
  });
});
