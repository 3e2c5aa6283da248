/** Numbers and times as the page shows them. Pure. */
import type { ColumnHead } from './document.ts';

/**
 * A cell as text. The page's script gets the text of this very function, so it may use nothing beside itself.
 * Three digits tell at 3 a.m. what there is to know; the unit is that of the form.
 */
export function cellText(value: number | null, form: string): string {
  if (value === null || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const digits = (number: number): string => {
    const absolute = Math.abs(number);
    if (number === 0) return '0';
    if (absolute >= 99.95) return String(Math.round(number));
    if (absolute >= 0.995) return String(Number(number.toFixed(absolute >= 9.995 ? 1 : 2)));
    return absolute < 0.0005 ? `${number < 0 ? '-' : ''}<0.001` : String(Number(number.toPrecision(2)));
  };
  const scaled = (number: number, step: number, prefixes: readonly string[]): string => {
    let rest = number;
    let at = 0;
    while (Math.abs(rest) >= step * 0.9995 && at < prefixes.length - 1) {
      rest /= step;
      at += 1;
    }
    return digits(rest) + (prefixes[at] ?? '');
  };
  switch (form) {
    case 'ratio':
      return `${digits(value * 100)} %`;
    case 'bits':
      return scaled(value * 8, 1000, ['', 'k', 'M', 'G', 'T', 'P']);
    case 'bytes':
      return scaled(value, 1024, ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi']);
    case 'boolean':
      return value === 0 ? 'no' : 'yes';
    case 'seconds': {
      if (size < 0.001 && size > 0) return `${digits(value * 1e6)}µs`;
      if (size < 1 && size > 0) return `${digits(value * 1000)}ms`;
      if (size < 60) return `${digits(value)}s`;
      const sign = value < 0 ? '-' : '';
      const whole = Math.round(size);
      if (whole < 3600) return `${sign}${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
      const minutes = Math.floor(whole / 60);
      if (whole < 86_400) return `${sign}${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`;
      return `${sign}${Math.floor(minutes / 1440)}d${Math.floor((minutes % 1440) / 60)}h`;
    }
    default:
      return scaled(value, 1000, ['', 'k', 'M', 'G', 'T', 'P']);
  }
}

/** What the numbers of a column are, in words: beside its title where there is room. */
export function unitText({ form, unit }: ColumnHead): string {
  if (form === 'bits') return 'bits per second';
  return form === 'ratio' || form === 'boolean' ? '' : unit.replaceAll('_', ' ');
}

export type Grade = 'bad' | 'warn';

export function gradeOf(value: number | null, { warnAt, badAt, below }: ColumnHead): Grade | undefined {
  if (value === null) return undefined;
  const reaches = (limit: number | undefined): boolean =>
    limit !== undefined && (below === true ? value <= limit : value >= limit);
  if (reaches(badAt)) return 'bad';
  return reaches(warnAt) ? 'warn' : undefined;
}

/** How long ago: `3m12s`. A clock that was set back makes nothing older than now. */
export function ageText(atMs: number, nowMs: number): string {
  return cellText(Math.round(Math.max(0, nowMs - atMs) / 1000), 'seconds');
}

/** The time of day where the daemon runs: `21:04:06`. */
export function clockText(atMs: number): string {
  return new Date(atMs).toTimeString().slice(0, 8);
}

/** `UTC+01:00`. */
export function zoneText(atMs: number): string {
  const minutes = -new Date(atMs).getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}
