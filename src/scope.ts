/** What a problem leaves unknown. Pure. */
import type { Failure } from './errors.ts';
import type { Labels } from './metric.ts';

/** Whether a problem makes what has these labels unknown: it names its series, or all its labels agree. */
export function covers(problem: Failure, labels: Labels, path?: string): boolean {
  const { series, labels: scope } = problem.evidence;
  if (series !== undefined) return series === path;
  return Object.entries(scope ?? {}).every(([name, value]) => labels[name] === value);
}
