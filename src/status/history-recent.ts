/** How much of the last hour is shown: of a daemon that began a moment ago, not an empty chart. Pure. */
import type { HistoryDocument } from './document.ts';
import { STEPS } from './history-cell.ts';

/** In steps: 5, 15, 30 minutes, the hour. */
const SPANS = [30, 90, 180, STEPS] as const;

/** The shortest span that has all that is known; all of its series have the same. */
export function recent(history: HistoryDocument): HistoryDocument {
  const { fromSeconds, stepSeconds, series } = history;
  const first = series.reduce((least, { values }) => {
    const at = values.findIndex((value) => value !== null);
    return at < 0 ? least : Math.min(least, at);
  }, STEPS);
  const span = SPANS.find((one) => one >= STEPS - first) ?? STEPS;
  return {
    ...history,
    fromSeconds: fromSeconds + (STEPS - span) * stepSeconds,
    series: series.map((one) => ({ ...one, values: one.values.slice(-span) })),
  };
}

/** How many values each series has. */
export function spanOf({ series }: HistoryDocument): number {
  return series[0]?.values.length ?? STEPS;
}

/** `hour`, or `5 min`: what comes behind `last`. */
export function spanText(history: HistoryDocument): string {
  const minutes = Math.round((spanOf(history) * history.stepSeconds) / 60);
  return minutes === 60 ? 'hour' : `${minutes} min`;
}
