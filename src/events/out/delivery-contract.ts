/** Delivery to one destination, as the daemon sees it. */
import type { Clock } from '../../clock.ts';
import type { Code } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Spool } from '../spool.ts';
import type { NamedOptions } from './destination.ts';

export interface DeliveryCounts {
  /** Taken, with those that were found there. */
  readonly delivered: number;
  /** Of these: the answer was lost, and they stood there when asked for. */
  readonly found: number;
  readonly dead: number;
  /** Sent, and not for the first time. */
  readonly retried: number;
  /** Attempts that failed. */
  readonly failures: ReadonlyMap<Code, number>;
}

export interface Delivery {
  readonly name: string;
  /** Something may be open in the spool, or the spool may be another one. */
  wake(): void;
  counts(): DeliveryCounts;
  /** It takes nothing now. */
  readonly isDown: boolean;
  /** Begins nothing more and waits for what is on its way; what is not settled then is asked for by the next one. */
  stop(withinMs: number): Promise<void>;
}

export interface DeliveryOptions {
  /** Undefined: it cannot be used now. */
  readonly spool: () => Spool | undefined;
  readonly destination: NamedOptions;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1. */
  readonly random?: () => number;
}
