/** What a dashboard is, whatever shows it. */
import type { Instrument } from './catalogue.ts';
import { call, text, type Wrap } from './graphite-functions.ts';
import { type Naming, nodeOf, type Origin, type Places, seriesOf } from './naming.ts';

/** One expression of a graph, with one or many series. */
export interface Line {
  readonly instrument: Instrument;
  readonly places: Places;
  /** What the legend shows: `target`, `metric`, labels. */
  readonly legend: readonly string[];
  /** Stands before that in the legend. */
  readonly called?: string;
  readonly wrap?: Wrap;
  /** Of what is shown, where the functions change the metric's own. */
  readonly unit?: string;
}

export interface Panel {
  readonly title: string;
  /** `states`: 0 and 1 over time. `bars`: the last value of each. Lines, if not given. */
  readonly kind?: 'states' | 'bars';
  /** What to read from it; what the metrics say of themselves is added. */
  readonly about?: string;
  readonly lines: readonly Line[];
  /** Of 24; 12 if not given. */
  readonly width?: 8 | 12 | 24;
  /** A line is drawn there; above it something is bad. */
  readonly warnAbove?: number;
  /** States: the value that is well; 1 if not given. */
  readonly good?: 0 | 1;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A choice of the operator: Graphite is asked what there is. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  /** The pattern whose last node is what there is to choose from, without prefix and target. */
  readonly query: string;
  /** Last nodes that are metrics and nothing to choose. */
  readonly except?: readonly string[];
}

export interface Dashboard {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  readonly variables: readonly Variable[];
  /** Whether series have the label `cluster` where the job has that option. */
  readonly hasCluster?: boolean;
  /** Whether each graph shows the deploys where annotations are none. */
  readonly showsDeploys?: boolean;
  readonly rows: readonly Row[];
}

/** The variables of every dashboard; graphite-web has none, and gets what stands behind them. */
export const shared = { prefix: 'edge', target: '*', cluster: '' } as const;
export const origin: Origin = { prefix: '$prefix', target: '$target' };
/** `cluster` stands before the scope where a job has the option, with the dot that parts them. */
export const scoped = (scope: string): string => ['$', '{cluster}', scope].join('');

/** The expression with its legend. */
export function targetOf({ instrument, places, legend, called, wrap }: Line, naming: Naming): string {
  const series = seriesOf(instrument, places, origin, naming);
  const nodes = legend.map((what) => nodeOf(what, instrument, places, naming));
  const named = call('aliasByNode', wrap === undefined ? series : wrap(series), ...nodes);
  return called === undefined ? named : call('aliasSub', named, text('^'), text(`${called} `));
}

/** A counter is shown per second. */
export function unitOf({ instrument, unit }: Line): string {
  const { metric } = instrument;
  return unit ?? (metric.kind === 'counter' ? `${metric.unit}_per_second` : metric.unit);
}

/** What to read from a panel: its own words, and those of its metrics. */
export function aboutOf({ about, lines }: Panel): string {
  const helps = new Map(lines.map(({ instrument: { metric } }) => [metric.name, metric.help]));
  const said = [...helps].map(([name, help]) => `${name}: ${help}`);
  return [...(about === undefined ? [] : [about]), ...said].join('\n\n');
}

export const panelsOf = ({ rows }: Dashboard): Panel[] => rows.flatMap(({ panels }) => panels);

/** What graphite-web is asked, which knows no variables: everything of every target. */
export function withoutVariables(target: string): string {
  return target
    .replaceAll('$prefix', shared.prefix)
    .replace(/\$\{cluster\}/g, shared.cluster)
    .replace(/\$[a-z]+/g, '*');
}

export const line = (
  instrument: Instrument,
  places: Places,
  legend: readonly string[],
  more: Omit<Line, 'instrument' | 'places' | 'legend'> = {},
): Line => ({ instrument, places, legend, ...more });
