import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rateOf, rateOfBytes, sizeOf } from './rates.ts';

/** iproute2 until 3.12. */
function rounded(bytes: number, iec: boolean): string {
  const bits = bytes * 8;
  if (iec) {
    if (bits >= 1000 * 1024 * 1024) return `${bits}Mibit`;
    return bits >= 1000 * 1024 ? `${(bits / 1024).toFixed(0)}Kibit` : `${bits}bit`;
  }
  if (bits >= 1e9) return `${(bits / 1e6).toFixed(0)}Mbit`;
  return bits >= 1e6 ? `${(bits / 1e3).toFixed(0)}Kbit` : `${bits}bit`;
}

/** iproute2 from 3.14 on. */
function truncated(bytes: number, iec: boolean): string {
  const kilo = iec ? 1024 : 1000;
  let rate = bytes * 8;
  let unit = 0;
  while (unit < 4 && rate >= kilo && (rate % kilo === 0 || rate >= 1000 * kilo)) {
    rate = Math.floor(rate / kilo);
    unit += 1;
  }
  return `${rate}${['', 'K', 'M', 'G', 'T'][unit]}${iec && unit > 0 ? 'i' : ''}bit`;
}

const bytesPerSecond = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 44 }),
  fc.integer({ min: 0, max: 2 ** 22 }),
  // Just above what a larger unit shows without a remainder.
  fc
    .tuple(fc.integer({ min: 1, max: 999 }), fc.constantFrom(125e3, 125e6, 125e9, 2 ** 27), fc.nat(200_000))
    .map(([n, unit, more]) => n * unit + more),
  fc
    .integer({ min: 1, max: 999 })
    .chain((n) => fc.constantFrom(125, 125e3, 125e6, 128, 2 ** 17).map((unit) => n * unit)),
);

describe('rates', () => {
  test.each([rounded, truncated])('whatever %o prints stands for the rate that it was', (print) => {
    fc.assert(
      fc.property(bytesPerSecond, fc.boolean(), (bytes, iec) => {
        const text = print(bytes, iec);
        const rate = rateOf(text);
        if (rate === undefined) throw new Error(text);
        expect(rate.atLeastBitsPerSecond, text).toBeLessThanOrEqual(bytes * 8);
        expect(rate.atMostBitsPerSecond, text).toBeGreaterThanOrEqual(bytes * 8);
        if (rate.exact) expect(rate.bitsPerSecond, text).toBe(bytes * 8);
        if (rate.atMostBitsPerSecond !== Number.POSITIVE_INFINITY) {
          expect(rate.atMostBitsPerSecond - rate.atLeastBitsPerSecond, text).toBeLessThanOrEqual(bytes * 0.016);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['0bit', 0, 0, 0],
    ['8bit', 8, 8, 8],
    ['12Kbit', 12e3, 12e3, 12e3],
    ['12000bit', 12e3, 12e3, 12e3],
    ['12000ibit', 12e3, 12e3, 12e3],
    ['614400Kbit', 614_400_000, 614_399_504, 614_400_992],
    ['1500Kbit', 1_500_000, 1_499_504, 1_500_992],
    ['1235Kbit', 1_235_000, 1_234_504, 1_235_992],
    ['10Gbit', 10e9, 10e9, 10e9 + 1e6 - 8],
    ['10000Mbit', 10e9, 9_999_500_000, 10_000_500_000],
    ['2Mibit', 2_097_152, 2_097_152, 2_097_152 + 1016],
    ['10000000000Mibit', 10e9, 10e9, 10e9],
    ['2048bps', 16_384, 16_384, 16_384],
    ['1mbit', 1e6, 1e6, 1_000_992],
  ])('%s', (text, said, least, most) => {
    expect(rateOf(text)).toEqual({
      bitsPerSecond: said,
      exact: least === most,
      atLeastBitsPerSecond: least,
      atMostBitsPerSecond: most,
    });
  });

  test.each(['34360Mbit', '34359Mbit', '34359738360Mibit', '32767Mibit'])('%s may be any larger one', (text) => {
    expect(rateOf(text)).toMatchObject({ exact: false, atMostBitsPerSecond: Number.POSITIVE_INFINITY });
  });

  test.each([
    undefined,
    '',
    'bit',
    '8',
    '8bits',
    '-8bit',
    '+8bit',
    '1.5Mbit',
    '0x8bit',
    '8 bit',
    '٨bit',
    '8Pbit',
    '99999999999999999999Tbit',
  ])('%j is none', (text) => expect(rateOf(text)).toBeUndefined());

  test('the kernel’s own are exact, but for 32 full bits and what no number can hold', () => {
    expect(rateOfBytes(154_320, false)).toMatchObject({ bitsPerSecond: 1_234_560, exact: true });
    expect(rateOfBytes(4294967295, true)).toMatchObject({ bitsPerSecond: 34_359_738_360, exact: true });
    expect(rateOfBytes(4294967295, false)).toMatchObject({
      exact: false,
      atMostBitsPerSecond: Number.POSITIVE_INFINITY,
    });
    const large = rateOfBytes(2n ** 64n - 1n, true);
    expect(large.exact).toBe(false);
    expect(BigInt(large.atLeastBitsPerSecond)).toBeLessThanOrEqual((2n ** 64n - 1n) * 8n);
    expect(BigInt(large.atMostBitsPerSecond)).toBeGreaterThanOrEqual((2n ** 64n - 1n) * 8n);
  });
});

test.each([
  ['0b', 0],
  ['7000b', 7000],
  ['12Kb', 12_288],
  ['1.5Kb', 1536],
  ['1e+06Kb', 1_024_000_000],
  ['3Mb', 3_145_728],
  ['7', 7],
  ['', undefined],
  ['b', undefined],
  ['-1b', undefined],
  ['1,5Kb', undefined],
  ['1.3b', undefined],
  ['999999999999999b', undefined],
  [undefined, undefined],
])('size %j is %j bytes', (text, bytes) => {
  expect(sizeOf(text)).toBe(bytes);
});
