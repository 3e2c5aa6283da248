import type { Failure } from './errors.ts';
import type { Metric } from './metric.ts';
import type { Scope } from './scope.ts';
import type { Named } from './vet.ts';

/** One applied reading of the job. */
export interface Applied {
  readonly named: readonly Named[];
  /** What could not be read or sent: the series that they cover are unknown. */
  readonly problems: readonly Failure[];
  /** Series that were read and not sent; a few of them are in `problems`, too. */
  readonly unsent?: ReadonlySet<string>;
  /** What was deliberately not read in this run. */
  readonly unread?: readonly Scope[];
  /** The ratio and derived metrics to compute. */
  readonly ratios: readonly Metric[];
  /** When it was read, on the monotonic clock. */
  readonly readAtMs: number;
}
