/** The text of one inventory → hosts, in whatever format it is. Pure. */
import { type ConfigFile, parseConfigText } from '../config-file.ts';
import { Failure } from '../errors.ts';
import { lines } from '../text.ts';
import type { Parsed } from './entry.ts';
import { isAnsible, type Place, parseAnsible } from './in-ansible.ts';
import { parseLines } from './in-lines.ts';
import { parseMap } from './in-map.ts';

export const inventoryFormats = ['auto', 'ansible', 'map', 'lines'] as const;
export type InventoryFormat = (typeof inventoryFormats)[number];

/** From here on JSON is read as such, without the places of what is wrong: as YAML a megabyte takes most of a second. */
const MAX_PLACED = 256 * 1024;

/**
 * `source` is a file's path, or what a command is called. What is wrong with one entry is a problem, and the others are
 * there. `E_CONFIG`: it is none, with one complaint a line.
 */
export function parseInventory(source: string, text: string, format: InventoryFormat = 'auto'): Parsed {
  if (/^(?:\ufeff|\s)*$/.test(text)) throw empty(source);
  if (format === 'lines' || (format === 'auto' && !isDocument(source, text)))
    return told(parseLines(text, source), source);
  const { data, place } = documentIn(source, text);
  const ansible = format === 'ansible' || (format === 'auto' && isAnsible(data));
  return told(ansible ? parseAnsible(data, place) : parseMap(data, place), source);
}

/** Nothing at all may be meant, and is more often a mistake. */
function told(parsed: Parsed, source: string): Parsed {
  if (parsed.hosts.size > 0 || parsed.problems.length > 0) return parsed;
  return { ...parsed, problems: [{ where: source, message: 'names no host' }] };
}

/** JSON or YAML, and not lines: by what begins it, else by the name of the file. */
function isDocument(source: string, text: string): boolean {
  if (/\.(?:ya?ml|json)$/i.test(source)) return true;
  const first = /^(?!\s*(?:[#;]|---|$)).*$/m.exec(text.replace(/^\ufeff/, ''))?.[0].trim() ?? '';
  // `[` begins a section too, `[web]`, and an address, `[::1]:22`.
  return (
    first.startsWith('{') ||
    /^\[\s*(?:$|[{"'\]])/.test(first) ||
    /^-\s/.test(first) ||
    /^[^\s#:=]+:(?:\s|$)/.test(first)
  );
}

function documentIn(source: string, text: string): { readonly data: unknown; readonly place: Place } {
  if (text.length > MAX_PLACED && /^\s*[{[]/.test(text)) {
    try {
      return { data: JSON.parse(text), place: () => source };
    } catch {
      // YAML has such forms too, and says what is wrong, and where.
    }
  }
  const read = parseConfigText(source, text);
  if ('refusal' in read) throw isBlank(text) ? empty(source) : new Failure('E_CONFIG', read.refusal.join('\n'));
  return { data: read.data, place: (path) => (path.length === 0 ? source : placeIn(read, path)) };
}

function empty(source: string): Failure {
  return new Failure('E_CONFIG', `${source}: is empty; expected at least one host`);
}

/** A document that holds nothing but comments. */
function isBlank(text: string): boolean {
  return lines(text).every((line) => /^(?:\s*|\s*#.*|---\s*|\.\.\.\s*)$/.test(line));
}

function placeIn({ place, data }: ConfigFile, path: readonly string[]): string {
  const keys: PropertyKey[] = [];
  let value = data;
  for (const key of path) {
    keys.push(Array.isArray(value) ? Number(key) : key);
    value = (value as Record<string, unknown> | undefined)?.[key];
  }
  return place(keys);
}
