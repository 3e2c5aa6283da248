/**
 * Ticks: `every` on the monotonic clock, `cron` by node-cron (this is its only importer).
 *
 * node-cron says when an expression matches next, and nothing more. Its own timers block the loop for seconds after a
 * clock jump of a day, fall silent after a jump back, and overlap by default; so the timers, the overlap and the skips
 * are ours. `every` never looks at the wall clock, except once to place its phase.
 */
import { createHash } from 'node:crypto';
import { createTask, validateDetailed } from 'node-cron';
import type { Clock } from './clock.ts';

export type When = { readonly everyMs: number } | { readonly cron: string };

/** What one job's ticks do. */
export interface Ticking {
  /** No further ticks; a run that is under way is the caller's to end. */
  stop(): void;
  /** Resolves when no run is under way. */
  idle(): Promise<void>;
  readonly running: boolean;
  /** How long the run under way lasts already, in milliseconds; 0 when there is none. */
  runningMs(): number;
}

export interface TickingOptions {
  readonly when: When;
  /** Spreads jobs and machines: the same text always gives the same offset. */
  readonly splayKey: string;
  /** The offset is within this time. */
  readonly splayMs: number;
  /** The first run comes within this time after the start; default: at once. */
  readonly firstWithinMs?: number | undefined;
  readonly clock: Clock;
  readonly run: () => Promise<void>;
  /** Ticks that could not start because a run was under way, or that passed while the process stood still. */
  readonly onSkipped: (ticks: number) => void;
}

/** A timer never sleeps longer than this, so that a clock set forwards is noticed by a daily cron job. */
const MAX_SLEEP_MS = 60_000;
/** The first run at once comes within this time; several jobs do not all start in one instant. */
const FIRST_RUN_MS = 1000;
/** A timer may fire this much before its second. */
const EARLY_MS = 500;
/** An irregular expression shows its shape within so many matches. */
const AHEAD = 12;
/** Each costs a tenth of a millisecond at every tick: enough to know the gap that follows. */
const SOON = 4;

/** What is wrong with a cron expression, or undefined. */
export function cronFault(expression: string): string | undefined {
  try {
    const { valid, errors } = validateDetailed(expression);
    return valid ? undefined : errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * The next matches of a cron expression (UTC, 5 or 6 fields, seconds first) after now, on the wall clock.
 * Empty where there is none in sight.
 */
export function nextMatches(expression: string, count: number): number[] {
  // A stopped task knows no next run, and a started one arms a timer: so it is started only to be asked.
  const task = createTask(expression, () => {}, { timezone: 'UTC', unref: true });
  task.start();
  const matches = task.getNextRuns(count);
  task.destroy();
  return matches.map((date) => date.getTime());
}

/** The least time between an expression's next matches: what a cron job's interval is to its sinks. */
export function cronIntervalMs(expression: string): number {
  const matches = nextMatches(expression, AHEAD);
  const gaps = matches.slice(1).map((ms, index) => ms - (matches[index] ?? 0));
  return gaps.length === 0 ? MAX_SLEEP_MS : Math.min(...gaps);
}

/** A fraction of 1 from a text, always the same. */
export function splayFraction(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0) / 2 ** 32;
}

export function startTicking(options: TickingOptions): Ticking {
  const { clock, when } = options;
  let stopped = false;
  let cancel = (): void => {};
  let startedAtMs: number | undefined;
  let current: Promise<void> = Promise.resolve();

  const tick = (): void => {
    if (startedAtMs !== undefined) {
      options.onSkipped(1);
      return;
    }
    startedAtMs = clock.monotonicMs();
    current = options.run().finally(() => {
      startedAtMs = undefined;
    });
  };
  const sleep = (delayMs: number, then: () => void): void => {
    cancel = clock.after(Math.max(0, Math.min(delayMs, MAX_SLEEP_MS)), () => {
      if (!stopped) then();
    });
  };

  if ('cron' in when) tickByCron(when.cron, options, sleep, tick);
  else tickEvery(when.everyMs, options, sleep, tick);
  return {
    stop() {
      stopped = true;
      cancel();
    },
    idle: () => current,
    get running() {
      return startedAtMs !== undefined;
    },
    runningMs: () => (startedAtMs === undefined ? 0 : clock.monotonicMs() - startedAtMs),
  };
}

type Sleep = (delayMs: number, then: () => void) => void;

/**
 * The first run comes at once, a second half an interval later unless the phase comes before (counters need two
 * readings), and from then on one at each multiple of the interval plus the offset.
 */
function tickEvery(everyMs: number, options: TickingOptions, sleep: Sleep, tick: () => void): void {
  const { clock } = options;
  const fraction = splayFraction(options.splayKey);
  const firstWithinMs = options.firstWithinMs ?? Math.min(FIRST_RUN_MS, everyMs / 10);
  const firstMs = clock.monotonicMs() + fraction * firstWithinMs;
  const sincePhaseMs = (clock.wallMs() - fraction * options.splayMs) % everyMs;
  let dueMs = clock.monotonicMs() - sincePhaseMs + everyMs;
  while (dueMs - firstMs < Math.min(FIRST_RUN_MS, everyMs / 2)) dueMs += everyMs;

  const wait = (untilMs: number, then: () => void): void => {
    const leftMs = untilMs - clock.monotonicMs();
    if (leftMs > 0) sleep(leftMs, () => wait(untilMs, then));
    else then();
  };
  const next = (): void => {
    const missed = Math.floor((clock.monotonicMs() - dueMs) / everyMs);
    if (missed > 0) options.onSkipped(missed);
    dueMs += (Math.max(0, missed) + 1) * everyMs;
    tick();
    wait(dueMs, next);
  };
  wait(firstMs, () => {
    tick();
    const halfMs = firstMs + everyMs / 2;
    if (dueMs <= halfMs + everyMs / 20) {
      wait(dueMs, next);
      return;
    }
    wait(halfMs, () => {
      tick();
      wait(dueMs, next);
    });
  });
}

/**
 * A match is due when the wall clock has reached it or when the time until it has passed on the monotonic clock,
 * whichever is first: a clock set back delays nothing, and one set forwards gives one run, not one for each match.
 * What passed while the process stood still is told by the monotonic clock alone: no jump of the other counts.
 */
function tickByCron(expression: string, options: TickingOptions, sleep: Sleep, tick: () => void): void {
  const { clock } = options;
  const offsetMs = splayFraction(options.splayKey) * options.splayMs;
  const arm = (doneMs: number): void => {
    // Timers may fire a little before the wall clock reaches the second: that match is not due once more.
    const early = doneMs - clock.wallMs();
    const upcoming = nextMatches(expression, SOON).filter((ms) => ms > doneMs || early > EARLY_MS);
    const [matchMs, ...following] = upcoming;
    if (matchMs === undefined) return;
    const dueWallMs = matchMs + offsetMs;
    const dueMs = clock.monotonicMs() + (dueWallMs - clock.wallMs());
    const look = (): void => {
      const leftMs = Math.min(dueWallMs - clock.wallMs(), dueMs - clock.monotonicMs());
      if (leftMs > 0) {
        sleep(leftMs, look);
        return;
      }
      const missed = passedMatches(matchMs, following, offsetMs + clock.monotonicMs() - dueMs);
      if (missed > 0) options.onSkipped(missed);
      tick();
      arm(matchMs);
    };
    look();
  };
  arm(0);
}

/** How many matches follow one within a time; where the known ones end, others follow at their mean gap. */
function passedMatches(matchMs: number, following: readonly number[], withinMs: number): number {
  const passed = following.filter((ms) => ms - matchMs <= withinMs).length;
  const knownMs = (following.at(-1) ?? matchMs) - matchMs;
  if (passed === 0 || passed < following.length) return passed;
  return Math.floor((withinMs / knownMs) * following.length);
}
