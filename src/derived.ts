/** Derived metrics of one entity: a collector's function over what its gauges and counters show in one run. Pure. */
import type { Labels, Metric, Operand } from './metric.ts';
import { type Measured, ratioOf } from './ratios.ts';

type Computed = number | 'unknown' | 'none';

/** The value of a ratio or derived metric in this run; what a collector's function throws is told, and gives `none`. */
export function computedOf(
  metric: Metric,
  { series, labels }: { readonly series: ReadonlyMap<string, Measured>; readonly labels: Labels },
  run: number,
  onBroken?: (metric: Metric, labels: Labels, thrown: unknown) => void,
): Computed {
  if (metric.kind === 'ratio') return ratioOf(metric, series, run);
  try {
    return derivedOf(metric, series, run);
  } catch (thrown) {
    onBroken?.(metric, labels, thrown);
    return 'none';
  }
}

/**
 * The value that `compute` gives; `unknown` while a counter has no increment or time yet (first sight, re-creation), and
 * where `compute` reads what a gauge does not have yet; `none` where the source lacks an operand, or it gives no number.
 */
function derivedOf(metric: Metric, series: ReadonlyMap<string, Measured>, run: number): Computed {
  const { of = {}, compute } = metric;
  const measured: [name: string, Measured][] = [];
  for (const name in of) {
    const one = series.get(of[name]?.name ?? '');
    if (one === undefined || one.seenIn !== run) return 'none';
    measured.push([name, one]);
  }
  if (compute === undefined || measured.length === 0) return 'none';
  let unknown = false;
  const known = (value: number | undefined): number => {
    unknown ||= value === undefined;
    return value ?? Number.NaN;
  };
  const operands: Record<string, Operand> = {};
  for (const [name, one] of measured) {
    const { value } = one;
    if (value === undefined) return 'unknown';
    if (one.metric.kind !== 'gauge' && secondsOf(one) === undefined) return 'unknown';
    operands[name] = {
      value,
      // A gauge of the first reading has a value, and no past: only who asks for that has to wait.
      get change() {
        return known(changeOf(one, value));
      },
      get elapsedSeconds() {
        return known(secondsOf(one));
      },
    };
  }
  const value: unknown = compute(operands);
  if (unknown) return 'unknown';
  return typeof value === 'number' && Number.isFinite(value) ? value : 'none';
}

function changeOf({ metric, before }: Measured, value: number): number | undefined {
  if (metric.kind !== 'gauge') return value;
  return before === undefined ? undefined : value - Number(before);
}

function secondsOf({ elapsedSeconds = 0 }: Measured): number | undefined {
  return elapsedSeconds > 0 ? elapsedSeconds : undefined;
}
