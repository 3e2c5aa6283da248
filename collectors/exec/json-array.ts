/** A JSON array of `{metric, labels, value}`, as `edgestatd once --format json` prints it → values. Pure. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { MAX_VALUES, type Printed, type Value } from './record.ts';

type Item = Readonly<Record<string, unknown>>;

/** `E_PARSE`: it is no array of objects with names. */
export function parseJson(stdout: string): Printed {
  let data: unknown;
  try {
    data = JSON.parse(stdout, exact as (this: unknown, key: string, value: unknown) => unknown);
  } catch (thrown) {
    throw new Failure(
      'E_PARSE',
      `not JSON: ${quoted((thrown as Error).message)}; it begins with ${quoted(stdout, 60)}`,
    );
  }
  if (!Array.isArray(data)) throw new Failure('E_PARSE', `expected an array, found ${quoted(stdout.trim(), 60)}`);
  const values: Value[] = [];
  const problems: Failure[] = [];
  const wrong: number[] = [];
  for (const [index, item] of data.slice(0, MAX_VALUES).entries()) {
    const value = valueIn(item);
    if (value === undefined) wrong.push(index);
    else values.push(value);
  }
  const [first] = wrong;
  if (first !== undefined) {
    const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
    const form = 'expected {"metric": text, "labels": {text: text}, "value": number}';
    problems.push(new Failure('E_PARSE', `item ${first} of the array${more}: ${form}`, { series: '' }));
  }
  if (data.length > MAX_VALUES) {
    const why = `the program printed more than ${MAX_VALUES} values; the rest are not looked at`;
    problems.push(new Failure('E_OUTPUT_SIZE', why, { count: MAX_VALUES }));
  }
  return { values, problems };
}

/** Totals above 2^53 stay exact, which without the text of the number they do not. */
function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
  return /^-?[0-9]{1,20}$/.test(source) ? BigInt(source) : value;
}

function valueIn(item: unknown): Value | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined;
  const { metric, labels = {}, value, unit = '', kind } = item as Item;
  if (typeof metric !== 'string' || typeof unit !== 'string' || !isLabels(labels)) return undefined;
  const known = { name: metric, unit, labels: namesOf(labels), kind: typeof kind === 'string' ? kind : undefined };
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value))) return { ...known, value };
  const why =
    value === null ? 'the program does not know it (null)' : `its value is ${shown(value)}; expected a number`;
  return { ...known, value: undefined, why };
}

function shown(value: unknown): string {
  if (typeof value === 'number') return `${value}`;
  return typeof value === 'string'
    ? `the text ${quoted(value, 40)}`
    : value === undefined
      ? 'missing'
      : `a ${typeof value}`;
}

function isLabels(labels: unknown): labels is Item {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return false;
  return Object.values(labels).every((value) => value === null || typeof value === 'string');
}

/** A label without value is as one that is not there. */
function namesOf(labels: Item): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => entry[1] !== null));
}
