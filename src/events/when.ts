/** Times at which something happened, as people and programs write them. Pure. */
import { quoted } from '../text.ts';

export interface Moment {
  /** Whole microseconds since the epoch. */
  readonly whenUs: number;
  /** It was told as a time before now, or not at all. */
  readonly isRelative: boolean;
}

const AGO = /^-([0-9]{1,9}(?:\.[0-9]+)?)(ms|s|m|h|d|w)$/;
const AGO_US: Readonly<Record<string, number>> = { ms: 1e3, s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6, w: 604_800e6 };
const SECONDS = /^[+-]?[0-9]+(?:\.[0-9]+)?$/;
const ISO = new RegExp(
  '^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?' +
    ' ?(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$',
);
const MAX_TEXT = 64;
/** Clocks differ, and a maintenance may be announced the evening before. */
const MAX_AHEAD_US = 86_400e6;
const FORM =
  'expected seconds since the epoch (1700000000.5), ISO 8601 with a zone (2026-11-21T10:00:00Z), or a time ago (-90m)';
/** Later than this in seconds is none of our time, and in milliseconds it is 1973: somebody took a wrong unit. */
const TOO_MANY_SECONDS = 1e11;

/** The moment, or what is wrong with it (`is "…"; expected …`). */
export function whenOf(value: number | string, nowUs: number): Moment | string {
  if (typeof value === 'number') return ofSeconds(value, String(value));
  const text = value.trim();
  if (text.length > MAX_TEXT) return `is a text of ${text.length} characters; ${FORM}`;
  if (text === 'now') return { whenUs: nowUs, isRelative: true };
  const [, count = '', unit = ''] = AGO.exec(text) ?? [];
  const unitUs = AGO_US[unit];
  if (unitUs !== undefined) return { whenUs: Math.round(nowUs - Number(count) * unitUs), isRelative: true };
  if (SECONDS.test(text)) return ofSeconds(Number(text), text);
  return ofIso(text) ?? `is ${quoted(text, MAX_TEXT)}; ${FORM}`;
}

/** What is wrong with a moment that was understood, or undefined. */
export function whenFault(whenUs: number, nowUs: number): string | undefined {
  if (whenUs < 0) return `is before 1970 (${told(whenUs)}); expected seconds since the epoch`;
  const aheadUs = whenUs - nowUs;
  if (aheadUs <= MAX_AHEAD_US) return undefined;
  const now = `${Math.floor(nowUs / 1e6)} is now`;
  return `is ${span(aheadUs)} in the future (${told(whenUs)}); expected at most a day; ${now}`;
}

function ofSeconds(seconds: number, text: string): Moment | string {
  if (!Number.isFinite(seconds)) return `is ${text.slice(0, 40)}; ${FORM}`;
  if (seconds < 0) return `is ${text.slice(0, 40)}, which is before 1970; ${FORM}; a time ago has its unit: -90m`;
  if (seconds >= TOO_MANY_SECONDS) return wrongUnit(seconds, text);
  return { whenUs: Math.round(seconds * 1e6), isRelative: false };
}

const UNITS = [
  ['milliseconds', 1e3],
  ['microseconds', 1e6],
  ['nanoseconds', 1e9],
] as const;

function wrongUnit(seconds: number, text: string): string {
  const [unit, factor] = UNITS.find(([, each]) => seconds / each < TOO_MANY_SECONDS / 10) ?? ['', 0];
  if (factor === 0) return `is ${text.slice(0, 40)}; ${FORM}`;
  return `is ${text.slice(0, 40)}, which looks like ${unit}; expected seconds: did you mean ${seconds / factor}?`;
}

function ofIso(text: string): Moment | string | undefined {
  const parts = ISO.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone] = parts;
  if (hour === undefined) return `is ${quoted(text)}, a day; expected its time and zone too: ${text}T10:00:00Z`;
  if (zone === undefined) {
    const iso = text.replace(' ', 'T');
    return `is ${quoted(text)}, without a zone; did you mean "${iso}Z" (UTC), or "${iso}+01:00"?`;
  }
  const numbers = [year, month, day, hour, minute, second].map(Number);
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = numbers;
  const date = new Date(0);
  // Not Date.UTC(), which takes the year 26 for 1926.
  date.setUTCFullYear(y, mo - 1, d);
  date.setUTCHours(h, mi, s, 0);
  const back = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  back.push(date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds());
  const offsetMinutes = zoneMinutes(zone);
  if (back.some((number, at) => number !== numbers[at]) || offsetMinutes === undefined) {
    return `is ${quoted(text)}, which no calendar and clock has; ${FORM}`;
  }
  // By its digits: 0.000003 times a million is less than 3.
  const us = Number(fraction.slice(0, 6).padEnd(6, '0'));
  return { whenUs: (date.getTime() - offsetMinutes * 60_000) * 1000 + us, isRelative: false };
}

function zoneMinutes(zone: string): number | undefined {
  if (/^z$/i.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 14 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (60 * hours + minutes);
}

function told(us: number): string {
  const date = new Date(us / 1000);
  return Number.isNaN(date.getTime()) ? `${us / 1e6} s` : date.toISOString();
}

/** `3 d`, `2 years`: how long, roughly. */
function span(us: number): string {
  const days = us / 86_400e6;
  if (days > 730) return `${Math.round(days / 365.25)} years`;
  return days >= 2 ? `${Math.round(days)} days` : `${Math.round(us / 3600e6)} hours`;
}
