/** What must be known of the run before: who was there, what they had used, and since when one hangs. */
import { TICKS_PER_SECOND } from './parse.ts';
import type { Found } from './survey.ts';

interface Past {
  readonly startedTicks: number;
  readonly userTicks: number;
  readonly systemTicks: number;
}

export interface History {
  /** When it began, on the monotonic clock: another history counts from somewhere else. */
  readonly sinceMs: number;
  /** One was seen since the target is watched. */
  wasSeen: boolean;
  /** It was looked for in an earlier run. */
  hasBegun: boolean;
  past: ReadonlyMap<number, Past>;
  /** Of all that were ever seen: it only grows, whoever ends. */
  userTicks: number;
  systemTicks: number;
  restarts: number;
  /** Processes in state D, since when on the monotonic clock, and how often they had been switched then. */
  hung: ReadonlyMap<number, Hung>;
}

interface Hung {
  readonly startedTicks: number;
  readonly sinceMs: number;
  readonly switches: number | undefined;
}

export const noHistory = (sinceMs: number): History => ({
  ...{
    sinceMs,
    wasSeen: false,
    hasBegun: false,
    past: new Map(),
    userTicks: 0,
    systemTicks: 0,
    restarts: 0,
    hung: new Map(),
  },
});

/**
 * `uptimeBefore`: the machine's at the run before; what was started later has used all that it shows since then.
 * Undefined: not told, or not of the clock of its processes.
 */
export function advance(history: History, found: readonly Found[], uptimeBefore: number | undefined): void {
  const past = new Map<number, Past>();
  let survivors = 0;
  for (const { pid, stat } of found) {
    const { startedTicks, userTicks, systemTicks } = stat;
    past.set(pid, { startedTicks, userTicks, systemTicks });
    const known = history.past.get(pid);
    const before = known?.startedTicks === startedTicks ? known : undefined;
    if (before !== undefined) survivors += 1;
    const isNew = uptimeBefore !== undefined && startedTicks / TICKS_PER_SECOND >= uptimeBefore - 1 / TICKS_PER_SECOND;
    // One that is older and was not seen before has used an unknown part of it meanwhile.
    const from = before ?? (isNew || !history.hasBegun ? { userTicks: 0, systemTicks: 0 } : { userTicks, systemTicks });
    history.userTicks += Math.max(0, userTicks - from.userTicks);
    history.systemTicks += Math.max(0, systemTicks - from.systemTicks);
  }
  const started = found.length - survivors;
  const ended = history.past.size - survivors;
  if (history.wasSeen && started > 0) history.restarts += survivors === 0 ? 1 : Math.min(started, ended);
  history.past = past;
  history.wasSeen ||= found.length > 0;
  history.hasBegun = true;
}

/** How long the one has hung that hangs longest, in seconds; 0: none is in state D. */
export function hungSeconds(
  history: History,
  found: readonly Found[],
  switchesOf: (pid: number) => number | undefined,
  readAtMs: number,
): number {
  const hung = new Map<number, Hung>();
  for (const { pid, stat } of found) {
    if (stat.state !== 'D') continue;
    const switches = switchesOf(pid);
    const known = history.hung.get(pid);
    // Who was switched in between has run, and hangs again.
    const isSame = known?.startedTicks === stat.startedTicks && known.switches === switches;
    hung.set(pid, { startedTicks: stat.startedTicks, switches, sinceMs: isSame ? known.sinceMs : readAtMs });
  }
  history.hung = hung;
  return Math.max(0, ...[...hung.values()].map(({ sinceMs }) => (readAtMs - sinceMs) / 1000));
}
