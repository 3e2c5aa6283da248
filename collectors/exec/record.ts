/** What every format comes to: named values, and what could not be read. Pure. */
import type { Failure } from '../../src/errors.ts';
import { integer } from '../../src/text.ts';

export interface Value {
  /** A label of perfdata, a Graphite path, the name of a metric. */
  readonly name: string;
  readonly value: number | bigint | undefined;
  /** Why there is no number. */
  readonly why?: string;
  /** As it was printed; an empty text: none. */
  readonly unit: string;
  /** Perfdata: the least and the largest value that there can be. */
  readonly min?: number | bigint | undefined;
  readonly max?: number | bigint | undefined;
  /** JSON. */
  readonly labels?: Readonly<Record<string, string | undefined>>;
  readonly kind?: string | undefined;
  /** When it was counted, in milliseconds of the machine's own clock. */
  readonly countedAtMs?: number | undefined;
}

export interface Printed {
  readonly values: readonly Value[];
  readonly problems: readonly Failure[];
}

/** More values than any program has, and few enough to be looked at in one run. */
export const MAX_VALUES = 20_000;

const NUMBER = /^[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?$/;

/** A decimal number that is finite: no `nan`, no `1e400`, no comma, no hexadecimal. Whole ones are exact. */
export function numberIn(text: string): number | bigint | undefined {
  const whole = integer(text);
  if (whole !== undefined) return whole;
  if (!NUMBER.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
