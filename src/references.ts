/**
 * `${env:NAME}` and `${credential:NAME}` in configuration texts: secrets by reference only. `${env:NAME:-text}` is the
 * text where the variable is not set, or empty; a key whose whole value is `${env:NAME:-}` is then left out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type ReferencePath = readonly (string | number)[];

/** One reference, and what it stood for. */
export interface Reference {
  readonly path: ReferencePath;
  /** `environment variable "NAME"` or `credential "NAME"`: for messages, which never show the text. */
  readonly source: string;
  readonly variable: string | undefined;
  readonly text: string;
  /** Nothing else stands in the value. */
  readonly isWhole: boolean;
  /** Names a place, and is no secret. */
  readonly isOpen: boolean;
}

export interface Resolved {
  readonly value: unknown;
  readonly references: readonly Reference[];
  /** The texts that references stood for; they must never be shown. */
  readonly secrets: readonly string[];
  /** The environment variables that were used; programs that we run must not see them. */
  readonly variables: readonly string[];
  readonly faults: readonly { readonly path: ReferencePath; readonly message: string }[];
}

const REFERENCE = /\$\{([a-zA-Z]+):([^}]*)\}/g;

/** Options of collectors that say where to look, and as whom. */
const PLACES = new Set(['proc', 'sys', 'root', 'rundir', 'database', 'log', 'archive', 'host', 'user']);

/** Where a reference stands in its value. */
interface Standing {
  readonly path: ReferencePath;
  /** What is written before it. */
  readonly before: string;
  /** The value with all of its references replaced. */
  readonly whole: string;
}

/** What names a site, a machine or a place may be known to all: it stands in series and in logs. */
function isOpen({ path, before, whole }: Standing): boolean {
  const [section, , option] = path;
  if (section === 'prefix' || section === 'shard' || section === 'log') return true;
  // An address that may hold a login, or a key, is a secret, and each part of it.
  if (/[@?]/.test(whole)) return false;
  if (section === 'targets') return option === 'name' || option === 'host';
  if (section === 'sinks') return option === 'host' || option === 'destinations';
  if (section !== 'jobs' || option !== 'options') return false;
  const key = path.findLast((one) => typeof one === 'string') ?? '';
  if (PLACES.has(key)) return true;
  // What is put into the path of a URL may be a key.
  if (key === 'urls') return /^(?:[a-z]+:\/\/[^/]*)?$/.test(before);
  // What was meant to be a path and is none may be the secret itself.
  return key.endsWith('File') && whole.startsWith('/');
}

/** Replaces the references in every text of a parsed document; what they stand for is a secret except where `isOpen`. */
export function resolveReferences(document: unknown, env: NodeJS.ProcessEnv): Resolved {
  const references: Reference[] = [];
  const faults: { path: ReferencePath; message: string }[] = [];

  const lookUp = (kind: string, name: string, otherwise: string | undefined): string | undefined => {
    if (kind === 'env') {
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (otherwise !== undefined) return value === '' ? undefined : value;
      if (value === undefined) throw new Error(`environment variable ${JSON.stringify(name)} is not set`);
      return value;
    }
    if (kind !== 'credential')
      throw new Error(`unknown reference "${kind}:"; expected \${env:NAME} or \${credential:NAME}`);
    return readCredential(name, env.CREDENTIALS_DIRECTORY);
  };
  const resolveText = (node: string, path: ReferencePath): string => {
    const found: (Omit<Reference, 'isOpen'> & { readonly before: string; readonly isWritten: boolean })[] = [];
    const whole = node.replace(REFERENCE, (reference, kind: string, words: string, at: number) => {
      try {
        const isVariable = kind === 'env';
        const { name, otherwise } = isVariable ? withDefault(words) : { name: words, otherwise: undefined };
        const given = lookUp(kind, name, otherwise);
        const text = given ?? otherwise ?? '';
        found.push({
          path,
          source: `${isVariable ? 'environment variable' : 'credential'} ${JSON.stringify(name)}`,
          variable: isVariable ? name : undefined,
          text,
          isWhole: reference === node,
          before: node.slice(0, at),
          // What stands in the file is no secret.
          isWritten: given === undefined,
        });
        return text;
      } catch (error) {
        faults.push({ path, message: (error as Error).message });
        return reference;
      }
    });
    for (const { before, isWritten, ...one } of found)
      references.push({
        ...one,
        isOpen: isWritten || (one.variable !== undefined && isOpen({ path, before, whole })),
      });
    return whole;
  };
  const walk = (node: unknown, path: ReferencePath): unknown => {
    if (typeof node === 'string') return resolveText(node, path);
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (typeof node === 'object' && node !== null) {
      const kept = Object.entries(node).filter(([, item]) => !isLeftOut(item, env));
      return Object.fromEntries(kept.map(([key, item]) => [key, walk(item, [...path, key])]));
    }
    return node;
  };
  const value = walk(document, []);
  return { value, references, ...withoutTyped(references, []), faults };
}

/** `NAME:-text`, as shells write it. */
function withDefault(words: string): { readonly name: string; readonly otherwise: string | undefined } {
  const at = words.indexOf(':-');
  if (at < 0) return { name: words, otherwise: undefined };
  const [name, otherwise] = [words.slice(0, at), words.slice(at + 2)];
  // It would end at the inner brace, and the rest would stand in the value.
  if (otherwise.includes('${'))
    throw new Error(`the default of ${JSON.stringify(name)} holds a reference; expected a text without one`);
  return { name, otherwise };
}

const OPTIONAL = /^\$\{env:([^}]*):-\}$/;

function isLeftOut(value: unknown, env: NodeJS.ProcessEnv): boolean {
  const name = typeof value === 'string' ? OPTIONAL.exec(value)?.[1] : undefined;
  return name !== undefined && (!Object.hasOwn(env, name) || env[name] === '');
}

/** What must not be shown, and not be handed on; `typed` became numbers and booleans, which are no secrets. */
export function withoutTyped(
  references: readonly Reference[],
  typed: readonly Reference[],
): Pick<Resolved, 'secrets' | 'variables'> {
  const plain = new Set(typed);
  const hidden = references.filter((one) => !one.isOpen && !plain.has(one));
  const variables = hidden.flatMap(({ variable }) => (variable === undefined ? [] : [variable]));
  return { secrets: [...new Set(hidden.map(({ text }) => text))], variables: [...new Set(variables)] };
}

/** systemd.exec(5), LoadCredential: one file for each credential, in a directory that only the service sees. */
function readCredential(name: string, directory: string | undefined): string {
  if (!/^[A-Za-z0-9_.-]+$/.test(name) || name === '.' || name === '..') {
    throw new Error(`${JSON.stringify(name)} is no name of a credential`);
  }
  if (directory === undefined)
    throw new Error(`credential "${name}": the service has none; add LoadCredential=${name}:PATH to its unit`);
  try {
    return readFileSync(join(directory, name), 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new Error(`credential "${name}" could not be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
