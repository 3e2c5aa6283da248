/** What a problem, or a scope that was not read, leaves unknown. Pure. */
import type { Failure } from './errors.ts';
import type { Series } from './increments.ts';
import { type Labels, operandsOf } from './metric.ts';
import type { Naming } from './naming.ts';

/** Those whose labels agree with all of these (undefined: without that label); `{}`: all. */
export type Scope = Readonly<Record<string, string | undefined>>;

export function agrees(scope: Scope, labels: Labels): boolean {
  for (const name in scope) if (labels[name] !== scope[name]) return false;
  return true;
}

/** Whether any of the scopes agrees, at a cost that does not grow with them: those of the same names are looked up. */
export function anyAgrees(scopes: readonly Scope[]): (labels: Labels) => boolean {
  const byNames = new Map<string, { readonly names: readonly string[]; readonly values: Set<string> }>();
  for (const scope of scopes) {
    const names = Object.keys(scope).sort();
    const key = names.join();
    const known = byNames.get(key) ?? { names, values: new Set() };
    byNames.set(key, known);
    known.values.add(valuesOf(scope, names));
  }
  const groups = [...byNames.values()];
  return (labels) => groups.some(({ names, values }) => values.has(valuesOf(labels, names)));
}

/** A label without value is as one that is not there, and no text is null. */
function valuesOf(labels: Scope, names: readonly string[]): string {
  return JSON.stringify(names.map((name) => labels[name] ?? null));
}

/** Whether a problem makes what has these labels unknown: it names its series, or all its labels agree. */
export function covers(problem: Failure, labels: Labels, path?: string): boolean {
  const { series, labels: scope } = problem.evidence;
  if (series !== undefined) return series === path;
  return agrees(scope ?? {}, labels);
}

/** Whether a problem makes a series unknown. What is computed is as unknown as what it is computed from. */
export function isUnknown(series: Series, problem: Failure, naming: Naming): boolean {
  return pathsOf(series, naming).some((one) => covers(problem, series.entity.labels, one));
}

/** Whether a series, or what it is computed from, was read and not sent. */
export function isUnsent(series: Series, unsent: ReadonlySet<string> | undefined, naming: Naming): boolean {
  if (unsent === undefined || unsent.size === 0) return false;
  return pathsOf(series, naming).some((one) => unsent.has(one));
}

function pathsOf({ metric, entity, path }: Series, naming: Naming): string[] {
  return [path, ...operandsOf(metric).map((operand) => naming.path(operand, entity.labels))];
}
