/** Values and declarations → samples, and what is missing, unknown or not declared. Pure. */
import { Failure } from '../../src/errors.ts';
import { type Sample, sample } from '../../src/metric.ts';
import { matcher, quoted } from '../../src/text.ts';
import type { Declared, ExecOptions } from './options.ts';
import type { Value } from './record.ts';
import { converted } from './units.ts';

export interface Measured {
  readonly samples: readonly Sample[];
  readonly problems: readonly Failure[];
  /** Values that no metric declares, each name once. */
  readonly undeclared: readonly string[];
  /** Declared metrics of which nothing was printed. */
  readonly absent: readonly Declared[];
  /** Those without a number: absent, or unknown. */
  readonly missing: number;
}

/** So many are named in one problem. */
const MAX_NAMED = 8;

export function measure(
  values: readonly Value[],
  declared: readonly Declared[],
  { format, ignore, maxSeries }: Pick<ExecOptions, 'format' | 'ignore' | 'maxSeries'>,
  check: string,
): Measured {
  const samples: Sample[] = [];
  const unknown: Failure[] = [];
  const undeclared = new Set<string>();
  const found = new Set<Declared>();
  const sent = new Set<Declared>();
  const isIgnored = matcher(ignore);
  const matches = declared.map((one) => ({ one, labelsOf: labelReader(one, format) }));
  let over = 0;

  for (const value of values) {
    let isDeclared = false;
    const parts = partsOf(value.name, format);
    for (const { one, labelsOf } of matches) {
      const own = labelsOf(value, parts);
      if (own === undefined) continue;
      isDeclared = true;
      found.add(one);
      const labels = { check, ...own };
      const taken = numberOf(value, one);
      if (typeof taken === 'string') {
        const message = `${one.name} is unknown: of ${quoted(value.name)} the program says: ${taken}`;
        unknown.push(new Failure('E_SAMPLE', message, { labels }));
      } else if (samples.length >= maxSeries) over += 1;
      else {
        sent.add(one);
        const { countedAtMs } = value;
        const made = sample(one.metric, taken, labels);
        samples.push(countedAtMs === undefined ? made : { ...made, countedAtMs });
      }
    }
    if (!isDeclared && !isIgnored(value.name)) undeclared.add(calledIn(value));
  }
  const absent = declared.filter((one) => !found.has(one));
  const problems = few(unknown, check);
  if (over > 0) {
    const message = `${over} more values would be sent than the option maxSeries allows (${maxSeries})`;
    problems.push(new Failure('E_SAMPLE', message, { count: over, labels: { check } }));
  }
  return { samples, problems, undeclared: [...undeclared], absent, missing: declared.length - sent.size };
}

/** Labels tell items of one name apart. */
function calledIn({ name, labels = {} }: Value): string {
  const names = Object.keys(labels);
  return names.length === 0 ? name : `${name} with ${names.join(', ')}`;
}

/** Of very many a few are told apart; the rest, whichever they are, are unknown too. */
function few(problems: readonly Failure[], check: string): Failure[] {
  const rest = problems.length - MAX_NAMED;
  if (rest <= 0) return [...problems];
  const more = new Failure('E_SAMPLE', `${rest} more values are unknown`, { count: rest, labels: { check } });
  return [...problems.slice(0, MAX_NAMED), more];
}

/** The number in the unit of the metric, or why there is none. */
function numberOf(value: Value, one: Declared): number | bigint | string {
  const { kind, field, name } = one;
  const number = value[field];
  if (value.value === undefined) return value.why ?? 'no number';
  if (number === undefined) return `it has no ${field}`;
  if (value.kind !== undefined && (value.kind === 'counter') !== (kind === 'counter'))
    return `it is a ${value.kind}, and declared as a ${kind}`;
  const taken = converted(number, value.unit, one);
  if (typeof taken !== 'string' && kind === 'counter' && taken < 0)
    return `${name} is a counter, and ${taken} no total`;
  return taken;
}

/** A star stands for no more than a part: of Graphite's paths a segment. */
function partsOf(name: string, format: ExecOptions['format']): readonly string[] {
  return format === 'graphite' ? name.split('.') : [name];
}

/** The labels of a value that is meant, or undefined. Thousands of values are held against each declaration. */
function labelReader(
  { from, labels }: Declared,
  format: ExecOptions['format'],
): (value: Value, parts: readonly string[]) => Readonly<Record<string, string | undefined>> | undefined {
  if (format === 'json') {
    return ({ name, labels: given = {} }) => {
      if (name !== from || Object.keys(given).some((label) => !labels.includes(label))) return undefined;
      return Object.fromEntries(labels.map((label) => [label, Object.hasOwn(given, label) ? given[label] : undefined]));
    };
  }
  const wanted = partsOf(from, format).map((part) => part.split('*'));
  return (_value, parts) => {
    if (parts.length !== wanted.length) return undefined;
    const stars: string[] = [];
    for (const [index, literals] of wanted.entries()) {
      const caught = starsIn(literals, parts[index] ?? '');
      if (caught === undefined) return undefined;
      stars.push(...caught);
    }
    return Object.fromEntries(labels.map((label, index) => [label, stars[index]]));
  };
}

/** What stands for each star, at least one character and as few as can be, or undefined: the text is another one. */
export function starsIn(literals: readonly string[], text: string): string[] | undefined {
  const [first = '', ...rest] = literals;
  if (rest.length === 0) return text === first ? [] : undefined;
  if (!text.startsWith(first)) return undefined;
  const stars: string[] = [];
  let at = first.length;
  for (const [index, literal] of rest.entries()) {
    const isLast = index === rest.length - 1;
    const next = isLast ? text.length - literal.length : text.indexOf(literal, at + 1);
    if (next <= at || !text.startsWith(literal, next)) return undefined;
    stars.push(text.slice(at, next));
    at = next + literal.length;
  }
  return stars;
}

/** Declared metrics that are not in the output: what is known of them is that nothing is known. `said`: its first line. */
export function absentProblem(
  { absent, undeclared }: Pick<Measured, 'absent' | 'undeclared'>,
  declared: readonly Declared[],
  { check, said }: { readonly check: string; readonly said: string },
): Failure | undefined {
  if (absent.length === 0) return undefined;
  const names = absent.map(({ name, from }) => (name === from ? name : `${name} (${quoted(from, 60)})`));
  const others = listed(undeclared.map((name) => quoted(name, 60)));
  const there = undeclared.length === 0 ? `; it said ${quoted(said, 80)}` : `; it printed, besides, ${others}`;
  // Those with labels of their own are in question only where one of them is absent.
  const rest = declared.flatMap(({ labels }) => labels).map((label) => [label, undefined]);
  const labels = absent.some((one) => one.labels.length > 0) ? { check } : { check, ...Object.fromEntries(rest) };
  const message = `the program printed nothing of ${listed(names)}${there}`;
  return new Failure('E_PARSE', message, { count: absent.length, labels });
}

/** It says nothing of what is sent, so nothing becomes unknown by it. */
export function undeclaredProblem(undeclared: readonly string[]): Failure | undefined {
  if (undeclared.length === 0) return undefined;
  const names = listed(undeclared.map((name) => quoted(name, 60)));
  const message = `no metric declares ${names}; add what you want to "metrics", and the rest to "ignore"`;
  return new Failure('E_PARSE', message, { count: undeclared.length, series: '' });
}

function listed(names: readonly string[]): string {
  const first = names.slice(0, MAX_NAMED).join(', ');
  return names.length > MAX_NAMED ? `${first} and ${names.length - MAX_NAMED} more` : first;
}
