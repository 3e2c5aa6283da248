/** Our own form: a map of names → options of a target, or a list of targets with a `name` → hosts. Pure. */
import { quoted } from '../text.ts';
import { addressOf, type Entry, nameFault, type Parsed, type Problem } from './entry.ts';
import type { Place } from './in-ansible.ts';

/** A text is `[user@]host[:port]`, and nothing says that the name is the host. */
export function parseMap(data: unknown, place: Place): Parsed {
  const hosts = new Map<string, Entry>();
  const problems: Problem[] = [];
  const add = (name: string, body: unknown, path: readonly string[]): void => {
    const where = place(path);
    const found = nameFault(name) ?? optionsIn(body);
    const first = hosts.get(name);
    if (typeof found === 'string') problems.push({ where, message: `${quoted(name)} is left out: ${found}` });
    else if (first === undefined) hosts.set(name, { ...found, where });
    else problems.push({ where, message: `${name} is left out: the name stands at ${first.where} already` });
  };

  if (Array.isArray(data)) {
    for (const [index, item] of data.entries()) {
      const path = [String(index)];
      if (typeof item === 'string') {
        const address = addressOf(item);
        if (address === undefined) problems.push({ where: place(path), message: notAddress(item) });
        else add(address.host, item, path);
        continue;
      }
      const { name, ...rest } = (typeof item === 'object' && item !== null ? item : {}) as Record<string, unknown>;
      if (typeof name === 'string') add(name, rest, path);
      else problems.push({ where: place(path), message: 'expected a target with a "name" (a text: quote numbers)' });
    }
  } else if (typeof data === 'object' && data !== null) {
    for (const [name, body] of Object.entries(data)) add(name, body, [name]);
  } else {
    problems.push({ where: place([]), message: 'expected a map of targets by their names, or a list of them' });
  }
  return { hosts, problems };
}

/** The options and groups of a target, or why there are none. */
function optionsIn(body: unknown): Omit<Entry, 'where'> | string {
  if (body === null || body === undefined) return { options: {}, groups: [] };
  if (typeof body === 'string') {
    const address = addressOf(body);
    return address === undefined ? notAddress(body) : { options: { ...address }, groups: [] };
  }
  if (typeof body !== 'object' || Array.isArray(body)) return 'expected the options of a target';
  const { type = 'ssh', groups = [], ...options } = body as Record<string, unknown>;
  if (type !== 'ssh') return `type: expected ssh, found ${quoted(String(type))}`;
  return isNames(groups) ? { options, groups } : 'groups: expected a list of names';
}

function notAddress(text: string): string {
  return `expected [user@]host[:port], found ${quoted(text)}`;
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string' && nameFault(one) === undefined);
}
