/**
 * THE CONTRACT between edgestatd and its collectors.
 *
 * Target: a configured machine. Host: a target as one run sees it. Collector: knows one kind of thing to measure.
 * Job: collector × target × schedule × options. Run: one execution of a job. Record: what a parser made of text.
 * Sample: one number with its metric and labels. Reading: samples and problems. Batch: a reading with its identity
 * and time. Sink: where batches go. Series: the final dotted path. Point: a sample with its series, as sinks get it.
 */
import { z } from 'zod';
import { Failure } from './errors.ts';
import type { Host } from './host.ts';
import type { Kind, Metric, Sample } from './metric.ts';
import type { Table } from './table.ts';
import { tablesFault } from './table-faults.ts';
import { DURATION_FORM, DURATION_PATTERN, durationMs, SIZE_FORM, SIZE_PATTERN, sizeBytes } from './units.ts';

export type { FilePart, Host, HttpOptions, Kept, Lasting, NetlinkRequest, Outcome } from './host.ts';
export type { Column, Table } from './table.ts';

export interface Context<Options> {
  readonly host: Host;
  readonly options: Options;
  /** When the reading began, in milliseconds since the epoch: the run, or of a remote machine when it was reached. */
  readonly atMs: number;
  /** The same in monotonic milliseconds: for time spans, since the wall clock may be set meanwhile. */
  readonly readAtMs: number;
  /** After so many milliseconds the run is ended, whatever it has; undefined: nobody ends it. */
  readonly timeoutMs?: number | undefined;
  /** Monotonic milliseconds since the run began: of `timeoutMs`, and for what a part of the run takes. */
  elapsedMs(): number;
  /** How far apart the runs of the job are, in milliseconds; undefined: this is none of a job (trace). */
  readonly intervalMs?: number | undefined;
  /** Undefined: this is none of a job (check, trace). */
  readonly memo?: Memo | undefined;
}

/**
 * What a job knows from one run to the next and, where the configuration names a `state` file, beyond a restart: one
 * text. What a run writes counts when its reading was handed on, so that a run that failed has changed nothing.
 */
export interface Memo {
  /** What the run before wrote; undefined: nothing. */
  read(): string | undefined;
  /** At most 16 MiB of UTF-8. */
  write(text: string): void;
}

/** Something that happened at a time of its own and is worth an event, such as a hard problem in a log. */
export interface Offer {
  /** Says which occurrence it is: the same one may be offered again, and is one event. */
  readonly id: string;
  /** One line. What an event cannot hold is cut or replaced. */
  readonly what: string;
  readonly tags: readonly string[];
  readonly data?: string;
  /** When it happened, in milliseconds since the epoch. */
  readonly atMs: number;
}

export interface Reading {
  readonly samples: readonly Sample[];
  /** What could not be read, while what is in `samples` remains true. */
  readonly problems?: readonly Failure[];
  /**
   * Label scopes that this run deliberately did not read, as an expensive part is read every k-th run: `{}` is all, and
   * labels match as those of a problem's evidence. What they cover is unknown, however long; what is new at the next
   * reading of a scope is new since the last run that read it.
   */
  readonly unread?: readonly Readonly<Record<string, string | undefined>>[];
  /** Names of the catalogue's ratio and derived metrics that are wanted; absent: all whose metrics are in `samples`. */
  readonly ratios?: readonly string[];
  /** Taken in as events where the configuration has `events`. */
  readonly offers?: readonly Offer[];
}

/** One thing that a collector needs, tried. */
export interface Verdict {
  readonly level: 'ok' | 'warn' | 'fail';
  /** What was tried and found, and what to do about it. */
  readonly text: string;
}

/** One link of a chain that a collector explains, in the order in which a packet or an operator meets them. */
export interface Hop {
  /** What kind of thing it is, in the field's words: `interface`, `queue`, `class`. */
  readonly kind: string;
  /** Which one: its name, row or id. Undefined: the chain is broken here. */
  readonly identity: string | undefined;
  /** What is known of it, in the order in which it is shown. */
  readonly facts: Readonly<Record<string, string | number | boolean | undefined>>;
  /** The command that shows it, word by word. */
  readonly command?: readonly string[];
  /** What is missing or wrong here, and what that means. */
  readonly broken?: string;
}

export interface Trace {
  /** What the words were taken for: `ip 10.0.0.37`. */
  readonly subject: string;
  /** One for each way that was found; none: nothing is known of the subject. */
  readonly chains: readonly (readonly Hop[])[];
  readonly problems: readonly Failure[];
}

export interface Collector<Options = unknown> {
  /** Folder, configuration key and path segment: `[a-z][a-z0-9_]*`. */
  readonly name: string;
  /** A strict object schema; its defaults are the collector's defaults. */
  readonly options: z.ZodType<Options>;
  readonly metrics: Readonly<Record<string, Metric>>;
  /** It follows something by its memo, so that without a `state` file it begins anew at each restart. */
  readonly remembers?: true;
  /** What `top` and the status page show. */
  readonly tables?: readonly Table[];
  /** Reads once. An exception ends the run (`up 0`); problems are values. Never called twice at once for one job. */
  collect(context: Context<Options>): Promise<Reading>;
  /** For `edgestatd check`: tries what the collector needs (sockets, permissions, programs and their versions). */
  check?(context: Context<Options>): Promise<readonly Verdict[]>;
  /** For `edgestatd trace WHAT`: explains one thing. Undefined: it is none of this collector's. */
  trace?(context: Context<Options>, what: string): Promise<Trace | undefined>;
}

/** An option that is a duration (`10s`); as milliseconds after parsing. */
export function duration(minMs = 1, maxMs = 86_400_000 * 365) {
  return z
    .string({ error: `expected ${DURATION_FORM}` })
    .regex(DURATION_PATTERN, `expected ${DURATION_FORM}`)
    .transform((text) => durationMs(text) ?? Number.NaN)
    .refine((ms) => ms >= minMs && ms <= maxMs, `expected a duration from ${minMs}ms to ${maxMs}ms`);
}

/** An option that is a size, such as `64MiB`; the configuration gives it as text, the code gets bytes. */
export function size(minBytes: number, maxBytes = Number.MAX_SAFE_INTEGER) {
  return z
    .string()
    .regex(SIZE_PATTERN, `expected ${SIZE_FORM}`)
    .transform((text) => sizeBytes(text) ?? Number.NaN)
    .refine((bytes) => bytes >= minBytes && bytes <= maxBytes, `expected a size from ${minBytes}B to ${maxBytes}B`);
}

/**
 * An option that is a secret. The configuration gives it by reference alone: `${env:NAME}` or `${credential:NAME}`; one
 * that stands in the file itself is refused, and never shown. Beside it belongs an option of the same name and `File`.
 */
export function secret() {
  return z.string().min(1).meta({ secret: true });
}

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const KINDS: ReadonlySet<Kind> = new Set<Kind>(['gauge', 'counter', 'ratio', 'derived', 'duration']);

/** What is wrong with a metric's declaration, or undefined. Its name and labels go into lines as they are. */
export function metricFault(metric: Metric): string | undefined {
  if (typeof metric?.name !== 'string' || !NAME.test(metric.name)) {
    return `metric name ${JSON.stringify(metric?.name)} must match ${NAME.source}`;
  }
  if (metric.name.endsWith('_total')) return `metric ${metric.name}: totals are a counter's nature, drop the suffix`;
  if (!KINDS.has(metric.kind)) return `metric ${metric.name}: kind must be one of ${[...KINDS].join(', ')}`;
  if (!Array.isArray(metric.labels) || !metric.labels.every((label) => NAME.test(String(label)))) {
    return `metric ${metric.name}: labels must be a list of names that match ${NAME.source}`;
  }
  const { tags = [], labels } = metric;
  if (!Array.isArray(tags) || !tags.every((tag) => NAME.test(String(tag)) && !labels.includes(tag))) {
    return `metric ${metric.name}: tags must be a list of names that match ${NAME.source}, none of them a label`;
  }
  return metric.kind === 'derived' ? derivedFault(metric) : undefined;
}

/** Metrics of one entity are those with the same labels, so nothing else could be found to compute with. */
function derivedFault({ name, of, compute, labels }: Metric): string | undefined {
  const operands = Object.values(of ?? {});
  if (typeof compute !== 'function' || operands.length === 0) {
    return `metric ${name}: make what is derived with derived(), rate() or growth()`;
  }
  for (const operand of operands) {
    if (operand?.kind !== 'gauge' && operand?.kind !== 'counter') {
      return `metric ${name}: ${operand?.name} is a ${operand?.kind}; it can be derived from gauges and counters alone`;
    }
    if (operand.labels.join() !== labels.join()) {
      return `metric ${name}: ${operand.name} has the labels [${operand.labels}]; expected those of the first, [${labels}]`;
    }
  }
  return undefined;
}

/** Checks a collector's declaration (`E_CONFIG` says what is wrong) and infers its option type for the author. */
export function defineCollector<Options>(collector: Collector<Options>): Collector<Options> {
  const wrong = (what: string): never => {
    throw new Failure('E_CONFIG', `collector ${JSON.stringify(collector?.name)}: ${what}`);
  };
  if (typeof collector !== 'object' || collector === null) wrong('must be an object');
  if (typeof collector.name !== 'string' || !NAME.test(collector.name)) wrong(`name must match ${NAME.source}`);
  if (collector.name === 'edgestatd') wrong('this name is the daemon’s own');
  if (typeof collector.collect !== 'function') wrong('collect must be a function');
  if (typeof collector.options?.safeParse !== 'function') wrong('options must be a zod schema');
  const seen = new Set<string>();
  for (const metric of Object.values(collector.metrics ?? {})) {
    const fault = metricFault(metric);
    if (fault !== undefined) wrong(fault);
    if (seen.has(metric.name)) wrong(`metric ${metric.name} is declared twice`);
    seen.add(metric.name);
  }
  if (seen.size === 0) wrong('metrics must declare at least one metric');
  const fault = tablesFault(collector.tables, Object.values(collector.metrics));
  if (fault !== undefined) wrong(fault);
  return collector;
}
