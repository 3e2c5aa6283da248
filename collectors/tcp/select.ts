/** Which columns are sent: options → selection, records → samples. Pure. */
import { type Sample, sample } from '../../src/metric.ts';
import { matcher } from '../../src/text.ts';
import { groups, metricOf, ratioMetrics } from './metrics.ts';
import type { Field } from './parse.ts';

export interface SelectionOptions {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly all: boolean;
  readonly mptcp: boolean;
  readonly snmp6: boolean;
}

export interface Selection {
  /** Whether a metric of this group is sent. */
  sends(name: string, asked: 'default' | 'mptcp' | 'snmp6'): boolean;
  /** Names of the ratios to compute. */
  readonly ratios: readonly string[];
  /** Metrics that a wanted ratio needs, sent or not. */
  readonly operands: ReadonlySet<string>;
}

export function createSelection(options: SelectionOptions): Selection {
  const included = matcher(options.include);
  const excluded = matcher(options.exclude);
  const sends: Selection['sends'] = (name, asked) => {
    if (excluded(name)) return false;
    return asked === 'default' ? options.all || included(name) : options[asked];
  };
  const ratios = ratioMetrics.filter((ratio) => sends(ratio.name, 'default'));
  const operands = new Set(
    ratios.flatMap((ratio) => [ratio.numerator?.name ?? '', ...(ratio.denominator ?? []).map((metric) => metric.name)]),
  );
  return { sends, ratios: ratios.map((ratio) => ratio.name), operands };
}

/** Samples of one namespace; undefined is the one that edgestatd itself is in, and has no label. */
export function measure(fields: readonly Field[], namespace: string | undefined, selection: Selection): Sample[] {
  const labels = { namespace };
  const samples: Sample[] = [];
  for (const { group, column, value } of fields) {
    const metric = metricOf(group, column);
    if (selection.sends(metric.name, groups[group].asked)) samples.push(sample(metric, value, labels));
    else if (selection.operands.has(metric.name)) samples.push({ ...sample(metric, value, labels), quiet: true });
  }
  return samples;
}
