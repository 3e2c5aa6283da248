import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationMs, sizeBytes } from '../src/units.ts';

describe('durationMs', () => {
  it.each([
    ['250ms', 250],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['1.5s', 1500],
    ['0.1s', 100],
    ['0s', 0],
    ['0.4ms', 0],
    ['007s', 7000],
  ])('%s is %d ms', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each([
    ['10'],
    [''],
    ['s'],
    ['-1s'],
    ['+1s'],
    ['1 s'],
    [' 1s'],
    ['1s '],
    ['1s\n'],
    ['1S'],
    ['1M'],
    ['1sec'],
    ['1m30s'],
    ['.5s'],
    ['1.s'],
    ['1e3s'],
    ['0x10s'],
    ['1,5s'],
    ['Infinitys'],
    ['104249992d'],
    [`${'9'.repeat(400)}s`],
  ])('%j is none', (text) => {
    expect(durationMs(text)).toBeUndefined();
  });
});

describe('sizeBytes', () => {
  it.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['64MiB', 67_108_864],
    ['1GiB', 1_073_741_824],
    ['1.5KiB', 1536],
    ['0B', 0],
  ])('%s is %d bytes', (text, bytes) => {
    expect(sizeBytes(text)).toBe(bytes);
  });

  it.each([['64'], ['64KB'], ['64kib'], ['64K'], ['1TiB'], ['-1B'], ['1 MiB'], [''], ['8388608GiB']])(
    '%j is none',
    (text) => {
      expect(sizeBytes(text)).toBeUndefined();
    },
  );
});

describe('both', () => {
  it('give whole numbers that are exact, or nothing, for any text', () => {
    const number = fc.oneof(fc.nat().map(String), fc.double({ noNaN: true, min: 0 }).map(String));
    const unit = fc.constantFrom('ms', 's', 'm', 'h', 'd', 'B', 'KiB', 'MiB', 'GiB', '', 'x');
    fc.assert(
      fc.property(number, unit, (digits, name) => {
        for (const value of [durationMs(digits + name), sizeBytes(digits + name)]) {
          if (value !== undefined) expect(Number.isSafeInteger(value) && value >= 0).toBe(true);
        }
        // A text is never both: no unit of time is a unit of size.
        expect([durationMs(digits + name), sizeBytes(digits + name)]).toContain(undefined);
      }),
    );
    fc.assert(
      fc.property(fc.nat(), (seconds) => {
        expect(durationMs(`${seconds}s`)).toBe(seconds * 1000);
      }),
    );
  });
});
