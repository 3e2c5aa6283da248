/**
 * Ansible's inventories as data → hosts. Pure.
 *
 * What `ansible-inventory --list` and dynamic inventory scripts print (`_meta.hostvars`, groups with lists of `hosts`
 * and `children`), and YAML files (`hosts` and `children` are maps, groups stand within groups). Both may be mixed.
 */
import { expanded, nameFault, type Parsed, type Problem } from './entry.ts';
import { createGroups, type Groups } from './groups.ts';

/** Where what has this path stands. */
export type Place = (path: readonly string[]) => string;
type Data = Readonly<Record<string, unknown>>;

const KEYS: ReadonlySet<string> = new Set(['hosts', 'children', 'vars']);
const META = '_meta';
const MAX_EXPANDED = 4096;
/** Of the path: twice as many as groups within groups. */
const MAX_DEPTH = 64;

/** Whether data has the form of Ansible's, and not of a map of targets. */
export function isAnsible(data: unknown): boolean {
  if (!isMap(data)) return false;
  if (isMap(data[META])) return true;
  return Object.values(data).some((body) => isMap(body) && ('hosts' in body || 'children' in body));
}

export function parseAnsible(data: unknown, place: Place): Parsed {
  const groups = createGroups();
  const problems: Problem[] = [];
  const tell = (path: readonly string[], message: string): void => void problems.push({ where: place(path), message });
  if (!isMap(data)) return { hosts: new Map(), problems: [{ where: place([]), message: 'expected a map of groups' }] };

  const reader = createReader(groups, place, tell);
  const meta = data[META];
  for (const [name, body] of Object.entries(data)) if (name !== META) reader.group(name, body, [name]);
  if (isMap(meta)) reader.hosts(undefined, meta.hostvars, [META, 'hostvars']);
  const { hosts, problems: others } = groups.resolved(place([]));
  return { hosts, problems: problems.concat(others) };
}

function createReader(groups: Groups, place: Place, tell: (path: readonly string[], message: string) => void) {
  const host = (group: string | undefined, written: string, variables: unknown, path: readonly string[]): void => {
    const names = expanded(written, MAX_EXPANDED);
    if (names === undefined) {
      tell(path, `expected a range of at most ${MAX_EXPANDED} names, such as hv[01:16]`);
      return;
    }
    if (variables !== null && variables !== undefined && !isMap(variables)) {
      tell(path, 'is left out: expected a map of variables, or nothing');
      return;
    }
    for (const name of names) {
      const fault = nameFault(name);
      if (fault === undefined) groups.host(name, group, variables ?? {}, place(path));
      else tell(path, fault);
    }
  };
  const hosts = (group: string | undefined, found: unknown, path: readonly string[]): void => {
    if (found === undefined || found === null) return;
    if (!Array.isArray(found) && !isMap(found)) {
      tell(path, 'expected a list or a map of hosts');
      return;
    }
    if (!Array.isArray(found)) {
      for (const [name, variables] of Object.entries(found)) host(group, name, variables, [...path, name]);
      return;
    }
    for (const [index, name] of found.entries()) {
      if (typeof name === 'string') host(group, name, undefined, [...path, String(index)]);
      else tell([...path, String(index)], 'expected the name of a host');
    }
  };
  const child = (parent: string, name: string, path: readonly string[]): boolean => {
    const fault = nameFault(name) ?? (groups.child(parent, name) ? undefined : `the group stands within itself`);
    if (fault !== undefined) tell(path, fault);
    return fault === undefined;
  };
  const group = (name: string, body: unknown, path: readonly string[]): void => {
    const fault = path.length > MAX_DEPTH ? 'is nested too deeply' : nameFault(name);
    if (fault !== undefined) {
      tell(path, fault);
      return;
    }
    groups.group(name);
    if (body === null || body === undefined) return;
    // A script of before Ansible 1.0 gives the hosts alone.
    if (Array.isArray(body)) {
      hosts(name, body, path);
      return;
    }
    if (!isMap(body)) {
      tell(path, 'expected a group: a map with hosts, children and vars');
      return;
    }
    for (const key of Object.keys(body))
      if (!KEYS.has(key)) tell([...path, key], 'is passed over; expected one of hosts, children, vars');
    const { vars, children } = body;
    if (isMap(vars)) groups.variables(name, vars);
    else if (vars !== undefined && vars !== null) tell([...path, 'vars'], 'expected a map of variables');
    hosts(name, body.hosts, [...path, 'hosts']);
    if (Array.isArray(children)) {
      for (const [index, one] of children.entries()) child(name, String(one), [...path, 'children', String(index)]);
    } else if (isMap(children)) {
      for (const [one, inner] of Object.entries(children)) {
        const at = [...path, 'children', one];
        if (child(name, one, at)) group(one, inner, at);
      }
    } else if (children !== undefined && children !== null) tell([...path, 'children'], 'expected groups');
  };
  return { group, hosts };
}

function isMap(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
