/** Groups of hosts with variables, nested as in Ansible → what holds for each host. Pure. */
import { Failure } from '../errors.ts';
import type { Entry, Parsed, Problem } from './entry.ts';
import { optionsOf, type Variables } from './variables.ts';

interface Group {
  readonly parents: Set<string>;
  readonly children: Set<string>;
  variables: Variables;
}

interface Member {
  readonly groups: Set<string>;
  readonly where: string;
  variables: Variables;
}

export interface Groups {
  /** Makes a group that is not known yet. */
  group(name: string): void;
  /** False: it would stand within itself. */
  child(parent: string, name: string): boolean;
  /** Of a group; a variable that is given again is the later one. */
  variables(group: string, variables: Variables): void;
  /** Undefined: in no group. A host may be named often. `E_CONFIG`: there are too many. */
  host(name: string, group: string | undefined, variables: Variables, where: string): void;
  /** All hosts, in the order in which they were named first. Those that are no SSH targets are told of and left out. */
  resolved(source: string): Parsed;
}

/** Every host is in it, and every other group below it. */
const ALL = 'all';
/** They say nothing of a host. */
const UNSAID: ReadonlySet<string> = new Set([ALL, 'ungrouped']);
/** More than one process could measure: a few lines of ranges name millions, and take all memory. */
const MAX_HOSTS = 50_000;
/** So many hosts are named in what is said of many. */
const MAX_NAMED = 5;

export function createGroups(): Groups {
  const groups = new Map<string, Group>();
  const members = new Map<string, Member>();

  const known = (name: string): Group => {
    const group = groups.get(name) ?? { parents: new Set(), children: new Set(), variables: {} };
    groups.set(name, group);
    return group;
  };
  const holds = (above: string, name: string): boolean => {
    const seen = new Set([above]);
    for (const one of seen) {
      if (one === name) return true;
      for (const child of groups.get(one)?.children ?? []) seen.add(child);
    }
    return false;
  };

  return {
    group: (name) => void known(name),
    child(parent, name) {
      known(parent);
      known(name);
      if (holds(name, parent)) return false;
      known(parent).children.add(name);
      known(name).parents.add(parent);
      return true;
    },
    variables(name, variables) {
      const group = known(name);
      group.variables = { ...group.variables, ...variables };
    },
    host(name, group, variables, where) {
      const member = members.get(name) ?? { groups: new Set(), where, variables: {} };
      members.set(name, member);
      if (members.size > MAX_HOSTS)
        throw new Failure(
          'E_CONFIG',
          `${where}: with this there are more than ${MAX_HOSTS} hosts; are its ranges right?`,
        );
      if (group !== undefined) {
        known(group);
        member.groups.add(group);
      }
      member.variables = { ...member.variables, ...variables };
    },
    resolved(source) {
      const order = byDepth(groups);
      const common = groups.get(ALL)?.variables ?? {};
      const hosts = new Map<string, Entry>();
      const problems: Problem[] = [];
      const said = new Map<string, string[]>();
      for (const [name, member] of members) {
        const within = new Set(member.groups);
        for (const one of within) for (const parent of groups.get(one)?.parents ?? []) within.add(parent);
        const inOrder = [...within].filter((one) => one !== ALL).toSorted(compare(order));
        const layers = [common, ...inOrder.map((one) => groups.get(one)?.variables ?? {}), member.variables];
        const all = Object.fromEntries(layers.flatMap((layer) => Object.entries(layer)));
        const { options, refusal, notes } = optionsOf(all);
        for (const note of refusal === undefined ? notes : [refusal]) {
          const names = said.get(note) ?? [];
          names.push(name);
          said.set(note, names);
        }
        if (refusal !== undefined) continue;
        const own = [...within].filter((one) => !UNSAID.has(one)).toSorted();
        hosts.set(name, { options, groups: own, where: member.where });
      }
      for (const [note, names] of said) problems.push({ where: source, message: `${few(names)}: ${note}` });
      return { hosts, problems };
    },
  };
}

function few(names: readonly string[]): string {
  const first = names.slice(0, MAX_NAMED).join(', ');
  return names.length > MAX_NAMED ? `${first} and ${names.length - MAX_NAMED} more` : first;
}

/** How deep each group lies below those that nothing is above: its variables win over those of less deep ones. */
function byDepth(groups: ReadonlyMap<string, Group>): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  const open = new Map([...groups].map(([name, { parents }]) => [name, parents.size]));
  const ready = [...open].filter(([, count]) => count === 0).map(([name]) => name);
  for (const name of ready) depths.set(name, 1);
  // The list grows while it is gone through.
  for (const name of ready) {
    for (const child of groups.get(name)?.children ?? []) {
      depths.set(child, Math.max(depths.get(child) ?? 0, (depths.get(name) ?? 0) + 1));
      const left = (open.get(child) ?? 0) - 1;
      open.set(child, left);
      if (left === 0) ready.push(child);
    }
  }
  return depths;
}

/** Of groups of one depth the last by name wins, as in Ansible. */
function compare(depths: ReadonlyMap<string, number>): (one: string, other: string) => number {
  return (one, other) => (depths.get(one) ?? 0) - (depths.get(other) ?? 0) || (one < other ? -1 : one > other ? 1 : 0);
}
