/** What a problem leaves unknown. Pure. */
import type { Failure } from './errors.ts';
import type { Series } from './increments.ts';
import type { Labels } from './metric.ts';
import type { Naming } from './naming.ts';

/** Whether a problem makes what has these labels unknown: it names its series, or all its labels agree. */
export function covers(problem: Failure, labels: Labels, path?: string): boolean {
  const { series, labels: scope } = problem.evidence;
  if (series !== undefined) return series === path;
  return Object.entries(scope ?? {}).every(([name, value]) => labels[name] === value);
}

/** Whether a problem makes a series unknown. A ratio is as unknown as what it divides. */
export function isUnknown({ metric, entity, path }: Series, problem: Failure, naming: Naming): boolean {
  const operands = metric.numerator ? [metric.numerator, ...(metric.denominator ?? [])] : [];
  const paths = [path, ...operands.map((operand) => naming.path(operand, entity.labels))];
  return paths.some((one) => covers(problem, entity.labels, one));
}
