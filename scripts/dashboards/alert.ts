/** What an alert rule is, whatever evaluates it. */
import type { Instrument } from './catalogue.ts';
import { call, text, type Wrap } from './graphite-functions.ts';
import { type Naming, nodeOf, type Places, seriesOf } from './naming.ts';

export interface Alert {
  /** In lower case with dashes: names the rule for programs. */
  readonly id: string;
  readonly title: string;
  readonly severity: 'critical' | 'warning';
  readonly instrument: Instrument;
  readonly places: Places;
  /** A label that some machines have and others have not; it stands in the path of the former. */
  readonly maybe?: string;
  /** Makes a value of the series whose last point is above the threshold while it is bad, and only then. */
  readonly judge: Wrap;
  readonly above: number;
  /** How far back is looked for that last point. */
  readonly lookBackMinutes: number;
  /** What a fired one shows. */
  readonly shows: readonly string[];
  /** In words: of what, how much, for how long. */
  readonly condition: string;
  readonly meaning: string;
  readonly action: string;
  /** No series at all is an alert too. */
  readonly nothingIsBad?: boolean;
}

/** Stands for series that do not exist; a legend takes nodes from it as from others. */
const nothing = call('alias', call('constantLine', 1), text(Array(6).fill('none').join('.')));

export const prefix = 'edge';
const everywhere = { prefix, target: '*' };

/** One series for each thing that is watched; its last value is compared. */
export function judged({ instrument, places, maybe, judge, nothingIsBad = false }: Alert, naming: Naming): string {
  const of = (all: Places): string => seriesOf(instrument, all, everywhere, naming);
  const series = maybe === undefined ? of(places) : call('group', of(places), of({ ...places, [maybe]: '*' }));
  // Bad, where there is nothing that could be.
  return nothingIsBad ? call('fallbackSeries', judge(series), nothing) : judge(series);
}

/** What fires, and nothing else: no series at all is well, but for a rule that is about that. */
export function fired(alert: Alert, naming: Naming): string {
  const { instrument, places, shows, above } = alert;
  const nodes = shows.map((what) => nodeOf(what, instrument, places, naming));
  const bad = call('filterSeries', judged(alert, naming), text('last'), text('>'), above);
  return call('aliasByNode', bad, ...nodes);
}
