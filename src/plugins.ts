/** Loads collectors from an operator's own modules: same contract, same checks as the built-in ones. */
import { realpathSync, type Stats, statSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Collector, defineCollector } from './collector.ts';

export interface Plugins {
  /** The built-in collectors and the loaded ones. */
  readonly collectors: ReadonlyMap<string, Collector>;
  readonly faults: readonly { readonly index: number; readonly message: string }[];
}

export async function loadPlugins(
  files: readonly string[],
  builtIn: ReadonlyMap<string, Collector>,
  patienceMs = 10_000,
): Promise<Plugins> {
  const collectors = new Map(builtIn);
  const faults: { index: number; message: string }[] = [];
  if (files.length > 0) resolveOurName();
  for (const [index, file] of files.entries()) {
    try {
      for (const collector of await loadPlugin(file, patienceMs)) {
        if (collectors.has(collector.name)) {
          const owner = builtIn.has(collector.name) ? 'a built-in collector' : 'another plugin';
          throw new Error(`exports the collector "${collector.name}", which ${owner} is called already; rename it`);
        }
        const tables = [...collectors.values()].flatMap((one) => one.tables ?? []);
        const taken = collector.tables?.find(({ name }) => tables.some((one) => one.name === name));
        if (taken !== undefined) {
          throw new Error(
            `the collector "${collector.name}" has a table "${taken.name}", as another one has; rename it`,
          );
        }
        collectors.set(collector.name, collector);
      }
    } catch (error) {
      faults.push({ index, message: `plugin ${file}: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
  return { collectors, faults };
}

async function loadPlugin(file: string, patienceMs: number): Promise<Collector[]> {
  if (!isAbsolute(file)) throw new Error('expected an absolute path');
  const real = trustedPath(file);
  let exported: Record<string, unknown> | undefined;
  try {
    // The time of change makes a reload see an edited file; Node never loads one URL twice.
    const loading = import(`${pathToFileURL(real).href}?changed=${statSync(real).mtimeMs}`);
    exported = await withinTime(loading, patienceMs);
  } catch (error) {
    throw new Error(`could not be loaded: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
  }
  if (exported === undefined)
    throw new Error(`did not finish loading within ${patienceMs / 1000} s (a top-level await?)`);
  // One collector may well be exported by name and as the default.
  const candidates = [...new Set(Object.values(exported))].filter(
    (value): value is Collector => typeof value === 'object' && value !== null && 'collect' in value,
  );
  if (candidates.length === 0)
    throw new Error('exports no collector; export one made with defineCollector from "edgestatd"');
  return candidates.map((candidate) => defineCollector(candidate));
}

/** What a promise comes to, or undefined when that takes too long. Nothing can end an import that is under way. */
async function withinTime<Value>(promise: Promise<Value>, limitMs: number): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** A file that others may change would run their code as this user; the same holds for the directories above it. */
function trustedPath(file: string): string {
  let real: string;
  let kind: Stats;
  try {
    real = realpathSync(file);
    kind = statSync(real);
  } catch (error) {
    throw new Error(`cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (!kind.isFile()) throw new Error('is no file');
  if (kind.mode & 0o022) throw new Error(`is writable by others (mode ${octal(kind)}); chmod go-w it`);
  assertOwner(kind, 'is');
  for (let above = dirname(real); ; above = dirname(above)) {
    const stats = statSync(above);
    const sticky = (stats.mode & 0o1000) !== 0;
    if (stats.mode & 0o022 && !sticky)
      throw new Error(`lies in ${above}, which is writable by others (mode ${octal(stats)})`);
    assertOwner(stats, `lies in ${above}, which is`);
    if (above === dirname(above)) break;
  }
  return real;
}

function assertOwner(kind: Stats, what: string): void {
  const self = process.getuid?.();
  if (kind.uid !== 0 && kind.uid !== self)
    throw new Error(`${what} owned by user ${kind.uid}; expected root or this user (${self})`);
}

function octal(kind: Stats): string {
  return (kind.mode & 0o7777).toString(8).padStart(4, '0');
}

let resolving = false;

/** A plugin lies anywhere, so `import ... from 'edgestatd'` is answered with this very copy of the package. */
function resolveOurName(): void {
  if (resolving) return;
  resolving = true;
  const api = new URL(import.meta.url.endsWith('.ts') ? './api.ts' : './api.js', import.meta.url).href;
  if (typeof nodeModule.registerHooks === 'function') {
    nodeModule.registerHooks({
      resolve: (specifier, context, next) =>
        specifier === 'edgestatd' ? { url: api, shortCircuit: true } : next(specifier, context),
    });
    return;
  }
  // Node.js before 22.15 has hooks only as modules.
  const source = `export const resolve = (specifier, context, next) =>
    specifier === 'edgestatd' ? { url: ${JSON.stringify(api)}, shortCircuit: true } : next(specifier, context);`;
  nodeModule.register(`data:text/javascript,${encodeURIComponent(source)}`);
}
