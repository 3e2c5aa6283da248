/** `edgestatd check`: tries every job and sink of a configuration, and says what to do about what fails. */
import type { Clock } from './clock.ts';
import type { Verdict } from './collector.ts';
import type { Config, JobConfig } from './config.ts';
import { asFailure, type Code, type Failure } from './errors.ts';
import { checkEvents } from './events/check-events.ts';
import type { Target } from './hosts/target.ts';
import { deliveryOf, freshMemory, planOf } from './job.ts';
import { basePath } from './naming.ts';
import { run } from './run.ts';
import { checkStatsd } from './sinks/canary.ts';
import { checkCarbon } from './sinks/carbon-check.ts';
import { createClaims } from './vet.ts';
import { visit } from './visit.ts';

export interface Finding extends Verdict {
  /** `job tcp@local`, `sink statsd`. */
  readonly subject: string;
}

/** What to do, where the message itself cannot know. */
const ADVICE: Partial<Record<Code, string>> = {
  E_DENIED: 'give this user the right, or run as root',
  E_TIMEOUT: 'raise the timeout of the job, or find out what hangs',
  E_OUTPUT_SIZE: 'narrow the options of the job',
  E_BUG: 'please report this with the log',
};

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
  const claims = createClaims();
  for (const job of config.jobs) {
    const target = openTarget(job.target, config);
    const around = { prefix: config.prefix, target, claims };
    const batch = await run(planOf(job, target), clock);
    const { problems, samples } = deliveryOf(batch, job, around, freshMemory(job, around));
    const subject = `job ${job.id}`;
    for (const verdict of await verdictsOf(job, target, clock)) yield { subject, ...verdict };
    await target.close();
    if (batch.failure !== undefined) {
      yield { level: 'fail', subject, text: told(batch.failure) };
      continue;
    }
    yield {
      level: samples === 0 ? 'warn' : 'ok',
      subject,
      text: `${samples} samples in ${Math.round(batch.durationMs)} ms`,
    };
    for (const problem of problems) yield { level: 'warn', subject, text: told(problem) };
  }
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

/** What the collector itself says of what it needs. */
async function verdictsOf({ collector, options, timeoutMs, intervalMs }: JobConfig, target: Target, clock: Clock) {
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

function told({ code, message }: Failure): string {
  const advice = ADVICE[code];
  return `${code}: ${message}${advice === undefined ? '' : `; ${advice}`}`;
}
