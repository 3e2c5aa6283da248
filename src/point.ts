import type { Labels, Metric } from './metric.ts';

/** A sample with its series, as sinks get it. */
export interface Point {
  /** The dotted path. */
  readonly path: string;
  /** `<prefix>.<target>.<collector>`: what stands before the metric when labels are tags. */
  readonly base: string;
  readonly metric: Metric;
  readonly labels: Labels;
  /** The value now; of a counter the increment since the run before, undefined while that is unknown. */
  readonly value: number | undefined;
  /** Ends a name that is one only where labels are tags: some of them have changed, and the path has not. */
  readonly taggedOnly?: true;
  /** Counters: the total as read. */
  readonly total?: number | bigint | undefined;
  /** Counters with an increment: the time in which it came about, by the source's clock where it tells; above 0. */
  readonly elapsedSeconds?: number | undefined;
  /** The series is over: its value is a final 0 for those that repeat gauges, and nothing that was measured. */
  readonly ends?: true;
}
