/** What is remembered of a job's runs, for the status document. Pure. */
import type { Failure } from '../errors.ts';
import type { JobStatus, ProblemStatus } from './document.ts';

/** What became of one run. */
export interface Ended {
  /** When it began: on the wall clock; and when it had ended, on both. */
  readonly atMs: number;
  readonly nowMs: number;
  readonly monotonicMs: number;
  readonly durationMs: number;
  readonly samples: number;
  readonly failure: Failure | undefined;
  readonly problems: readonly Failure[];
}

export interface JobNotes {
  ended(run: Ended): void;
  told(): Pick<
    JobStatus,
    'state' | 'lastRunAtMs' | 'lastSuccessAtMs' | 'durationMs' | 'samples' | 'runs' | 'failedRuns' | 'problems'
  >;
  /** When the last run that succeeded had ended, in monotonic milliseconds. */
  readonly succeededMs: number | undefined;
}

const MAX_PROBLEMS = 50;
/** Longer than what is shown: a secret is blotted out of it first, and none may be cut in two before. */
const MAX_MESSAGE = 2000;

/** Numbers in a message (a line, a byte count) change while the problem is the same. */
export function troubleKey({ code, message }: Pick<Failure, 'code' | 'message'>): string {
  return `${code} ${message.replace(/[0-9]+/g, '#')}`;
}

export function createJobNotes(): JobNotes {
  let last: Ended | undefined;
  let success: Ended | undefined;
  let runs = 0;
  let failedRuns = 0;
  let fatal: ProblemStatus | undefined;
  /** Of the last run that succeeded, by `troubleKey`: one that failed says nothing of them. */
  let partial: ReadonlyMap<string, ProblemStatus> = new Map();

  return {
    ended(run) {
      // What the run read is not to be kept by what is remembered of it.
      last = { ...run, failure: undefined, problems: [] };
      runs += 1;
      if (run.failure === undefined) {
        success = last;
        fatal = undefined;
        partial = problemsOf(run, partial);
        return;
      }
      failedRuns += 1;
      const sinceMs = fatal?.code === run.failure.code ? fatal.sinceMs : run.nowMs;
      fatal = { ...shown(run.failure), sinceMs, fatal: true };
    },
    told: () => ({
      state: last === undefined ? 'waiting' : fatal === undefined ? 'up' : 'down',
      ...(last === undefined ? {} : { lastRunAtMs: last.atMs, durationMs: Math.round(last.durationMs) }),
      ...(success === undefined ? {} : { lastSuccessAtMs: success.atMs, samples: success.samples }),
      runs,
      failedRuns,
      problems: fatal === undefined ? [...partial.values()] : [fatal],
    }),
    get succeededMs() {
      return success?.monotonicMs;
    },
  };
}

function problemsOf(
  { problems, nowMs }: Ended,
  before: ReadonlyMap<string, ProblemStatus>,
): Map<string, ProblemStatus> {
  const now = new Map<string, ProblemStatus>();
  for (const problem of problems) {
    const key = troubleKey(problem);
    if (now.has(key) || now.size >= MAX_PROBLEMS) continue;
    now.set(key, { ...shown(problem), sinceMs: before.get(key)?.sinceMs ?? nowMs, fatal: false });
  }
  return now;
}

function shown({ code, message }: Failure): Pick<ProblemStatus, 'code' | 'message'> {
  return { code, message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message };
}
