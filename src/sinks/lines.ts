/** Points → StatsD lines: `name:value|type`. Pure. The grammar: docs/metric_types.md of StatsD. */
import type { TagStyle } from '../naming.ts';
import { tagged, timerName } from '../naming.ts';
import type { Point } from '../point.ts';

/**
 * The line of one point, or undefined where there is nothing to send (a counter without increment).
 * A negative gauge gives two lines, which must reach the server in one datagram: StatsD takes a signed value as a
 * change, so the gauge is set to 0 first.
 */
export function statsdLine(point: Point, style: TagStyle): string | undefined {
  const { metric, value } = point;
  if (value === undefined || (point.taggedOnly === true && style === 'none')) return undefined;
  let name = point.path;
  let suffix = '';
  if (style !== 'none') ({ name, suffix } = tagged(point.base, metric, point.labels, style));
  switch (metric.kind) {
    case 'counter':
      return `${name}:${decimal(value)}|c${suffix}`;
    case 'duration':
      return `${timerName(name)}:${decimal(Math.max(0, value * 1000))}|ms${suffix}`;
    default:
      if (value < 0) return `${name}:0|g${suffix}\n${name}:${decimal(value)}|g${suffix}`;
      return `${name}:${decimal(value)}|g${suffix}`;
  }
}

/** A text of this length has no more than 12 significant digits, or they cost no more than rounding would. */
const SHORT = 14;

/** A finite number in plain decimal: never an exponent, never `-0`. Fractions have 12 significant digits. */
export function decimal(value: number): string {
  if (Number.isInteger(value)) {
    if (Math.abs(value) < 1e21) return value === 0 ? '0' : String(value);
    return BigInt(value).toString();
  }
  const shortest = String(value);
  const text = shortest.length <= SHORT ? shortest : String(Number(value.toPrecision(12)));
  if (!text.includes('e')) return text;
  // Below 1e-6. What StatsD and Whisper could still tell from 0 has no use for more than 20 places.
  const fixed = value.toFixed(20).replace(/0+$/, '').replace(/\.$/, '');
  return fixed === '-0' ? '0' : fixed;
}
