/** Points → Carbon's plaintext lines: `name value seconds\n`. Pure. The grammar: "Feeding in Your Data" of Graphite. */
import { tagged } from '../naming.ts';
import type { Point } from '../point.ts';
import type { CarbonSinkOptions } from './carbon-options.ts';
import { decimal } from './lines.ts';

export type CarbonStyle = Pick<CarbonSinkOptions, 'tags' | 'counters'>;

/** What one point is in Carbon: a line without its end, nothing (no value to tell), or what is wrong with it. */
export type CarbonLine = { readonly line: string } | 'none' | 'invalid' | 'oversize';

/** Carbon closes a connection on which a line is longer than 16,384 bytes (Twisted's LineOnlyReceiver). */
const MAX_LINE = 4096;
/** A blank would end the name, and a newline the line. */
const UNSAFE = /[^!-~]/;

/**
 * A final 0 is none of Carbon's: it keeps no gauge alive, so a series that is over just ends. A counter without total,
 * or without increment where rates are wanted, is unknown: nothing is sent.
 */
export function carbonLine(point: Point, seconds: number, { tags, counters }: CarbonStyle): CarbonLine {
  if (point.ends === true || point.taggedOnly === true) return 'none';
  const isRate = counters === 'rates' && point.metric.kind === 'counter';
  const value = isRate ? ratePerSecond(point) : shown(point);
  if (value === undefined) return 'none';
  const end = isRate ? '_per_second' : '';
  const { base, path, metric, labels } = point;
  // A name must never carry another unit than its number.
  const named = isRate && tags === 'graphite' ? { ...metric, name: metric.name + end } : metric;
  const name = tags === 'graphite' ? tagged(base, named, labels, 'graphite').name : path + end;
  if (UNSAFE.test(name)) return 'invalid';
  const line = `${name} ${value} ${seconds}`;
  return line.length > MAX_LINE ? 'oversize' : { line };
}

function shown({ metric, value, total }: Point): string | undefined {
  const number = metric.kind === 'counter' ? total : value;
  if (typeof number === 'bigint') return number.toString();
  return number === undefined || !Number.isFinite(number) ? undefined : decimal(number);
}

function ratePerSecond({ value, elapsedSeconds }: Point): string | undefined {
  if (value === undefined || elapsedSeconds === undefined) return undefined;
  const rate = value / elapsedSeconds;
  return Number.isFinite(rate) ? decimal(rate) : undefined;
}
