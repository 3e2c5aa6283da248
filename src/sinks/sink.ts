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
  /** The daemon itself ended the run (it stops, or has reloaded): its failure is nobody's. */
  readonly isCut?: true;
}

/** Why a metric was dropped: a metric label, so the list is closed. */
export type DropReason =
  /** One line is longer than a whole datagram may be, or than Carbon takes. */
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
  | 'stopped'
  /** It could neither be sent nor kept on disk, and more than a bounded part of it does not wait in memory. */
  | 'unspooled'
  /** It was the oldest of what waits on disk when the bound of that was reached. */
  | 'spool_full'
  /** It waited on disk for longer than it may. */
  | 'expired'
  /** Its name cannot stand in a line: a fault of who made it. */
  | 'invalid';

/** What a sink keeps on disk until it can be sent. */
export interface Waiting {
  readonly metrics: number;
  /** As they lie on the disk. */
  readonly bytes: number;
  /** How long the oldest waits; undefined: there is none. */
  readonly oldestSeconds: number | undefined;
}

/** What a sink did since it began: totals. */
export interface SinkCounts {
  readonly sentMetrics: number;
  /** Undefined: it sends none. */
  readonly sentDatagrams?: number | undefined;
  readonly sentBytes: number;
  readonly droppedMetrics: ReadonlyMap<DropReason, number>;
  /** Batches that were not sent within their interval; undefined: it has no pace. */
  readonly paceOverruns?: number | undefined;
  /** Sent once more, since a connection ended before it was known that they are kept; undefined: it never does so. */
  readonly resentMetrics?: number | undefined;
  /** Undefined: it keeps nothing on disk, or cannot look there. */
  readonly waiting?: Waiting | undefined;
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
