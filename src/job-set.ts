/** All jobs of a configuration: which run, and how they become those of the next one. */
import { isDeepStrictEqual } from 'node:util';
import type { Config, JobConfig } from './config.ts';
import { Failure } from './errors.ts';
import type { Target } from './hosts/target.ts';
import { type Job, type JobSurroundings, type Memory, startJob } from './job.ts';
import type { Point } from './point.ts';
import type { Seen } from './status/board.ts';

/** What a reload did. */
export interface Tally {
  kept: number;
  added: number;
  changed: number;
  removed: number;
}

export interface JobSet {
  /** Starts, leaves alone, changes and ends jobs until they are those of the configuration. */
  arrange(config: Config, targets: ReadonlyMap<string, Target>): Promise<Tally>;
  /** No further ticks; resolves when no run is under way. Runs are ended after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** No run has outlived its deadline. */
  isAlive(): boolean;
  readonly size: number;
  /** What each does, by its id. */
  statuses(): ReturnType<Job['status']>[];
}

export interface JobSetSurroundings extends Omit<JobSurroundings, 'prefix' | 'target'> {
  /** Gets the final zeros of a job that is gone: StatsD would repeat its gauges for ever. */
  readonly retired: (job: JobConfig, points: readonly Point[], seen: Pick<Seen, 'target' | 'points'>) => void;
}

interface Placed {
  readonly job: Job;
  readonly prefix: string;
  readonly target: Target;
}

/** A run this much over its deadline (which ends it) means that the process does not work. */
const STUCK_MS = 30_000;

export function createJobSet(around: JobSetSurroundings): JobSet {
  let placed = new Map<string, Placed>();
  let stopped = false;

  const end = async ({ job }: Placed, why: Failure): Promise<Memory> => {
    const memory = job.release();
    job.abort(why);
    await job.ticking.idle();
    return memory;
  };
  const retire = ({ job, target }: Placed, memory: Memory): void => {
    const points = memory.totals.retire();
    around.retired(job.config, [...points, ...memory.selfTotals.retire()], { target: target.name, points });
  };
  const start = (config: JobConfig, prefix: string, target: Target, memory?: Memory): void => {
    const job = startJob(config, { ...around, prefix, target }, memory);
    placed.set(config.id, { job, prefix, target });
  };
  const changed = new Failure('E_ABORTED', 'the configuration changed');

  return {
    async arrange({ jobs, prefix }, targets) {
      const tally = { kept: 0, added: 0, changed: 0, removed: 0 };
      const old = placed;
      placed = new Map();
      const ending: Promise<void>[] = [];
      for (const config of jobs) {
        const target = targets.get(config.target);
        if (target === undefined) continue;
        const before = old.get(config.id);
        old.delete(config.id);
        if (before === undefined) {
          tally.added += 1;
          start(config, prefix, target);
          continue;
        }
        const was = before.job.config;
        const sameSeries =
          before.prefix === prefix &&
          before.target.name === target.name &&
          was.collector.name === config.collector.name;
        const sameWork = was.fingerprint === config.fingerprint && was.collector === config.collector;
        if (sameSeries && sameWork && before.target === target) {
          tally.kept += 1;
          placed.set(config.id, before);
          continue;
        }
        tally.changed += 1;
        ending.push(
          end(before, changed).then((memory) => {
            // Other options, or another machine, show what was there before: it is not new.
            const sameSight =
              before.target === target &&
              was.collector === config.collector &&
              isDeepStrictEqual(was.options, config.options);
            if (!sameSeries) retire(before, memory);
            else if (!sameSight) memory.totals.rebase();
            if (!stopped) start(config, prefix, target, sameSeries ? memory : undefined);
          }),
        );
      }
      for (const gone of old.values()) {
        tally.removed += 1;
        ending.push(end(gone, changed).then((memory) => retire(gone, memory)));
      }
      await Promise.all(ending);
      return tally;
    },
    async stop(graceMs) {
      stopped = true;
      const jobs = [...placed.values()].map(({ job }) => job);
      for (const job of jobs) job.release();
      const cancel = around.clock.after(graceMs, () => {
        for (const job of jobs) job.abort(new Failure('E_ABORTED', 'the daemon is stopping'));
      });
      await Promise.all(jobs.map((job) => job.ticking.idle()));
      cancel();
    },
    isAlive: () => [...placed.values()].every(({ job }) => job.ticking.runningMs() < job.config.timeoutMs + STUCK_MS),
    get size() {
      return placed.size;
    },
    statuses() {
      const all = [...placed.values()].map(({ job }) => job.status());
      return all.sort(({ job: { id: one } }, { job: { id: other } }) => (one < other ? -1 : 1));
    },
  };
}
