/**
 * Time stamps for Whisper, which has one slot for each interval: the runs of a job get one slot after the other, also
 * where a run begins a little before or after the border between two. Pure.
 *
 * Runs are numbered by their rhythm, not by rounding each time: what is less than nine tenths of an interval away from
 * where the next run was to be expected is the next run. (Jitter of 0.4 on both sides makes two runs 0.8 of an interval
 * nearer to each other, or further apart, than they should be; a tick that was skipped makes it a whole one.)
 */

export interface SlotTracker {
  /** The time stamp of a run that began at `atMs`, in whole seconds since the epoch. */
  secondsOf(job: string, atMs: number, intervalMs: number): number;
}

interface Rhythm {
  readonly intervalMs: number;
  /** When the last run began, and its slot, both in intervals since the epoch. */
  at: number;
  slot: number;
  /** How far the runs are behind the borders of their slots, in intervals. */
  phase: number;
  /** Runs since it was anchored last. */
  runs: number;
  /** Runs in a row that came too early to be the next one. */
  early: number;
}

const NEAR = 0.9;
/** The first runs of a job come off its beat (schedule.ts): they are taken as they fall, unless they have a beat. */
const LEARNING_RUNS = 3;
const STEADY = 0.25;
/** How much of a deviation the phase follows. */
const FOLLOW = 0.1;
/** The phase is between 0 and 1 when it is anchored, and follows for at most 0.8: beyond, the clock has crept away. */
const [LEAST_PHASE, MOST_PHASE] = [-0.9, 1.9];
/** Whisper's finest slot. */
const LEAST_INTERVAL_MS = 1000;
/** Of more jobs than this, those that ran longest ago are forgotten. */
const MAX_JOBS = 10_000;

export function createSlots(): SlotTracker {
  const jobs = new Map<string, Rhythm>();
  return {
    secondsOf(job, atMs, intervalMs) {
      const stepMs = Math.max(LEAST_INTERVAL_MS, intervalMs);
      const known = jobs.get(job);
      const at = atMs / stepMs;
      let rhythm: Rhythm;
      if (known === undefined || known.intervalMs !== stepMs) rhythm = anchored(stepMs, at);
      else {
        rhythm = known;
        advance(rhythm, at);
      }
      // The one that ran last is the last one.
      jobs.delete(job);
      jobs.set(job, rhythm);
      if (jobs.size > MAX_JOBS) for (const oldest of [...jobs.keys()].slice(0, MAX_JOBS / 10)) jobs.delete(oldest);
      return Math.floor((rhythm.slot * stepMs) / 1000);
    },
  };
}

function anchored(intervalMs: number, at: number): Rhythm {
  const slot = Math.floor(at);
  return { intervalMs, at, slot, phase: at - slot, runs: 1, early: 0 };
}

function advance(rhythm: Rhythm, at: number): void {
  const gap = at - rhythm.at;
  // The clock was set back: its time is the true one now.
  if (gap < 0) {
    Object.assign(rhythm, anchored(rhythm.intervalMs, at));
    return;
  }
  rhythm.at = at;
  rhythm.runs += 1;
  const next = rhythm.slot + 1;
  const deviation = at - rhythm.phase - next;
  if (rhythm.runs <= LEARNING_RUNS) {
    anchor(rhythm, Math.abs(gap - 1) < STEADY ? next : Math.max(rhythm.slot, Math.floor(at)));
  } else if (Math.abs(deviation) < NEAR) {
    rhythm.slot = next;
    rhythm.phase += FOLLOW * deviation;
    rhythm.early = 0;
    if (rhythm.phase < LEAST_PHASE || rhythm.phase > MOST_PHASE) anchor(rhythm, Math.max(next - 1, Math.floor(at)));
  } else if (deviation > 0) {
    const skipped = Math.round(deviation);
    // On the beat, runs were skipped. Off it, the clock was set forwards, or the job has no beat.
    if (Math.abs(deviation - skipped) < STEADY) rhythm.slot = next + skipped;
    else anchor(rhythm, Math.max(next, Math.floor(at)));
    rhythm.early = 0;
  } else {
    rhythm.early += 1;
    if (rhythm.early > 1) anchor(rhythm, Math.max(rhythm.slot, Math.floor(at)));
    else rhythm.slot = Math.max(rhythm.slot, Math.round(at - rhythm.phase));
  }
}

function anchor(rhythm: Rhythm, slot: number): void {
  rhythm.slot = slot;
  rhythm.phase = rhythm.at - slot;
  rhythm.early = 0;
}
