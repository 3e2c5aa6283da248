/** Units as plugins print them → the base unit that a metric declares. Pure. */
import { quoted } from '../../src/text.ts';

interface Conversion {
  readonly unit: string;
  readonly times?: number;
  /** Instead: dividing by 1000 is exact where multiplying by 0.001 is not. */
  readonly by?: number;
}

const binary = (power: number): Conversion => ({ unit: 'bytes', times: 1024 ** power });

/** Monitoring Plugins guidelines, and those that Icinga knows besides. */
const CONVERSIONS: ReadonlyMap<string, readonly Conversion[]> = new Map<string, readonly Conversion[]>([
  ['s', [{ unit: 'seconds' }]],
  ['ms', [{ unit: 'seconds', by: 1e3 }]],
  ['us', [{ unit: 'seconds', by: 1e6 }]],
  ['µs', [{ unit: 'seconds', by: 1e6 }]],
  ['μs', [{ unit: 'seconds', by: 1e6 }]],
  ['ns', [{ unit: 'seconds', by: 1e9 }]],
  ['%', [{ unit: 'ratio', by: 100 }, { unit: 'percent' }]],
  ['B', [{ unit: 'bytes' }]],
  ['KiB', [binary(1)]],
  ['MiB', [binary(2)]],
  ['GiB', [binary(3)]],
  ['TiB', [binary(4)]],
  ['PiB', [binary(5)]],
  ['C', [{ unit: 'celsius' }]],
  ['°C', [{ unit: 'celsius' }]],
  ['V', [{ unit: 'volts' }]],
  ['A', [{ unit: 'amperes' }]],
  ['W', [{ unit: 'watts' }]],
  ['Hz', [{ unit: 'hertz' }]],
]);
/** 1000 to some, and 1024 to others: check_disk of Monitoring Plugins before 2.3 counts its MB by 1024. */
const DOUBTFUL = ['KB', 'MB', 'GB', 'TB', 'PB'];

/** What a declaration says of units. */
export interface Measured {
  readonly kind: 'gauge' | 'counter';
  readonly unit: string;
  readonly scale?: number | undefined;
  readonly kilo?: number | undefined;
}

/** A number in the declared unit, or why it cannot be one. */
export function converted(value: number | bigint, printed: string, declared: Measured): number | bigint | string {
  const { kind, unit, scale, kilo } = declared;
  if (printed === 'c' && kind !== 'counter') return 'it is a counter (c), and declared as a gauge';
  if (printed === '' || printed === 'c') return scale === undefined ? value : scaled(value, { unit, times: scale });
  if (scale !== undefined) return `it has a unit, ${quoted(printed)}, which "scale" would scale again: remove "scale"`;
  if (printed === '%' && kind === 'counter') return 'it is a percentage, which is no counter';
  if (printed === unit) return value;
  const power = DOUBTFUL.indexOf(printed === 'kB' ? 'KB' : printed) + 1;
  if (power > 0 && kilo === undefined)
    return `it is in ${printed}, of 1000 or of 1024: say "kilo: 1000" or "kilo: 1024"`;
  const conversions = power > 0 ? [{ unit: 'bytes', times: (kilo ?? 1) ** power }] : (CONVERSIONS.get(printed) ?? []);
  const conversion = conversions.find((one) => one.unit === unit);
  if (conversion !== undefined) return scaled(value, conversion);
  const wanted = conversions.map((one) => one.unit).join(' or ');
  const advice = wanted === '' ? 'which is unknown here' : `which makes ${wanted}`;
  return `it is in ${quoted(printed)}, ${advice}, and declared in ${unit}`;
}

function scaled(value: number | bigint, { times = 1, by = 1 }: Conversion): number | bigint | string {
  if (times === 1 && by === 1) return value;
  if (typeof value === 'bigint' && Number.isInteger(times) && by === 1) return value * BigInt(times);
  const result = (Number(value) * times) / by;
  return Number.isFinite(result) ? result : `${value} is too large`;
}
