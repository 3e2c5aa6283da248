/** `${env:NAME}` and `${credential:NAME}` in configuration texts: secrets by reference only. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Resolved {
  readonly value: unknown;
  /** The texts that references stood for; they must never be shown. */
  readonly secrets: readonly string[];
  /** The environment variables that were used; programs that we run must not see them. */
  readonly variables: readonly string[];
  readonly faults: readonly { readonly path: readonly (string | number)[]; readonly message: string }[];
}

const REFERENCE = /\$\{([a-zA-Z]+):([^}]*)\}/g;

type Path = readonly (string | number)[];

/** What names a site or a machine may be known to all: it stands in every series. */
function isOpen([section, , option]: Path): boolean {
  if (section === 'prefix' || section === 'shard') return true;
  return section === 'targets' && (option === 'name' || option === 'host');
}

/** Replaces the references in every text of a parsed document; what they stand for is a secret except where `isOpen`. */
export function resolveReferences(document: unknown, env: NodeJS.ProcessEnv): Resolved {
  const secrets = new Set<string>();
  const variables = new Set<string>();
  const faults: { path: (string | number)[]; message: string }[] = [];

  const lookUp = (kind: string, name: string, path: Path): string => {
    if (kind === 'env') {
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (value === undefined) throw new Error(`environment variable ${JSON.stringify(name)} is not set`);
      if (!isOpen(path)) variables.add(name);
      return value;
    }
    if (kind !== 'credential')
      throw new Error(`unknown reference "${kind}:"; expected \${env:NAME} or \${credential:NAME}`);
    return readCredential(name, env.CREDENTIALS_DIRECTORY);
  };
  const walk = (node: unknown, path: (string | number)[]): unknown => {
    if (typeof node === 'string') {
      return node.replace(REFERENCE, (whole, kind: string, name: string) => {
        try {
          const value = lookUp(kind, name, path);
          if (kind !== 'env' || !isOpen(path)) secrets.add(value);
          return value;
        } catch (error) {
          faults.push({ path, message: (error as Error).message });
          return whole;
        }
      });
    }
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (typeof node === 'object' && node !== null) {
      return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, walk(item, [...path, key])]));
    }
    return node;
  };
  const value = walk(document, []);
  return { value, secrets: [...secrets], variables: [...variables], faults };
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
