/** What a job says of its runs: each state once, what began, and what is over. */
import type { Code, Failure } from './errors.ts';
import type { Log } from './log.ts';
import { troubleKey } from './status/job-notes.ts';

/** Problems that are remembered as said; more than this are counted, and not said one by one. */
const MAX_SAID = 50;

/** Says each state once: what began, and what is over. */
export function createSayer(log: Log, who: { job: string; target: string }) {
  let failedAs: Code | undefined;
  let failedRuns = 0;
  let skipped = 0;
  let skippedSince = false;
  const said = new Map<string, Failure>();
  return {
    run(failure: Failure | undefined, problems: readonly Failure[]): void {
      if (!skippedSince && skipped > 0) {
        log('tick:in_time', { ...who, skipped });
        skipped = 0;
      }
      skippedSince = false;
      if (failure !== undefined) {
        failedRuns += 1;
        if (failure.code !== failedAs) log('run:failed', { ...who, code: failure.code, message: failure.message });
        failedAs = failure.code;
        return;
      }
      if (failedAs !== undefined) log('run:recovered', { ...who, failedRuns });
      failedAs = undefined;
      failedRuns = 0;
      const now = new Map(problems.map((problem) => [troubleKey(problem), problem]));
      for (const [text, { code, message }] of said) {
        if (now.has(text)) continue;
        said.delete(text);
        log('run:problem_gone', { ...who, code, message });
      }
      for (const [text, problem] of now) {
        if (said.has(text) || said.size >= MAX_SAID) continue;
        said.set(text, problem);
        log('run:problem', { ...who, code: problem.code, message: problem.message });
      }
    },
    skipped(ticks: number): void {
      skippedSince = true;
      if (skipped === 0) log('tick:skipped', { ...who, ticks });
      skipped += ticks;
    },
  };
}
