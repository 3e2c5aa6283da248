/** A JSON schema → groups of options: one for the options of the file, and one for each object below them. Pure. */
import { code } from './markdown.ts';

/** What these schemas use of JSON Schema. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly secret?: boolean;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

export interface Option {
  readonly name: string;
  /** In words: `duration`, `integer 1–65535`. */
  readonly type: string;
  /** Markdown: the default, `required`, or `–` where there is none. */
  readonly usual: string;
  readonly meaning: string;
}

/** The options of one object. */
export interface Group {
  /** `sinks[] (type: statsd)`; empty: the whole. */
  readonly path: string;
  /** What is said of the object itself. */
  readonly about: string;
  readonly options: readonly Option[];
}

/** All of them, in the order in which they are declared. */
export function groupsOf(path: string, schema: unknown): Group[] {
  const { properties, required = [], description = '' } = schema as Schema;
  if (properties === undefined) return [];
  const options = Object.entries(properties).map(([name, one]) => optionOf(name, one, required.includes(name)));
  const below = Object.entries(properties).flatMap(([name, one]) => objectsOf(joined(path, name), one));
  return [{ path, about: description, options }, ...below];
}

const joined = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** The objects that may stand as, or in, the value of an option. */
function objectsOf(path: string, schema: Schema): Group[] {
  const { items, oneOf, anyOf, properties, additionalProperties } = schema;
  if (items !== undefined) return objectsOf(`${path}[]`, items);
  const kinds = (oneOf ?? anyOf ?? []).filter((one) => one.properties !== undefined);
  if (kinds.length > 0) {
    return kinds.flatMap((one) => {
      const type = one.properties?.type?.const;
      return groupsOf(type === undefined ? path : `${path} (type: ${String(type)})`, one);
    });
  }
  if (properties !== undefined) return groupsOf(path, schema);
  if (typeof additionalProperties === 'object') return objectsOf(`${path}.NAME`, additionalProperties);
  return [];
}

function optionOf(name: string, schema: Schema, isRequired: boolean): Option {
  const { default: usual, const: only, description } = schema;
  const shown = usual === undefined ? undefined : JSON.stringify(usual);
  const none = isRequired ? 'required' : '–';
  return {
    name,
    type: typeOf(schema),
    usual: shown === undefined || shown === '{}' ? none : defaultOf(shown),
    meaning: description ?? (only === undefined ? '' : 'Which kind it is.'),
  };
}

/** A long list of names says more in the page of its collector. */
const MAX_DEFAULT = 90;

function defaultOf(shown: string): string {
  if (shown.length <= MAX_DEFAULT) return code(shown);
  const entries = (JSON.parse(shown) as readonly unknown[]).length;
  return `${entries} entries, ${code(`${shown.slice(0, MAX_DEFAULT / 2)}…`)}`;
}

const PATTERNS: Readonly<Record<string, string>> = { ms: 'duration', KiB: 'size' };

function typeOf(schema: Schema): string {
  const { type, const: only, enum: words, pattern = '', format, items, anyOf, oneOf } = schema;
  if (only !== undefined) return code(String(only));
  if (words !== undefined) return words.map((word) => code(String(word))).join(', ');
  if (anyOf !== undefined && type === undefined) return [...new Set(anyOf.map(typeOf))].join(' or ');
  if (oneOf !== undefined && type === undefined) return 'object (below)';
  if (schema.secret === true) return 'secret';
  if (type === 'array') return `list of ${items === undefined ? 'anything' : plural(typeOf(items))}`;
  if (type === 'object') return schema.properties === undefined ? mapOf(schema) : 'object (below)';
  const unit = Object.keys(PATTERNS).find((one) => pattern.includes(one));
  if (unit !== undefined) return PATTERNS[unit] ?? '';
  if (type === 'integer' || type === 'number') return `${type}${rangeOf(schema)}`;
  if (format === 'uri') return 'URL';
  if (pattern.startsWith('^\\/')) return 'absolute path';
  return type === 'string' ? 'text' : (type ?? 'anything');
}

function mapOf({ additionalProperties: one }: Schema): string {
  if (typeof one !== 'object' || Object.keys(one).length === 0) return 'names and values';
  return `names, each with ${typeOf(one)}`;
}

const plural = (type: string): string => (type === 'object (below)' ? 'objects (below)' : type);

/** The largest integer is what a schema says that has no limit. */
function rangeOf({ minimum, maximum, exclusiveMinimum }: Schema): string {
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`;
  const least = minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least !== undefined && most !== undefined) return ` ${least}–${most}`;
  if (least !== undefined) return ` from ${least}`;
  return most === undefined ? '' : ` to ${most}`;
}
