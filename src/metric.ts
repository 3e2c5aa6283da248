import { Failure } from './errors.ts';

/**
 * Metrics are instruments, declared once in a collector's catalogue; samples are numbers taken with them.
 *
 * - `gauge`: the value now. `counter`: a total that only grows while its entity lives; sinks get increments.
 * - `ratio`: computed from two other metrics of the same labels (`totals.ts`), never sampled.
 * - `derived`: computed from other metrics of the same labels by a function of the collector's, never sampled.
 * - `duration`: how long one thing took, in seconds; StatsD gets it as a timer.
 */
export type Kind = 'gauge' | 'counter' | 'ratio' | 'derived' | 'duration';

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
  /** Derived: what it is computed from, by the names that `compute` knows them by. */
  readonly of?: Readonly<Record<string, Metric<Label>>>;
  /** Derived: the value in its unit; undefined or not finite: there is none. */
  compute?(operands: Readonly<Record<string, Operand>>): number | undefined;
}

/** A gauge or counter as `compute` of a derived metric sees it: what one series shows in one run. */
export interface Operand {
  /** A gauge's value, or a counter's increment since the reading before, in the unit of the metric. */
  readonly value: number;
  /** How much it grew since the reading before, which for a gauge may be negative; for a counter the same as `value`. */
  readonly change: number;
  /** Monotonic seconds since the reading before of this very series; more than 0. */
  readonly elapsedSeconds: number;
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
   * When the source counted it, in milliseconds of the source's own clock, where that is not when it was read: a broker
   * that counts every five seconds. Only differences are taken, so that a rate is exact however it falls between runs.
   */
  readonly countedAtMs?: number | undefined;
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

/**
 * Computed from gauges and counters of the same labels. It has the first one's labels and tags. Absent where the source
 * lacks one of them, unknown while a counter has no increment. `change` and `elapsedSeconds` of a gauge make it unknown
 * where they are read and there is no reading before.
 */
export function derived<const Label extends string, const Name extends string>(
  name: string,
  about: {
    readonly unit: string;
    readonly of: { readonly [Each in Name]: Metric<Label> };
    readonly help: string;
    /** Default: `from`, and the names of what it is computed from. */
    readonly source?: string;
    readonly compute: (operands: { readonly [Each in Name]: Operand }) => number | undefined;
  },
): Metric<Label> {
  const operands = Object.values<Metric<Label>>(about.of);
  const [first] = operands;
  const source = `from ${operands.map((metric) => metric.name).join(', ')}`;
  const shared = { labels: first?.labels ?? [], ...(first?.tags === undefined ? {} : { tags: first.tags }) };
  // What is computed has an operand for each name of `of`.
  const compute = about.compute as NonNullable<Metric['compute']>;
  return { name, kind: 'derived', source, ...shared, ...about, compute };
}

/** A counter's increment per second, in `<its unit>_per_second`. `E_CONFIG` where it is none of a counter. */
export function rate<const Label extends string>(
  name: string,
  { of, help }: { readonly of: Metric<Label>; readonly help: string },
): Metric<Label> {
  mustBe('counter', name, of);
  return derived(name, {
    ...{ unit: `${of.unit}_per_second`, of: { counted: of }, help, source: `${of.name} per second` },
    compute: ({ counted }) => counted.value / counted.elapsedSeconds,
  });
}

/** A gauge's change per second, which may be negative, in `<its unit>_per_second`. `E_CONFIG` where it is no gauge. */
export function growth<const Label extends string>(
  name: string,
  { of, help }: { readonly of: Metric<Label>; readonly help: string },
): Metric<Label> {
  mustBe('gauge', name, of);
  return derived(name, {
    ...{ unit: `${of.unit}_per_second`, of: { level: of }, help, source: `change of ${of.name} per second` },
    compute: ({ level }) => level.change / level.elapsedSeconds,
  });
}

function mustBe(kind: Kind, name: string, of: Metric): void {
  if (of.kind !== kind) throw new Failure('E_CONFIG', `metric ${name}: ${of.name} is a ${of.kind}; expected a ${kind}`);
}

/** Whether it is computed from others by `totals.ts`, and never sampled. */
export function isComputed({ kind }: Metric): boolean {
  return kind === 'ratio' || kind === 'derived';
}

/** What a computed metric is computed from. */
export function operandsOf({ numerator, denominator = [], of = {} }: Metric): readonly Metric[] {
  return [...(numerator === undefined ? [] : [numerator]), ...denominator, ...Object.values(of)];
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
