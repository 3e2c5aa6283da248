/** The last hour of one series: a ring with one value for each step. Pure. */

/** How far apart two values are, in milliseconds. */
export const STEP_MS = 10_000;
/** An hour. */
export const STEPS = 360;
/** A run that is late by no more than this share of its interval leaves no gap. */
const LATENESS = 0.5;
const NEVER = Number.NEGATIVE_INFINITY;

export interface Cell {
  /** By step modulo `STEPS`; NaN: unknown. */
  readonly values: Float32Array;
  /** Of the last run: its step, when it was in milliseconds since the epoch, and how long its value holds. */
  runStep: number;
  atMs: number;
  intervalMs: number;
}

export function newCell(): Cell {
  return { values: new Float32Array(STEPS).fill(Number.NaN), runStep: NEVER, atMs: NEVER, intervalMs: 0 };
}

export interface Written {
  readonly atMs: number;
  /** The value holds for so long, and no longer unless the next run is a little late. */
  readonly intervalMs: number;
}

export function stepOf(atMs: number): number {
  return Math.floor(atMs / STEP_MS);
}

/**
 * Writes what a run found; NaN: it found nothing. Of several runs within one step the larger value stays, or with `below`
 * the smaller one, so that a chart shows the worst of each step.
 */
export function write(cell: Cell, { atMs, intervalMs }: Written, value: number, below: boolean): void {
  const step = stepOf(atMs);
  // The clock was set back: what was written after this moment has not happened yet.
  if (step < cell.runStep) forget(cell);
  const before = read(cell, cell.runStep);
  if (step === cell.runStep) put(cell, step, worse(before, value, below));
  else {
    const held = isInTime(cell, atMs) ? step - 1 : lastOf(cell);
    for (let at = Math.max(cell.runStep + 1, step - STEPS + 1); at < step; at++) {
      put(cell, at, at <= held ? before : Number.NaN);
    }
    put(cell, step, value);
  }
  [cell.runStep, cell.atMs, cell.intervalMs] = [step, atMs, intervalMs];
}

/** NaN: unknown. Until the next run is late, what the last one found counts for now. */
export function read(cell: Cell, step: number, nowMs = NEVER): number {
  if (step <= cell.runStep - STEPS) return Number.NaN;
  const isHeld = step <= stepOf(nowMs) && isInTime(cell, nowMs);
  if (step > lastOf(cell) && !isHeld) return Number.NaN;
  return cell.values[Math.min(step, cell.runStep) % STEPS] ?? Number.NaN;
}

function isInTime({ atMs, intervalMs }: Cell, nowMs: number): boolean {
  return nowMs - atMs <= intervalMs * (1 + LATENESS);
}

/** The last step that has a value, unless another run comes. */
export function lastOf({ runStep, intervalMs }: Cell): number {
  return runStep + Math.max(1, Math.round(intervalMs / STEP_MS)) - 1;
}

function put(cell: Cell, step: number, value: number): void {
  cell.values[step % STEPS] = value;
}

function worse(a: number, b: number, below: boolean): number {
  if (Number.isNaN(a)) return b;
  if (Number.isNaN(b)) return a;
  return below ? Math.min(a, b) : Math.max(a, b);
}

function forget(cell: Cell): void {
  cell.values.fill(Number.NaN);
  [cell.runStep, cell.atMs] = [NEVER, NEVER];
}
