/** Numbers → the paths and axes of a chart. Pure. */
import type { ColumnHead } from './document.ts';

export type Values = readonly (number | null)[];

/** The height of a chart in its own units; its width is one unit for each step. */
export const HEIGHT = 100;

export interface Scale {
  readonly min: number;
  readonly max: number;
  /** At equal distances, from the top to the bottom. */
  readonly ticks: readonly number[];
}

/** From 0, or what lies below it, to a little more than the largest value: where nothing is known, to what would be bad. */
export function scaleOf(lines: readonly Values[], { form, warnAt, badAt }: Scaled, parts = 3): Scale {
  let [lowest, highest] = [0, 0];
  for (const values of lines) {
    for (const value of values) {
      if (value === null) continue;
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    }
  }
  if (form === 'boolean') return { min: 0, max: 1, ticks: [1, 0] };
  if (lowest === 0 && highest === 0) highest = Math.max(warnAt ?? 0, badAt ?? 0, 0) || 1;
  const step = roundStep((highest - lowest) / parts, form);
  // What is over a tick by a hair does not cost a whole step of height.
  const top = Math.max(lowest < 0 ? 0 : 1, Math.ceil(highest / step - 0.02));
  const bottom = Math.floor(lowest / step + 0.02);
  const ticks = Array.from({ length: top - bottom + 1 }, (_, index) => (top - index) * step);
  return { min: bottom * step, max: top * step, ticks };
}

type Scaled = Pick<ColumnHead, 'form' | 'warnAt' | 'badAt'>;

/** The next larger 1, 2, 2.5 or 5 of the form's own unit and prefix. */
function roundStep(least: number, form: Scaled['form']): number {
  const unit =
    form === 'bits' ? 1 / 8 : form === 'bytes' ? 1024 ** Math.max(0, Math.floor(Math.log(least) / Math.log(1024))) : 1;
  const wanted = least / unit;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = [1, 2, 2.5, 5].find((one) => one * power >= wanted * 0.999) ?? 10;
  return factor * power * unit;
}

export function heightOf(value: number, { min, max }: Scale): number {
  const share = Math.min(1, Math.max(0, (value - min) / (max - min)));
  return Math.round((1 - share) * HEIGHT * 10) / 10;
}

/** The `d` of a path: a line for each run of known values, a dot for one alone. Level stretches cost two points. */
export function linePath(values: Values, scale: Scale): string {
  let path = '';
  let before: number | undefined;
  let level = false;
  for (let at = 0; at <= values.length; at++) {
    const value = values[at] ?? null;
    const height = value === null ? undefined : heightOf(value, scale);
    if (level && before !== undefined && height !== before) path += `L${at - 1} ${before}`;
    if (height !== undefined && before === undefined) path += `M${at} ${height}h0`;
    else if (height !== undefined && height !== before) path += `L${at} ${height}`;
    level = height !== undefined && height === before;
    before = height;
  }
  return path;
}

/** Fewer values, the worst of each so many: for a chart that is a finger wide. */
export function thinned(values: Values, every: number, below = false): Values {
  return Array.from({ length: Math.ceil(values.length / every) }, (_, index) => {
    let worst: number | null = null;
    for (const value of values.slice(index * every, (index + 1) * every)) {
      if (value !== null && (worst === null || (below ? value < worst : value > worst))) worst = value;
    }
    return worst;
  });
}

export interface Summary {
  readonly latest: number | null;
  readonly lowest: number | null;
  readonly highest: number | null;
}

export function summaryOf(values: Values): Summary {
  const known = values.filter((value) => value !== null);
  return {
    latest: known.at(-1) ?? null,
    lowest: known.reduce((least: number | null, value) => (least === null ? value : Math.min(least, value)), null),
    highest: known.reduce((most: number | null, value) => (most === null ? value : Math.max(most, value)), null),
  };
}
