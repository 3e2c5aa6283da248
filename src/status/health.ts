/** Whether the daemon does what it is there for. Pure. */
import type { Health, JobStatus, SinkStatus } from './document.ts';
import { spanText } from './spans.ts';

/** How a job does, on the monotonic clock. */
export interface Pulse {
  readonly job: Pick<JobStatus, 'id' | 'intervalMs' | 'state' | 'problems'>;
  /** Since it was begun. */
  readonly ageMs: number;
  /** Since it last succeeded; undefined: it never has. */
  readonly sinceSuccessMs: number | undefined;
}

const INTERVALS = 3;
const LEAST_MS = 60_000;
const MAX_NAMED = 3;

/**
 * Not healthy: no job has succeeded within three of its intervals (60 s at least) although one has been there for so long;
 * or every sink that sends to somewhere has been down for 60 s.
 */
export function healthOf(pulses: readonly Pulse[], sinks: readonly SinkStatus[], nowMs: number): Health {
  const reasons = [...jobReasons(pulses), ...sinkReasons(sinks, nowMs)];
  return { healthy: reasons.length === 0, reasons };
}

function jobReasons(pulses: readonly Pulse[]): string[] {
  const patience = ({ job }: Pulse): number => Math.max(LEAST_MS, INTERVALS * job.intervalMs);
  const isWorking = (pulse: Pulse): boolean => (pulse.sinceSuccessMs ?? Number.POSITIVE_INFINITY) <= patience(pulse);
  const overdue = pulses.filter((pulse) => !isWorking(pulse) && pulse.ageMs > patience(pulse));
  if (overdue.length === 0 || pulses.some(isWorking)) return [];
  const named = overdue.slice(0, MAX_NAMED).map((pulse) => {
    const { job, ageMs, sinceSuccessMs } = pulse;
    const since = sinceSuccessMs === undefined ? `in ${spanText(ageMs)}` : `for ${spanText(sinceSuccessMs)}`;
    const [problem] = job.problems;
    return `${job.id} has not succeeded ${since}${problem === undefined ? '' : ` (${problem.code}: ${problem.message})`}`;
  });
  const more = overdue.length - named.length;
  return [`no job works: ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`];
}

function sinkReasons(sinks: readonly SinkStatus[], nowMs: number): string[] {
  // What is written to a terminal, or not, says nothing of the series.
  const sending = sinks.filter(({ type }) => type !== 'stdout');
  const down = sending.filter(({ state, problem }) => {
    return state === 'down' && problem !== undefined && nowMs - problem.sinceMs > LEAST_MS;
  });
  if (down.length === 0 || down.length < sending.length) return [];
  const named = down.slice(0, MAX_NAMED).map(({ name, to, problem }) => {
    const since = spanText(nowMs - (problem?.sinceMs ?? nowMs));
    return `${name} (${to}) for ${since}: ${problem?.code}: ${problem?.message}`;
  });
  const more = down.length - named.length;
  return [`every sink is down: ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`];
}
