/** What `edgestatd top` and the status page show of a collector: tables with one row for each measured thing. */
import type { Metric } from './metric.ts';

/** How a cell is written. Of counters it is the increment per second. */
export type Form =
  /** 0 to 1, as `87 %`. */
  | 'ratio'
  /** A number in the unit of its metric, with a decimal prefix: `1.2k`. */
  | 'number'
  /** Bytes per second shown as bits per second: `9.6M`. A metric that is in bits already is a `number`. */
  | 'bits'
  /** Bytes with a binary prefix: `1.5Gi`. */
  | 'bytes'
  /** A span in seconds: `3m12s`. */
  | 'seconds'
  /** 0 or 1, as `no` or `yes`. */
  | 'boolean';

export interface Column {
  /** At most ten characters; unique in its table: `util`. */
  readonly title: string;
  readonly metric: Metric;
  readonly form: Form;
  /** From this value on a cell stands out; with `below`, from this value down. */
  readonly warnAt?: number;
  readonly badAt?: number;
  readonly below?: true;
  /** The status page draws its last hour. */
  readonly chart?: true;
}

export interface Table {
  /** Unique among all tables; a word of a command line and of a URL: `vifs`, `queues`, `[a-z][a-z0-9-]*`. */
  readonly name: string;
  /** A few words: `VIFs by use of their ceiling`. */
  readonly title: string;
  /** What its metrics have in common: they tell the rows apart and are shown, besides the target. May be empty. */
  readonly labels: readonly string[];
  /** Tags of its metrics that are shown, and tell no rows apart. */
  readonly tags?: readonly string[];
  readonly columns: readonly Column[];
  /** The title of the column by which rows are sorted at first, the worst above. */
  readonly sortBy: string;
}
