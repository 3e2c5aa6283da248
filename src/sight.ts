/**
 * What the job has seen before: whether something that is new now began within its sight. Pure.
 *
 * Something is new since the last run that read its scope. It began within sight if there was such a run, and no
 * problem covered it there. Runs that left its scope unread in between say nothing of it.
 */
import type { Failure } from './errors.ts';
import type { Labels } from './metric.ts';
import { agrees, covers, type Scope } from './scope.ts';

/** What one run left for those after it. */
export interface Sight {
  readonly problems: readonly Failure[];
  readonly unread: readonly Scope[];
  /** Series that were read and not sent. */
  readonly unsent?: ReadonlySet<string> | undefined;
  /** On the monotonic clock; undefined: before all runs. */
  readonly readAtMs: number | undefined;
}

/** Before all runs there was nothing: what the first one shows began at zero. */
export const beforeAll: Sight = { problems: [], unread: [], readAtMs: undefined };

/** Runs that are remembered for the scopes that later ones did not read. */
const MAX_REMEMBERED = 64;

/** The newest first. Of runs that left the same unread only the last can be asked for, and behind one that read all none. */
export function withSight(past: readonly Sight[], now: Sight): readonly Sight[] {
  if (now.unread.length === 0) return [now];
  const key = keyOf(now);
  return [now, ...past.filter((sight) => keyOf(sight) !== key)].slice(0, MAX_REMEMBERED);
}

/** Tells a label that is undefined from one that is not there, which JSON of a map does not. */
function keyOf({ unread }: Sight): string {
  return JSON.stringify(unread.map((scope) => Object.entries(scope)));
}

/** The run in which something with these labels would have been seen, had it been there; undefined: there is none. */
export function sightOf(past: readonly Sight[], labels: Labels, path?: string): Sight | undefined {
  const last = past.find(({ unread }) => !unread.some((scope) => agrees(scope, labels)));
  if (last === undefined || (path !== undefined && last.unsent?.has(path))) return undefined;
  return last.problems.some((problem) => covers(problem, labels, path)) ? undefined : last;
}
