/**
 * Rates and sizes as tc(8) prints them (sprint_rate, print_rate and sprint_size of iproute2). Pure.
 *
 * Rates are bits per second, `K M G T` by 1000 and `Ki Mi Gi Ti` by 1024. Until 3.12 they were rounded to a unit that
 * left at least four digits; from 3.14 on they are truncated, one unit after the other, while a division leaves no
 * remainder or the number has seven digits. Sizes are bytes; their `K` and `M` are 1024 and 1024².
 */
import { MAX_U32, type Rate } from './record.ts';

const SIZE = /^([0-9]{1,12}(?:\.[0-9]{1,9})?(?:e\+?[0-9]{1,2})?)([kmg]?)b?$/i;
const PREFIXES = ['', 'k', 'm', 'g', 't'];

interface Unit {
  readonly base: number;
  readonly power: number;
  /** 8 where the unit is bytes per second, which tc takes and, in hand-made texts, prints. */
  readonly bits: number;
}
const UNITS: ReadonlyMap<string, Unit> = new Map(
  PREFIXES.flatMap((prefix, power) =>
    [1000, 1024].flatMap((base): [string, Unit][] => [
      [`${prefix}${base === 1000 ? '' : 'i'}bit`, { base, power, bits: 1 }],
      [`${prefix}${base === 1000 ? '' : 'i'}bps`, { base, power, bits: 8 }],
    ]),
  ),
);
/** The kernel counts bytes per second, so every real rate is a multiple of 8 bits. */
const GRAIN = 8;
/** What 32 bits hold of bytes per second: kernels before 3.13 show every larger rate so. */
const FULL = MAX_U32 * 8;

/** An exact rate from the kernel's bytes per second. */
export function rateOfBytes(bytesPerSecond: number | bigint, wide: boolean): Rate {
  const bits = Number(bytesPerSecond) * 8;
  if (bits === FULL && !wide) return between(bits, bits, Number.POSITIVE_INFINITY);
  if (bits > Number.MAX_SAFE_INTEGER) return between(bits, bits * (1 - 2 ** -52), bits * (1 + 2 ** -52));
  return { bitsPerSecond: bits, exact: true, atLeastBitsPerSecond: bits, atMostBitsPerSecond: bits };
}

/** A rate's text (`1500Kbit`), or undefined when it is none. */
export function rateOf(text: string | undefined): Rate | undefined {
  if (text === undefined) return undefined;
  let digits = 0;
  while (isDigit(text.charCodeAt(digits))) digits += 1;
  const unit = digits === 0 || digits > 20 ? undefined : UNITS.get(text.slice(digits).toLowerCase());
  if (unit === undefined) return undefined;
  const number = Number(text.slice(0, digits));
  if (!Number.isSafeInteger(number)) return undefined;
  const { base, power, bits } = unit;
  // Until 3.12, `-iec` printed bits and called them Mibit; a real Mibit never has so many digits.
  if (base === 1024 && power === 2 && number >= 1000 * 2 ** 20) return withFull(between(number, number, number));
  const said = number * base ** power * bits;
  // 64 bits of bytes per second.
  if (said > 2 ** 67) return undefined;
  const [least, most] = bounds(number, power, base);
  return withFull(between(said, least * bits, most * bits));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** The smallest and the largest rate of which `number` with a unit of `base ** power` is the text. */
function bounds(number: number, power: number, base: number): readonly [least: number, most: number] {
  // Less than four digits: only 3.14 and later print that.
  if (power === 0 || number < 1000) return truncated(number, power, base);
  const scale = base ** power;
  const [least, most] = [(number - 0.5) * scale, (number + 0.5) * scale];
  // Truncation would have gone on to the next unit, so this was rounded.
  const goesOn = power < 4 && (number % base === 0 || number >= 1000 * base);
  return [least, goesOn ? most : truncated(number, power, base)[1]];
}

/** Less than four digits come from a division without remainder. */
function truncated(number: number, power: number, base: number): readonly [least: number, most: number] {
  if (power === 0) return [number, number];
  if (number < 1000) return truncated(number * base, power - 1, base);
  return [number * base ** power, (number + 1) * base ** power - 1];
}

function between(said: number, least: number, most: number): Rate {
  const atLeastBitsPerSecond = least === said ? said : Math.ceil(least / GRAIN) * GRAIN;
  const atMostBitsPerSecond = most === said ? said : Math.floor(most / GRAIN) * GRAIN;
  const exact = atLeastBitsPerSecond === said && atMostBitsPerSecond === said;
  return { bitsPerSecond: said, exact, atLeastBitsPerSecond, atMostBitsPerSecond };
}

/** Where the text may stand for 32 full bits, the rate may be any above it. */
function withFull(rate: Rate): Rate {
  if (FULL < rate.atLeastBitsPerSecond || FULL > rate.atMostBitsPerSecond) return rate;
  return { ...rate, exact: false, atMostBitsPerSecond: Number.POSITIVE_INFINITY };
}

/** A size's text (`7000b`, `100Kb`) in bytes, or undefined when it is none. */
export function sizeOf(text: string | undefined): number | undefined {
  const match = text === undefined ? null : SIZE.exec(text);
  if (match === null) return undefined;
  const bytes = Number(match[1]) * 1024 ** PREFIXES.indexOf((match[2] ?? '').toLowerCase());
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
