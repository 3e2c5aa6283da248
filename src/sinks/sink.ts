/** Where batches go. */
import type { Point } from '../point.ts';

/** One run's points on their way out: the job's own and what the daemon says of that run. */
export interface Delivery {
  /** The job's id. */
  readonly job: string;
  /** When the run began, in milliseconds since the epoch. */
  readonly atMs: number;
  /** Until the next one is expected. */
  readonly intervalMs: number;
  readonly points: readonly Point[];
}

/** Why a metric was dropped: a metric label, so the list is closed. */
export type DropReason =
  /** One line is longer than a whole datagram may be. */
  | 'oversize'
  /** The next batch of its job came before it could be sent at the pace. */
  | 'overrun'
  /** Nobody listens there. */
  | 'refused'
  /** The host name has no address, or the address cannot be reached. */
  | 'unreachable'
  /** The operating system took the datagram and gave an error. */
  | 'send'
  /** The daemon stopped before it could be sent. */
  | 'stopped';

/** What a sink did since it began: totals. */
export interface SinkCounts {
  readonly sentMetrics: number;
  readonly sentDatagrams: number;
  readonly sentBytes: number;
  readonly droppedMetrics: ReadonlyMap<DropReason, number>;
  /** Batches that were not sent within their interval. */
  readonly paceOverruns: number;
}

export interface Sink {
  /** Unique among the sinks. */
  readonly name: string;
  /** Takes a delivery; never throws, never waits. What cannot be sent is counted. */
  write(delivery: Delivery): void;
  counts(): SinkCounts;
  /** Sends what waits, for at most this long, then lets everything go. What is left is counted as `stopped`. */
  close(withinMs: number): Promise<void>;
}
