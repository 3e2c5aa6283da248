/** The options, and the metrics that they declare. */
import { z } from 'zod';
import { metricFault } from '../../src/collector.ts';
import { counter, gauge, type Metric } from '../../src/metric.ts';
import { metrics as own } from './metrics.ts';
import { formats } from './parse.ts';

/** First in every series, so that several programs of one target do not meet. */
export const CHECK = 'check';

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const SUFFIXES = ['bytes', 'seconds', 'ratio', 'percent', 'celsius'];

const declaration = z.strictObject({
  name: z.string().describe('The last segment of the series: snake_case, with the unit as suffix.'),
  kind: z.enum(['gauge', 'counter']).describe('gauge: the value now; counter: a total that only grows.'),
  unit: z
    .string()
    .regex(NAME, 'expected a unit, such as seconds, bytes, ratio, percent, or what is counted (connections)')
    .describe('What it is sent in.'),
  labels: z.array(z.string()).default([]).describe('One for each * of "from"; of JSON, the labels by their names.'),
  help: z.string().optional().describe('What it means.'),
  from: z.string().min(1).optional().describe('What the program calls it, with * for a label; default: the name.'),
  field: z.enum(['value', 'min', 'max']).default('value').describe('Of perfdata: which of its numbers.'),
  scale: z.number().positive().optional().describe('Multiplies what is printed without a unit.'),
  kilo: z.literal([1000, 1024]).optional().describe('What KB, MB and so on are powers of.'),
});

export type Declaration = z.infer<typeof declaration>;

const shape = z.strictObject({
  command: z
    .array(z.string().regex(/^[^\0]*$/, 'expected a text without NUL'))
    .min(1)
    .describe('The program and its arguments, word by word: there is no shell.'),
  check: z
    .string()
    .min(1)
    .optional()
    .describe('Stands first in the series; default: the name of the program. Each job of a target needs its own.'),
  format: z.enum(formats).default('nagios').describe('What the program prints.'),
  metrics: z
    .array(declaration)
    .max(500)
    .default([])
    .describe('What is sent of what it prints; without it, the status alone.'),
  ignore: z.array(z.string().min(1)).default([]).describe('Globs of what it prints besides, and is not to be told of.'),
  maxSeries: z.int().min(1).max(20_000).default(1000).describe('At most so many values are sent, the first.'),
});

export const options = shape.superRefine(({ command, metrics, format }, context) => {
  const tell = (path: (string | number)[], message: string): void =>
    void context.addIssue({ code: 'custom', path, message });
  if (command[0] === '') tell(['command', 0], 'expected the name of a program');
  const firsts = new Map<string, number>();
  for (const [index, one] of metrics.entries()) {
    const at = ['metrics', index];
    const fault = declarationFault(one, format);
    if (fault !== undefined) tell(at, fault);
    const first = firsts.get(one.name);
    if (first !== undefined) tell([...at, 'name'], `metrics[${first}] is called ${JSON.stringify(one.name)} too`);
    firsts.set(one.name, first ?? index);
  }
});

export type ExecOptions = z.infer<typeof options>;

/** What is wrong with one declaration by itself, or undefined. */
function declarationFault(one: Declaration, format: ExecOptions['format']): string | undefined {
  const { name, labels, unit, field, kilo } = one;
  const from = one.from ?? name;
  const fault = metricFault(metricOf(one));
  if (fault !== undefined) return fault;
  if (Object.hasOwn(own, name)) return `${name} is a metric of the collector itself; choose another name`;
  if (labels.includes(CHECK)) return `the label ${CHECK} is there already: it is the option of that name`;
  if (new Set(labels).size < labels.length) return 'a label stands twice';
  const suffix = SUFFIXES.find((one) => name.endsWith(`_${one}`));
  if (suffix !== undefined && suffix !== unit) return `${name} says ${suffix}, and its unit is ${unit}`;
  const stars = from.split('*').length - 1;
  if (format !== 'json' && stars !== labels.length)
    return `${JSON.stringify(from)} has ${stars} * and ${labels.length} labels; expected one label for each *`;
  if (format !== 'nagios' && (field !== 'value' || kilo !== undefined))
    return 'field and kilo are of perfdata (format: nagios)';
  return undefined;
}

function metricOf({ name, kind, unit, labels, help, from }: Declaration): Metric {
  const about = { unit, labels: [CHECK, ...labels], help: help ?? 'Declared by the job.', source: from ?? name };
  return kind === 'gauge' ? gauge(name, about) : counter(name, about);
}

export interface Declared extends Declaration {
  readonly from: string;
  readonly metric: Metric;
}

const known = new WeakMap<ExecOptions, readonly Declared[]>();

/** The declared metrics: the same ones in every run with these options, as what is remembered of a series is by them. */
export function declaredIn(given: ExecOptions): readonly Declared[] {
  const before = known.get(given);
  if (before !== undefined) return before;
  const made = given.metrics.map((one) => ({ ...one, from: one.from ?? one.name, metric: metricOf(one) }));
  known.set(given, made);
  return made;
}

/** What the label `check` says: the name of the program, which behind sudo is the first word with a path. */
export function checkName({ check, command }: ExecOptions): string {
  if (check !== undefined) return check;
  const [first = '', ...rest] = command;
  const program = baseName(first) === 'sudo' ? (rest.find((word) => word.startsWith('/')) ?? first) : first;
  return baseName(program);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
