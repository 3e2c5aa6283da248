/** Spans of time for people. Pure. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

/** Its two largest units: `3d4h`, `5m12s`, `12s`, `430ms`; below 0 (a clock was set) it is `0s`. */
export function spanText(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1000) return whole === 0 ? '0s' : `${whole}ms`;
  const at = UNITS.findIndex(([, unitMs]) => whole >= unitMs);
  const [unit, unitMs] = UNITS[at] ?? UNITS[3];
  const [nextUnit, nextMs] = UNITS[at + 1] ?? ['', Number.POSITIVE_INFINITY];
  const rest = Math.floor((whole % unitMs) / nextMs);
  return `${Math.floor(whole / unitMs)}${unit}${rest > 0 ? `${rest}${nextUnit}` : ''}`;
}

/** An interval as the configuration has it, whole: `10s`, `90s`, `1h`, `250ms`. */
export function intervalText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, one]) => ms >= one && ms % one === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}
