/**
 * Metrics are instruments, declared once in a collector's catalogue; samples are numbers taken with them.
 *
 * - `gauge`: the value now. `counter`: a total that only grows while its entity lives; sinks get increments.
 * - `ratio`: computed from two other metrics of the same labels (`totals.ts`), never sampled.
 * - `duration`: how long one thing took, in seconds; StatsD gets it as a timer.
 */
export type Kind = 'gauge' | 'counter' | 'ratio' | 'duration';

export interface Metric<Label extends string = string> {
  /** `snake_case`, base unit as suffix where there is one (`_bytes`, `_seconds`, `_ratio`). */
  readonly name: string;
  readonly kind: Kind;
  /** `bytes`, `seconds`, `segments`, `ratio` (0 to 1), `boolean` (0 or 1) and so on. */
  readonly unit: string;
  /** In the order in which their values stand in the series. */
  readonly labels: readonly Label[];
  /** Labels that stand where labels are tags, and never in the path: what identifies nothing by itself. */
  readonly tags?: readonly string[];
  readonly help: string;
  /** Where the number comes from: a kernel file and field, a man page, an RFC section. */
  readonly source: string;
  /** Counters: the width at which the source wraps. */
  readonly bits?: 32 | 64;
  /** Ratios: what is divided, and by the sum of what. */
  readonly numerator?: Metric<Label>;
  readonly denominator?: readonly Metric<Label>[];
  /** Ratios: multiplies the numerator (8 makes bits of bytes). */
  readonly factor?: number;
}

/** A label without value (undefined) is left out of the series; an empty string becomes `_`. */
export type Labels<Label extends string = string> = { readonly [Name in Label]: string | undefined };

/** One number with its metric and labels. Totals above 2^53 are bigints. */
export interface Sample {
  readonly metric: Metric;
  readonly labels: Readonly<Record<string, string | undefined>>;
  readonly value: number | bigint;
  /** Feeds ratios, and is not itself sent. */
  readonly quiet?: true;
  /**
   * What is counted was there before the job could see it (a device that was renamed, or moved here): its total is where
   * counting begins, and no increment, although its entity is new.
   */
  readonly old?: true;
  /**
   * What was counted, where its labels are found out and may change while it lives (a class and the VIF that uses it):
   * totals go on from one run to the next by it. One origin has one set of labels in a run.
   */
  readonly origin?: string;
}

interface Description<Label extends string> {
  readonly unit: string;
  readonly labels?: readonly Label[];
  readonly tags?: readonly string[];
  readonly help: string;
  readonly source: string;
}

export function gauge<const Label extends string = never>(name: string, about: Description<Label>): Metric<Label> {
  return { name, kind: 'gauge', ...about, labels: about.labels ?? [] };
}

/** `bits` is 64 unless the source is narrower (`tc`'s packets, drops and lends are 32-bit: gen_stats.h). */
export function counter<const Label extends string = never>(
  name: string,
  about: Description<Label> & { readonly bits?: 32 | 64 },
): Metric<Label> {
  return { name, kind: 'counter', bits: 64, ...about, labels: about.labels ?? [] };
}

export function duration<const Label extends string = never>(
  name: string,
  about: Omit<Description<Label>, 'unit'>,
): Metric<Label> {
  return { name, kind: 'duration', unit: 'seconds', ...about, labels: about.labels ?? [] };
}

/**
 * A counter's increment over the sum of other counters' increments, or a counter's rate per second over a gauge.
 * Absent while one of them is unknown and while the denominator is 0. It has the numerator's labels.
 */
export function ratio<const Label extends string>(
  name: string,
  about: {
    readonly numerator: Metric<Label>;
    readonly denominator: readonly Metric<NoInfer<Label>>[];
    readonly factor?: number;
    readonly help: string;
  },
): Metric<Label> {
  const { numerator, denominator } = about;
  const below = denominator.map((metric) => metric.name).join(' + ');
  const above = about.factor === undefined ? numerator.name : `${about.factor} × ${numerator.name}`;
  const shared = { labels: numerator.labels, ...(numerator.tags === undefined ? {} : { tags: numerator.tags }) };
  return { name, kind: 'ratio', unit: 'ratio', ...shared, source: `${above} / ${below}`, ...about };
}

/** Takes one sample. Labels are checked by the compiler against the metric's declaration. */
export function sample<Label extends string>(
  metric: Metric<Label>,
  value: number | bigint,
  ...labels: [Label] extends [never] ? [] : [labels: Labels<Label>]
): Sample {
  return { metric, value, labels: labels[0] ?? none };
}

const none: Readonly<Record<string, string | undefined>> = Object.freeze({});
