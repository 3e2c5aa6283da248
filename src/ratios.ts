/** Ratios of one entity: increment over increments, or a counter's rate per second over a gauge. Pure. */
import type { Metric } from './metric.ts';

/** What is known of one series in one run. */
export interface Measured {
  readonly metric: Metric;
  /** This run's increment (counters) or value (gauges); undefined while unknown. */
  readonly value: number | undefined;
  /** What it showed in the reading before: a gauge's value, or a counter's total. */
  readonly before: number | bigint | undefined;
  /** Seconds between this reading and the one before it. */
  readonly elapsedSeconds: number | undefined;
  readonly seenIn: number;
}

/**
 * The ratio's value; `unknown` while an operand has no value yet (first sight, re-creation); `none` where the source
 * lacks an operand or there was nothing to divide by.
 */
export function ratioOf(
  metric: Metric,
  series: ReadonlyMap<string, Measured>,
  run: number,
): number | 'unknown' | 'none' {
  const above = metric.numerator && series.get(metric.numerator.name);
  if (above === undefined || above.seenIn !== run) return 'none';
  let below = 0;
  let overGauge = false;
  for (const part of metric.denominator ?? []) {
    const operand = series.get(part.name);
    if (operand === undefined || operand.seenIn !== run) return 'none';
    if (operand.value === undefined) return 'unknown';
    below += operand.value;
    overGauge ||= part.kind === 'gauge';
  }
  if (above.value === undefined) return 'unknown';
  let amount = above.value * (metric.factor ?? 1);
  if (overGauge && above.metric.kind === 'counter') {
    if (above.elapsedSeconds === undefined || above.elapsedSeconds <= 0) return 'unknown';
    amount /= above.elapsedSeconds;
  }
  if (below > 0) return amount / below;
  // The source has counted nothing since, so there is nothing new to say.
  return above.elapsedSeconds !== undefined && above.elapsedSeconds <= 0 ? 'unknown' : 'none';
}
