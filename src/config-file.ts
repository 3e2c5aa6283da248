/** A configuration file's text → plain data, and complaints that say where, what was found and what was expected. */
import { readFileSync, statSync } from 'node:fs';
import { type Document, isMap, isNode, isPair, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { nearest, printable, quoted } from './text.ts';

export type Path = readonly PropertyKey[];

export interface ConfigFile {
  readonly file: string;
  /** The document as plain data. */
  readonly data: unknown;
  /** `file:line:column: path: message`. */
  complain(path: Path, message: string): string;
  /** One complaint for each thing that a schema found wrong below `path`. */
  complaints(error: z.ZodError, schema: z.ZodType, path: Path): string[];
}

const MAX_BYTES = 4 * 1024 * 1024;

/** Reads a file, or returns why it cannot be one. */
export function readConfigFile(file: string): ConfigFile | { readonly refusal: string[] } {
  let text: string;
  try {
    const kind = statSync(file);
    if (kind.isDirectory()) return { refusal: [`${file}: is a directory; expected a configuration file`] };
    if (kind.size > MAX_BYTES)
      return { refusal: [`${file}: is larger than ${MAX_BYTES} bytes; is it the right file?`] };
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { refusal: [`${file}: ${readFault(error as NodeJS.ErrnoException)}`] };
  }
  return parseConfigText(file, text);
}

function readFault(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'does not exist; name another file with --config';
  if (error.code === 'EACCES') return 'may not be read by this user; check its owner and mode';
  return `cannot be read: ${error.message}`;
}

export function parseConfigText(file: string, text: string): ConfigFile | { readonly refusal: string[] } {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const place = (offset: number | undefined): string => {
    if (offset === undefined) return file;
    const { line, col } = counter.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const told = document.errors.slice(0, 10);
    return {
      refusal: told.map(({ code, message, pos: [offset] }) => {
        const key = /^[^\s:]+/.exec(text.slice(offset, offset + 200))?.[0] ?? '';
        const fault = code === 'DUPLICATE_KEY' ? `the key ${quoted(key)} stands twice in one map; keep one` : message;
        return `${place(offset)}: ${printable(fault.replaceAll('\n', ' '))}`;
      }),
    };
  }
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return { refusal: [`${file}: ${printable((error as Error).message)}`] };
  }
  if (isEndless(data)) return { refusal: [`${file}: an alias (*) stands inside the very value that it repeats`] };
  if (data === null || data === undefined)
    return { refusal: [`${file}: is empty; expected at least "sinks" and "jobs"`] };

  const complain = (path: Path, message: string): string => {
    const where = path.length === 0 ? '' : ` ${dotted(path)}:`;
    return `${place(offsetOf(document, path))}:${where} ${printable(message)}`;
  };
  const complaints = (error: z.ZodError, schema: z.ZodType, above: Path): string[] =>
    error.issues.flatMap((issue) => {
      const path = [...above, ...issue.path];
      if (issue.code === 'unrecognized_keys') {
        const valid = keysAt(schema, issue.path, valueAt(data, above));
        return issue.keys.map((key) => complain([...path, key], `unknown key${suggestion(key, valid)}`));
      }
      return complain(path, describeIssue(issue, valueAt(data, path)));
    });
  return { file, data, complain, complaints };
}

/** YAML can name a value within itself; whoever walks through that never arrives. */
function isEndless(value: unknown, above: readonly unknown[] = []): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return above.includes(value) || Object.values(value).some((inner) => isEndless(inner, [...above, value]));
}

function describeIssue(issue: z.core.$ZodIssue, found: unknown): string {
  const was = found === undefined ? '' : `; found ${show(found)}`;
  if (issue.code === 'invalid_type' && found === undefined) return `is missing; expected ${issue.expected}`;
  if (issue.code === 'invalid_value' || (issue.code === 'invalid_union' && 'options' in issue)) {
    const values = 'values' in issue ? issue.values.map(String) : (issue.options as unknown[]).map(String);
    const text =
      typeof found === 'object' && found !== null
        ? String((found as Record<string, unknown>)[String(issue.path.at(-1))] ?? '')
        : String(found ?? '');
    const meant = nearest(text, values);
    const missing = found === undefined ? 'is missing; ' : '';
    return `${missing}expected one of ${values.join(', ')}${was}${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
  }
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  return `${message}${was}`;
}

/** A found value, short and printable. Texts are shown as they stand in the file, before references are resolved. */
function show(value: unknown): string {
  if (value === null) return 'nothing';
  const plain = typeof value === 'string' ? JSON.stringify(value) : String(value);
  const text = typeof value === 'object' ? (Array.isArray(value) ? 'a list' : 'a map') : plain;
  const kind = typeof value === 'object' || typeof value === 'string' ? '' : ` (${typeof value})`;
  return printable(text.length > 80 ? `${text.slice(0, 80)}…` : text) + kind;
}

/** `; did you mean "every"?`, or the list of what is valid. */
export function suggestion(found: string, valid: readonly string[]): string {
  const meant = nearest(found, valid);
  if (meant !== undefined) return `; did you mean ${JSON.stringify(meant)}?`;
  return valid.length === 0 ? '' : `; expected one of ${valid.join(', ')}`;
}

/** `jobs[0].options.include`, with keys that are no plain words quoted. */
export function dotted(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      const text = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(String(key)) ? String(key) : printable(JSON.stringify(String(key)));
      return index === 0 ? text : `.${text}`;
    })
    .join('');
}

/** Where the deepest existing node of a path stands; for the last key of a map, the key itself. */
function offsetOf(document: Document, path: Path): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const parent =
      length === 0 ? undefined : length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && String(item.key) === String(path[length - 1]));
      if (pair && isNode(pair.key) && pair.key.range) return pair.key.range[0];
    }
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return undefined;
}

function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The keys that a schema knows at a path: through defaults, lists, maps, and unions by their `type`. */
function keysAt(schema: z.ZodType, path: Path, data: unknown): string[] {
  const def = schema._zod.def as unknown as Record<string, unknown>;
  const inner = (next: unknown, rest: Path, value: unknown): string[] => keysAt(next as z.ZodType, rest, value);
  const [key, ...rest] = path;
  const below = key === undefined ? undefined : valueAt(data, [key]);
  if (def.innerType !== undefined) return inner(def.innerType, path, data);
  if (def.type === 'pipe') return inner(def.in, path, data);
  if (def.type === 'union') {
    const options = def.options as z.ZodType[];
    const tag = valueAt(data, ['type']);
    const chosen = options.find((option) => {
      const shape = (option as unknown as { shape?: Record<string, { value?: unknown }> }).shape;
      return shape?.type?.value === tag;
    });
    return chosen === undefined ? [] : inner(chosen, path, data);
  }
  if (def.type === 'object') {
    const shape = def.shape as Record<string, unknown>;
    if (key === undefined) return Object.keys(shape);
    return shape[String(key)] === undefined ? [] : inner(shape[String(key)], rest, below);
  }
  if (key === undefined) return [];
  if (def.type === 'array') return inner(def.element, rest, below);
  if (def.type === 'record') return inner(def.valueType, rest, below);
  return [];
}
