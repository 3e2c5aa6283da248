/** Durations and sizes as operators write them: a number and its unit, never a bare number. */

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

export const DURATION_FORM = 'a duration with its unit (250ms, 10s, 5m, 1h, 1d)';
export const SIZE_FORM = 'a size with its unit (512B, 64KiB, 64MiB, 1GiB)';
/** For the JSON schema that editors use. */
export const DURATION_PATTERN = /^[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d)$/;
export const SIZE_PATTERN = /^[0-9]+(?:\.[0-9]+)?(?:B|KiB|MiB|GiB)$/;

/** `10s` → 10000 (milliseconds), or undefined. */
export function durationMs(text: string): number | undefined {
  return DURATION_PATTERN.test(text) ? scaled(text, DURATION_MS) : undefined;
}

/** `64KiB` → 65536 (bytes), or undefined. */
export function sizeBytes(text: string): number | undefined {
  return SIZE_PATTERN.test(text) ? scaled(text, SIZE_BYTES) : undefined;
}

function scaled(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const number = Number.parseFloat(text);
  const factor = units[text.replace(/^[0-9.]+/, '')];
  const value = factor === undefined ? Number.NaN : Math.round(number * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}
