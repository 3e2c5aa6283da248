/** Graphite's functions as texts: what is written is what `/render?target=` takes. */

/** A series or a call of a function on series. */
export type Wrap = (series: string) => string;

type Argument = string | number;

/** `call('alias', 'a.b', text('x'))` → `alias(a.b,"x")`. */
export const call = (name: string, ...args: readonly Argument[]): string => `${name}(${args.join(',')})`;

/** A text in quotes. */
export const text = (value: string): string => {
  if (/["\\\n]/.test(value)) throw new Error(`a text of a Graphite expression may not hold quotes: ${value}`);
  return `"${value}"`;
};

/** The largest by average over the time shown; no more, so that a graph can be read. */
export const top =
  (most: number): Wrap =>
  (series) =>
    call('highestAverage', series, most);

export const times =
  (factor: number): Wrap =>
  (series) =>
    call('scale', series, factor);

/** Only series that were above it once. */
export const everAbove =
  (least: number): Wrap =>
  (series) =>
    call('maximumAbove', series, least);

export const shifted =
  (by: string): Wrap =>
  (series) =>
    call('timeShift', series, text(by));

/** One point in ten minutes: what is coarser than the archives, so that a week of it has the same step everywhere. */
export const smooth: Wrap = (series) => call('summarize', series, text('10min'), text('avg'));

/** What the week before makes usual at this time of the day. */
export const usual: Wrap = (series) => call('holtWintersConfidenceBands', smooth(series));

/** How far above (or below) that it was in the last ten minutes that are over: of those that run there may be nothing yet. */
export const unusual: Wrap = (series) => call('movingMax', call('holtWintersAberration', smooth(series)), 1);

/** 1 becomes 0, and 0 becomes 1. */
export const not: Wrap = (series) => call('offset', call('scale', series, -1), 1);

/** From left to right: `chain(a, b)(x)` is `b(a(x))`. */
export const chain =
  (...wraps: readonly Wrap[]): Wrap =>
  (series) =>
    wraps.reduce((inner, wrap) => wrap(inner), series);
