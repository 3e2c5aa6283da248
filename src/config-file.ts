/** A configuration file's text → plain data, and complaints that say where, what was found and what was expected. */
import { readFileSync, statSync } from 'node:fs';
import { type Document, isCollection, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { nearest, printable, quoted } from './text.ts';

export type Path = readonly PropertyKey[];

/** Its words and its place are sought when it is told: of very many, only the first are. */
export type Complaint = () => string;

export interface ConfigFile {
  readonly file: string;
  /** The document as plain data. */
  readonly data: unknown;
  /** `file:line:column: path: message`. */
  complain(path: Path, message: string | (() => string)): Complaint;
  /** `file:line:column` of what stands at a path. */
  place(path: Path): string;
  /** One complaint for each thing that a schema found wrong below `path`. */
  complaints(error: z.ZodError, schema: z.ZodType, path: Path): Complaint[];
}

const MAX_BYTES = 1024 * 1024;
const MAX_TOLD = 20;
const MAX_DEPTH = 64;
const DEEP = `is nested too deeply; expected at most ${MAX_DEPTH} levels`;

/** The lines of the first complaints, and how many more there are. */
export function told(complaints: readonly Complaint[]): string[] {
  const first = complaints.slice(0, MAX_TOLD).map((complaint) => complaint());
  const more = complaints.length - first.length;
  return more === 0 ? first : [...first, `… and ${more} more`];
}

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
  // The parser compares each key with all before it; `nodeFaults` does not.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false });
  const place = (offset: number | undefined): string => {
    const { line, col } = counter.linePos(offset ?? 0);
    return offset === undefined ? file : `${file}:${line}:${col}`;
  };
  const faults = documentFaults(document, text);
  const tell = ({ offset, message }: Fault): string => `${place(offset)}: ${printable(message)}`;
  if (faults.length > 0) return { refusal: told(faults.map((fault) => () => tell(fault))) };
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // Aliases within aliases may be deeper than any of the texts.
    const fault = error instanceof RangeError ? DEEP : printable((error as Error).message);
    return { refusal: [`${file}: ${fault}`] };
  }
  const fault = endlessness(data);
  if (fault !== undefined) return { refusal: [`${file}: ${fault}`] };
  if (data === null || data === undefined)
    return { refusal: [`${file}: is empty; expected at least "sinks" and "jobs"`] };

  const complain: ConfigFile['complain'] = (path, message) => () => {
    const where = path.length === 0 ? '' : ` ${dotted(path)}:`;
    const text = typeof message === 'string' ? message : message();
    return `${place(offsetOf(document, path))}:${where} ${printable(text)}`;
  };
  const complaints: ConfigFile['complaints'] = (error, schema, above) =>
    error.issues.flatMap((issue) => {
      const path = [...above, ...issue.path];
      if (issue.code !== 'unrecognized_keys') return complain(path, () => describeIssue(issue, valueAt(data, path)));
      const valid = keysAt(schema, issue.path, valueAt(data, above));
      return issue.keys.map((key) => complain([...path, key], () => `unknown key${suggestion(key, valid)}`));
    });
  return { file, data, complain, complaints, place: (path) => place(offsetOf(document, path)) };
}

type Fault = { readonly offset: number; readonly message: string };

/** Why a text is no document that means one thing, in the order of the text. */
function documentFaults(document: Document.Parsed, text: string): Fault[] {
  const parsed = [...document.errors, ...document.warnings.filter(({ code }) => code === 'TAG_RESOLVE_FAILED')];
  const exhausted = parsed.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  if (exhausted !== undefined) return [{ offset: exhausted.pos[0], message: DEEP }];
  const faults = parsed.map(({ code, message, pos: [offset] }): Fault => {
    if (code === 'MULTIPLE_DOCS') return { offset, message: 'a second document begins (---); expected one in a file' };
    const [, tag] = /^Unresolved tag: (.*)$/.exec(message) ?? [];
    if (tag !== undefined) return { offset, message: `unknown YAML tag ${quoted(tag)}; remove it, or quote the text` };
    return { offset, message: message.replaceAll('\n', ' ') };
  });
  return [...faults, ...nodeFaults(document, text)].toSorted((one, other) => one.offset - other.offset);
}

/** Keys that stand twice in one map; or, alone, what is nested too deeply. */
function nodeFaults(document: Document.Parsed, text: string): Fault[] {
  const faults: Fault[] = [];
  const open: { readonly node: unknown; readonly depth: number }[] = [{ node: document.contents, depth: 0 }];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    const { node, depth } = one;
    if (!isCollection(node)) continue;
    if (depth >= MAX_DEPTH) return [{ offset: node.range?.[0] ?? 0, message: DEEP }];
    const seen = new Set<string>();
    for (const item of node.items) {
      const parts = isPair(item) ? [item.key, item.value] : [item];
      open.push(...parts.map((part) => ({ node: part, depth: depth + 1 })));
      const [key] = parts;
      if (!isMap(node) || !isScalar(key)) continue;
      const name = String(key.value ?? '');
      const offset = key.range?.[0] ?? 0;
      const shown = /^[^\s:]+/.exec(text.slice(offset, offset + 200))?.[0] ?? '';
      if (seen.has(name))
        faults.push({ offset, message: `the key ${quoted(shown)} stands twice in one map; keep one` });
      seen.add(name);
    }
  }
  return faults;
}

/** YAML can name a value within itself, or pile up aliases; whoever walks through that never arrives. */
function endlessness(value: unknown, above: readonly unknown[] = []): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (above.includes(value)) return 'an alias (*) stands inside the very value that it repeats';
  if (above.length >= MAX_DEPTH) return DEEP;
  const within = [...above, value];
  return Object.values(value).reduce((fault, inner) => fault ?? endlessness(inner, within), undefined);
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
  // A rule of our own about a whole map or list, or one that names what it found, says enough.
  const complete = typeof found === 'object' || message.includes(JSON.stringify(found) ?? '');
  return issue.code === 'custom' && complete ? message : `${message}${was}`;
}

/** `http://user:password@host`, also without its scheme: whoever wrote a secret there wants it shown the less. */
const LOGIN = /:.*@/s;

/** A found value, short and printable. Texts are shown as they stand in the file, before references are resolved. */
function show(value: unknown): string {
  if (value === null) return 'nothing';
  if (typeof value === 'string' && LOGIN.test(value)) return 'a text with ":" and "@", which may hold a password';
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

export function valueAt(data: unknown, path: Path): unknown {
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
