/**
 * Plain lines → hosts: `name [user@]host[:port] key=value …` or `[user@]host[:port] key=value …`, comments behind `#`
 * and `;`, and the sections of Ansible's INI files: `[group]`, `[group:children]`, `[group:vars]`. Pure.
 */
import { lines, quoted } from '../text.ts';
import { addressOf, expanded, isIpv6, nameFault, type Parsed, type Problem } from './entry.ts';
import { createGroups } from './groups.ts';

type Section = { readonly group: string | undefined; readonly holds: 'hosts' | 'children' | 'vars' | 'nothing' };

const MAX_EXPANDED = 4096;
const HOLDS = ['hosts', 'children', 'vars'] as const;

export function parseLines(text: string, source: string): Parsed {
  const groups = createGroups();
  const problems: Problem[] = [];
  /** Within one section a name stands once; in another one it is the same host. */
  let seen = new Map<string, string>();
  let section: Section = { group: undefined, holds: 'hosts' };

  for (const [index, line] of lines(text.replace(/^\ufeff/, '')).entries()) {
    const where = `${source}:${index + 1}`;
    const tell = (message: string): void => void problems.push({ where, message });
    const found = wordsOf(line);
    if (typeof found === 'string') {
      tell(found);
      continue;
    }
    const [first, ...rest] = found;
    if (first === undefined) continue;
    const heading = /^\[([^\]]*)\]$/.exec(found.join(' '))?.[1];
    if (heading !== undefined && !isIpv6(heading)) {
      const next = sectionOf(heading);
      if (typeof next === 'string') tell(next);
      section = typeof next === 'string' ? { group: undefined, holds: 'nothing' } : next;
      if (section.group !== undefined) groups.group(section.group);
      seen = new Map();
      continue;
    }
    const { group, holds } = section;
    if (holds === 'hosts') {
      const hosts = hostsOf(first, rest);
      if (typeof hosts === 'string') tell(hosts);
      else
        for (const name of hosts.names) {
          const before = seen.get(name);
          seen.set(name, before ?? where);
          if (before === undefined) groups.host(name, group, hosts.variables, where);
          else tell(`${name} is left out: the name stands at ${before} already`);
        }
    } else if (holds === 'children') {
      const fault = nameFault(first) ?? (groups.child(group ?? '', first) ? undefined : 'it stands within itself');
      if (fault !== undefined) tell(`the group ${quoted(first)} is left out: ${fault}`);
    } else if (holds === 'vars') {
      // Blanks around the sign are allowed here, and all behind it is the value.
      const [, key, value = ''] = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(bare(line)) ?? [];
      if (key === undefined) tell(`expected variable=value in the line that begins with ${beginOf(line)}`);
      else groups.variables(group ?? '', { [key]: unquoted(value) });
    }
  }
  const { hosts, problems: others } = groups.resolved(source);
  return { hosts, problems: problems.concat(others) };
}

function sectionOf(heading: string): Section | string {
  const [, group = '', colon, holds = 'hosts'] = /^([^:]*)(:([^:]*))?$/.exec(heading) ?? [];
  const kind = HOLDS.find((one) => one === holds);
  const fault =
    nameFault(group) ?? (kind === undefined ? 'expected [group], [group:children] or [group:vars]' : undefined);
  if (fault !== undefined || kind === undefined) return `the section ${quoted(`[${heading}]`)} is left out: ${fault}`;
  return { group, holds: colon === undefined ? 'hosts' : kind };
}

interface Hosts {
  readonly names: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/** The hosts of a line, or why there are none. */
function hostsOf(first: string, rest: readonly string[]): Hosts | string {
  const variables: Record<string, string> = {};
  const [second = ''] = rest;
  const isNamed = second !== '' && !second.includes('=');
  for (const [index, word] of rest.entries()) {
    if (isNamed && index === 0) continue;
    const [, key, value = ''] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(word) ?? [];
    // It is not shown: it may be the second half of a password.
    if (key === undefined) return `${quoted(first)} is left out: word ${index + 2} of its line is no variable=value`;
    variables[key] = value;
  }
  const names = expanded(first, MAX_EXPANDED);
  if (names === undefined) return `${quoted(first)}: expected a range of at most ${MAX_EXPANDED} names`;
  const isRange = names.length > 1 || names[0] !== first;
  if (isNamed && isRange)
    return `${quoted(first)} is left out: several names cannot have the one address ${quoted(second)}`;
  const written = isNamed ? second : first;
  const address = isRange ? {} : addressOf(written);
  if (address === undefined)
    return `${quoted(first)} is left out: expected [user@]host[:port], found ${quoted(written)}`;
  const all = isNamed || isRange ? names : [addressOf(first)?.host ?? first];
  const [one = ''] = all;
  const fault = all.map(nameFault).find((found) => found !== undefined);
  if (fault !== undefined) return isIpv6(one) ? `${one} is left out: write a name before the address` : fault;
  const { host, user, port } = address as { host?: string; user?: string; port?: number };
  return {
    names: all,
    variables: {
      ...(host === undefined || host === one ? {} : { ansible_host: host }),
      ...(user === undefined ? {} : { ansible_user: user }),
      ...(port === undefined ? {} : { ansible_port: String(port) }),
      ...variables,
    },
  };
}

/** Words at blanks, with `'…'` and `"…"` as in a shell; without what is a comment. A text says what is wrong. */
function wordsOf(line: string): readonly string[] | string {
  if (/^\s*;/.test(line)) return [];
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const character of line) {
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '#' && word === undefined) break;
    else word = (word ?? '') + character;
  }
  if (quote !== undefined)
    return `a quotation mark (${quote}) is not closed in the line that begins with ${beginOf(line)}`;
  return word === undefined ? words : [...words, word];
}

/** No more of a line is shown: Ansible's inventories hold passwords. */
function beginOf(line: string): string {
  return quoted(/^\s*([^\s=:'"]*)/.exec(line)?.[1] ?? '', 80);
}

function bare(line: string): string {
  return line.replace(/\s#.*$/, '');
}

function unquoted(value: string): string {
  return /^(['"])(.*)\1$/.exec(value)?.[2] ?? value;
}
