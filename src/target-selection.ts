/** `targets:` of a job → the targets that it measures. Pure. */
import { matcher, nearest, quoted } from './text.ts';

/** What is said of one pattern, by its place in the list. */
export interface PatternFault {
  readonly index: number;
  readonly message: string;
}

export interface Selection {
  /** Each once: in the order of the patterns, and those of one pattern by their names. */
  readonly names: readonly string[];
  /** Patterns that can only be a mistake. */
  readonly unknown: readonly PatternFault[];
  /** Patterns that nothing matches now, which an inventory may change. */
  readonly empty: readonly PatternFault[];
}

/** This machine: an inventory knows nothing of it, so it is measured where it is named, and by no glob. */
const LOCAL = 'local';
const GROUP = 'group:';
/** So many names are listed where none is near. */
const MAX_LISTED = 12;

interface Pattern {
  readonly index: number;
  readonly isNegated: boolean;
  readonly isGroup: boolean;
  readonly glob: string;
}

/**
 * A pattern is a name (`hv01`), a glob (`hv*`), a group (`group:compute`, `group:rack-*`), or one of these behind `!`,
 * which takes away from all others, wherever in the list it stands.
 */
export function selectTargets(
  patterns: readonly string[],
  targets: ReadonlyMap<string, { readonly groups: readonly string[] }>,
): Selection {
  const unknown: PatternFault[] = [];
  const empty: PatternFault[] = [];
  const groups = new Map<string, string[]>();
  for (const [name, { groups: own }] of targets) {
    for (const group of own) {
      const names = groups.get(group) ?? [];
      names.push(name);
      groups.set(group, names);
    }
  }
  const all = patterns.map(parsePattern);
  const wanted = new Set<string>();
  const unwanted = new Set<string>();
  for (const pattern of all) {
    const { index, isNegated, isGroup, glob } = pattern;
    const found = isGroup ? inGroups(glob, groups) : named(glob, targets);
    for (const name of found) (isNegated ? unwanted : wanted).add(name);
    if (found.length > 0) continue;
    const isExact = !isGroup && !isGlob(glob);
    // What is to be left out, and is not there, does no harm.
    (isExact && !isNegated ? unknown : empty).push({ index, message: nothing(pattern, targets, groups) });
  }
  const names = [...wanted].filter((name) => !unwanted.has(name));
  const [first] = all;
  if (first !== undefined && all.every(({ isNegated }) => isNegated))
    unknown.push({ index: first.index, message: 'nothing is named that it could be taken from; add "*"' });
  else if (wanted.size > 0 && names.length === 0)
    empty.push({ index: 0, message: 'nothing is left: what is behind "!" takes all targets away' });
  return { names, unknown, empty };
}

function parsePattern(text: string, index: number): Pattern {
  const isNegated = text.startsWith('!');
  const rest = isNegated ? text.slice(1) : text;
  const isGroup = rest.startsWith(GROUP);
  return { index, isNegated, isGroup, glob: isGroup ? rest.slice(GROUP.length) : rest };
}

function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

function named(glob: string, targets: ReadonlyMap<string, unknown>): readonly string[] {
  if (!isGlob(glob)) return targets.has(glob) ? [glob] : [];
  const matches = matcher([glob]);
  return [...targets.keys()].filter((name) => name !== LOCAL && matches(name)).toSorted();
}

function inGroups(glob: string, groups: ReadonlyMap<string, readonly string[]>): readonly string[] {
  if (!isGlob(glob)) return (groups.get(glob) ?? []).toSorted();
  const matches = matcher([glob]);
  const found = [...groups].flatMap(([group, names]) => (matches(group) ? names : []));
  return [...new Set(found)].toSorted();
}

function nothing(
  { isGroup, glob }: Pattern,
  targets: ReadonlyMap<string, unknown>,
  groups: ReadonlyMap<string, unknown>,
): string {
  const what = isGroup ? 'group' : 'target';
  const valid = [...(isGroup ? groups : targets).keys()];
  if (isGlob(glob)) return `${quoted(glob)} matches no ${what}; there are ${listed(valid)}`;
  if (!isGroup && groups.has(glob))
    return `unknown target ${quoted(glob)}; a group has this name: did you mean "${GROUP}${glob}"?`;
  const meant = nearest(glob, valid);
  const hint = meant === undefined ? `there are ${listed(valid)}` : `did you mean ${quoted(meant)}?`;
  return `unknown ${what} ${quoted(glob)}; ${hint}`;
}

function listed(valid: readonly string[]): string {
  if (valid.length === 0) return 'none';
  const first = valid.slice(0, MAX_LISTED).join(', ');
  return valid.length > MAX_LISTED ? `${first} and ${valid.length - MAX_LISTED} more` : first;
}
