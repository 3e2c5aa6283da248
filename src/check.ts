/** `edgestatd check`: tries every job and sink of a configuration, and says what to do about what fails. */

import { adviceFor } from './advice.ts';
import type { Clock } from './clock.ts';
import type { Verdict } from './collector.ts';
import type { Config, JobConfig } from './config.ts';
import { asFailure, Failure } from './errors.ts';
import { checkEvents } from './events/check-events.ts';
import type { Target } from './hosts/target.ts';
import { deliveryOf, freshMemory, planOf } from './job.ts';
import { basePath } from './naming.ts';
import { run } from './run.ts';
import { checkStatsd } from './sinks/canary.ts';
import { checkCarbon } from './sinks/carbon-check.ts';
import type { TargetConfig } from './targets.ts';
import { createClaims } from './vet.ts';
import { visit } from './visit.ts';

export interface Finding extends Verdict {
  /** `job tcp@local`, `sink statsd`. */
  readonly subject: string;
}

export function describeConfig(config: Config): Finding {
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
  const text = `valid: ${count(config.jobs.length, 'job')}, ${count(config.sinks.length, 'sink')}, prefix ${JSON.stringify(config.prefix)}`;
  return { level: 'ok', subject: `configuration ${config.file}`, text };
}

export async function* checkAll(
  config: Config,
  openTarget: (key: string, config: Config) => Target,
  nodeName: string,
  clock: Clock,
  write: boolean,
): AsyncGenerator<Finding> {
  yield describeConfig(config);
  for (const text of config.problems) yield { level: 'warn', subject: 'configuration', text };
  const places = [...Map.groupBy(config.jobs, ({ target }) => target)];
  const works = places.map(
    ([key, jobs]) =>
      () =>
        checkTarget(key, jobs, config, openTarget, clock),
  );
  for await (const findings of inOrder(works, TARGETS_AT_ONCE)) yield* findings;
  const base = basePath(config.prefix, nodeName, 'edgestatd');
  for (const sink of config.sinks) {
    const subject = `sink ${sink.name}`;
    if (sink.type === 'statsd') yield { subject, ...(await checkStatsd(sink, base, clock)) };
    else if (sink.type === 'carbon')
      for (const verdict of await checkCarbon(sink, base, clock, write)) yield { subject, ...verdict };
    else
      yield {
        subject,
        level: 'ok',
        text: sink.onlyOnTerminal ? 'writes to the terminal, if there is one' : 'writes to stdout',
      };
  }
  if (config.events !== undefined) yield* checkEvents(config.events, clock, write);
}

/** Hundreds of machines are not asked one after another. */
const TARGETS_AT_ONCE = 16;

/** The results of works in their order, of which a few are under way at once. */
async function* inOrder<Value>(works: readonly (() => Promise<Value>)[], atOnce: number): AsyncGenerator<Value> {
  const under: Promise<Value>[] = [];
  for (const work of works) {
    const begun = work();
    // Who waits for the ones before it looks at its failure later.
    begun.catch(() => {});
    under.push(begun);
    if (under.length < atOnce) continue;
    const first = under.shift();
    if (first !== undefined) yield await first;
  }
  for (const rest of under) yield await rest;
}

/** One machine, and all jobs on it over one connection. */
async function checkTarget(
  key: string,
  jobs: readonly JobConfig[],
  config: Config,
  openTarget: (key: string, config: Config) => Target,
  clock: Clock,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const target = openTarget(key, config);
  const where = config.targets.get(key);
  const told = (failure: Failure): string => tell(failure, where);
  try {
    if (target.check !== undefined) {
      const subject = `target ${key}`;
      const verdicts = await reached(target, clock).catch(asFailure);
      if (verdicts instanceof Failure) {
        const left = jobs.length === 1 ? 'its job was' : `its ${jobs.length} jobs were`;
        return [{ level: 'fail', subject, text: `${told(verdicts)}; ${left} not tried` }];
      }
      for (const verdict of verdicts) findings.push({ subject, ...verdict });
    }
    const claims = createClaims();
    for (const job of jobs) {
      const subject = `job ${job.id}`;
      const around = { prefix: config.prefix, target, claims };
      const batch = await run(planOf(job, target), clock);
      const { problems, samples } = deliveryOf(batch, job, around, freshMemory(job, around));
      for (const verdict of await verdictsOf(job, target, clock, told)) findings.push({ subject, ...verdict });
      if (batch.failure !== undefined) {
        findings.push({ level: 'fail', subject, text: told(batch.failure) });
        continue;
      }
      if (job.collector.remembers === true && config.state === undefined) {
        const text = 'begins anew at each restart of edgestatd: name a "state" file, in which it keeps its place';
        findings.push({ level: 'warn', subject, text });
      }
      const text = `${samples} samples in ${Math.round(batch.durationMs)} ms`;
      findings.push({ level: samples === 0 ? 'warn' : 'ok', subject, text });
      for (const problem of problems) findings.push({ level: 'warn', subject, text: told(problem) });
    }
    return findings;
  } finally {
    await target.close();
  }
}

/** Long enough for a handshake through two other machines. */
const REACH_MS = 20_000;

async function reached(target: Target, clock: Clock): Promise<readonly Verdict[]> {
  const controller = new AbortController();
  const cancel = clock.after(REACH_MS, () => {
    controller.abort(new Failure('E_TIMEOUT', `the target did not answer within ${REACH_MS / 1000} s`));
  });
  try {
    await target.reach?.(controller.signal);
    return (await target.check?.(controller.signal)) ?? [];
  } finally {
    cancel();
    controller.abort(new Failure('E_ABORTED', 'the check is over'));
  }
}

/** What the collector itself says of what it needs. */
async function verdictsOf(
  { collector, options, timeoutMs, intervalMs }: JobConfig,
  target: Target,
  clock: Clock,
  told: (failure: Failure) => string,
) {
  if (collector.check === undefined) return [];
  const [atMs, readAtMs] = [clock.wallMs(), clock.monotonicMs()];
  const elapsedMs = (): number => clock.monotonicMs() - readAtMs;
  try {
    const verdicts = await visit(target, timeoutMs, clock, async (host) =>
      collector.check?.({ host, options, atMs, readAtMs, elapsedMs, timeoutMs, intervalMs }),
    );
    return verdicts ?? [];
  } catch (thrown) {
    return [{ level: 'fail', text: told(asFailure(thrown)) } as const];
  }
}

function tell(failure: Failure, where: TargetConfig | undefined): string {
  const advice = adviceFor(failure, where);
  return `${failure.code}: ${failure.message}${advice === undefined ? '' : `; ${advice}`}`;
}
