/**
 * What a running daemon tells of itself: the bodies of its status socket, and of the status page. JSON, so that a value
 * that is not known is absent. Fields may be added; a reader leaves out what it does not know.
 */
import type { Code } from '../errors.ts';
import type { Form } from '../table.ts';

/** `GET /status`. */
export interface StatusDocument {
  /** The form of this document: 1. */
  readonly format: 1;
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly machine: string;
  readonly config: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly startedAtMs: number;
  /** The last reload that was taken. */
  readonly reloadedAtMs?: number;
  readonly health: Health;
  readonly process: {
    readonly rssBytes: number;
    readonly heapUsedBytes: number;
    readonly cpuSeconds: number;
    readonly eventLoopDelayP99Seconds?: number;
  };
  readonly jobs: readonly JobStatus[];
  readonly sinks: readonly SinkStatus[];
  /** Absent: none are configured. */
  readonly events?: EventsStatus;
}

/** Whether it does what it is there for; what a container's health check asks. */
export interface Health {
  readonly healthy: boolean;
  /** Why not, one sentence each. */
  readonly reasons: readonly string[];
}

export interface JobStatus {
  /** `name@target`. */
  readonly id: string;
  readonly name: string;
  readonly target: string;
  readonly collector: string;
  /** `10s`, or a cron expression. */
  readonly schedule: string;
  readonly intervalMs: number;
  /** `waiting`: no run has ended yet. */
  readonly state: 'waiting' | 'up' | 'down';
  /** How long the run under way lasts. */
  readonly runningMs?: number;
  readonly lastRunAtMs?: number;
  readonly lastSuccessAtMs?: number;
  readonly durationMs?: number;
  /** Of the last run that succeeded. */
  readonly samples?: number;
  readonly runs: number;
  readonly failedRuns: number;
  readonly skippedTicks: number;
  /** The failure of the last run, or what of it could not be had; at most 50. */
  readonly problems: readonly ProblemStatus[];
}

export interface ProblemStatus {
  readonly code: Code;
  readonly message: string;
  /** Since when it is so. */
  readonly sinceMs: number;
  /** The run failed by it. */
  readonly fatal: boolean;
}

export interface SinkStatus {
  readonly name: string;
  readonly type: 'statsd' | 'carbon' | 'stdout';
  /** Where it delivers to: `127.0.0.1:8125`. */
  readonly to: string;
  readonly state: 'up' | 'down';
  /** Why it is down, and since when; of one that is up: what is wrong with one of its destinations. */
  readonly problem?: ProblemStatus;
  readonly sentMetrics: number;
  readonly sentDatagrams?: number;
  readonly sentBytes: number;
  /** By reason. */
  readonly droppedMetrics: Readonly<Record<string, number>>;
  readonly resentMetrics?: number;
  /** What waits on disk. */
  readonly spool?: { readonly metrics: number; readonly bytes: number; readonly oldestSeconds?: number };
}

export interface EventsStatus {
  readonly spool: string;
  /** Absent: the spool cannot be read now. */
  readonly bytes?: number;
  readonly destinations: readonly {
    readonly name: string;
    /** Absent, as `dead` is: the spool cannot be read now. */
    readonly waiting?: number;
    readonly oldestSeconds?: number;
    readonly dead?: number;
    readonly delivered: number;
    readonly problem?: ProblemStatus;
  }[];
}

/** `GET /tables`: of the collectors that have jobs. */
export interface TablesDocument {
  readonly format: 1;
  readonly tables: readonly TableHead[];
}

export interface TableHead {
  readonly name: string;
  readonly title: string;
  readonly collector: string;
  readonly labels: readonly string[];
  readonly tags: readonly string[];
  readonly columns: readonly ColumnHead[];
  readonly sortBy: string;
  /** How many rows it has now. */
  readonly rows: number;
  /** There are so many more than are kept: the least by `sortBy`. */
  readonly omitted?: number;
}

export interface ColumnHead {
  readonly title: string;
  /** The name of the metric in the catalogue. */
  readonly metric: string;
  readonly unit: string;
  readonly help: string;
  readonly form: Form;
  readonly warnAt?: number;
  readonly badAt?: number;
  readonly below?: true;
  readonly chart?: true;
}

/**
 * `GET /tables/NAME?sort=COLUMN&order=worst|best&filter=TEXT&target=NAME&limit=N`: rows in order. `sort` may be a
 * label or `target` too; `filter` is looked for in target, labels and tags, in any case. An unknown name is a 404, a wrong parameter
 * a 400, both with `{"error": "…"}`.
 */
export interface TableDocument extends TableHead {
  readonly format: 1;
  readonly nowMs: number;
  /** Rows that fit filter and target; `entries` has the first `limit` of them. */
  readonly found: number;
  readonly entries: readonly Entry[];
}

export interface Entry {
  /** Names the row in `/history`: its series without the metric. */
  readonly key: string;
  readonly target: string;
  /** In the order of `labels`, then of `tags`; null: it has none. */
  readonly names: readonly (string | null)[];
  /** In the order of the columns; null: unknown. */
  readonly values: readonly (number | null)[];
  /** When it was read. */
  readonly atMs: number;
}

/**
 * `GET /history?table=NAME&key=KEY` (`key` may stand several times): the charted columns of these rows over the last
 * hour at most. Only where the status page is on; else 404.
 */
export interface HistoryDocument {
  readonly format: 1;
  readonly stepSeconds: number;
  /** The time of the first value, seconds since the epoch. */
  readonly fromSeconds: number;
  readonly series: readonly {
    readonly key: string;
    readonly column: string;
    /** One each step; null: unknown. */
    readonly values: readonly (number | null)[];
  }[];
}
