/**
 * /proc/net/snmp, netstat and snmp6 → records. Pure.
 *
 * snmp and netstat (net/ipv4/proc.c) are pairs of lines, a header and its values, each behind the group's name; columns
 * are inserted and removed from kernel to kernel, so only names count. snmp6 (net/ipv6/proc.c) is a name and a value a
 * line.
 */
import { Failure } from '../../src/errors.ts';
import { integer, lines, quoted, words } from '../../src/text.ts';

export type Group = 'Tcp' | 'TcpExt' | 'Ip' | 'IpExt' | 'Udp' | 'MPTcpExt' | 'Ip6' | 'Udp6';

export interface Field {
  readonly group: Group;
  /** The kernel's column. */
  readonly column: string;
  readonly value: number | bigint;
}

export interface Parsed {
  readonly fields: readonly Field[];
  readonly problems: readonly Failure[];
}

const PAIRED: ReadonlySet<string> = new Set(['Tcp', 'TcpExt', 'Ip', 'IpExt', 'Udp', 'MPTcpExt']);
const COLUMN = /^[A-Za-z][A-Za-z0-9]{0,63}$/;
/** Negative only here: "no limit" (RFC 4022). */
const SIGNED = 'MaxConn';
const MAX_PROBLEMS = 10;

/** snmp or netstat, or several of them one after the other. Groups that are not ours are passed over. */
export function parsePairs(text: string, file: string): Parsed {
  const collect = createCollection(file);
  const headers = new Map<string, { readonly columns: readonly string[]; readonly line: number }>();
  const all = lines(text);
  // Without its end of line the last value may be cut in the middle of a number.
  const cutLine = text === '' || text.endsWith('\n') ? -1 : all.length - 1;

  for (const [index, line] of all.entries()) {
    // In whatever group: what should follow is missing, which nothing else would tell.
    if (index === cutLine) collect.wrong(index, 'the text is cut off here');
    const colon = line.indexOf(':');
    const group = line.slice(0, Math.max(0, colon));
    if (!PAIRED.has(group)) {
      if (line.trim() !== '' && !/^[A-Za-z0-9]+:/.test(line))
        collect.wrong(index, `expected "Group: …", found ${quoted(line)}`);
      continue;
    }
    const items = words(line.slice(colon + 1));
    const header = headers.get(group);
    const isHeader = items.some((item) => COLUMN.test(item)) && !items.some((item) => integer(item) !== undefined);
    if (isHeader) {
      if (header !== undefined) collect.wrong(header.line, `${group}: a header without values`);
      headers.set(group, { columns: items, line: index });
      continue;
    }
    headers.delete(group);
    if (header === undefined) {
      collect.wrong(index, `${group}: values without a header before them`);
      continue;
    }
    if (index === cutLine) items.pop();
    const isShort = items.length < header.columns.length;
    if (items.length > header.columns.length || (isShort && index !== cutLine)) {
      // Which of them is missing or too much cannot be told, so no column's value is sure.
      collect.wrong(index, `${group}: ${header.columns.length} columns and ${items.length} values`);
      continue;
    }
    for (const [position, item] of items.entries())
      collect.add(group as Group, header.columns[position] ?? '', item, index);
  }
  for (const [group, { line }] of headers) collect.wrong(line, `${group}: a header without values`);
  return collect.parsed();
}

/** snmp6: only Ip6 and Udp6. */
export function parseSnmp6(text: string, file: string): Parsed {
  const collect = createCollection(file);
  const all = lines(text);
  const cutLine = text === '' || text.endsWith('\n') ? -1 : all.length - 1;
  for (const [index, line] of all.entries()) {
    if (index === cutLine) {
      collect.wrong(index, 'the text is cut off here');
      continue;
    }
    const [name = '', value = '', ...rest] = words(line);
    const group = /^(Ip6|Udp6)([A-Z].*)$/.exec(name);
    if (group === null) continue;
    if (rest.length > 0) collect.wrong(index, `expected a name and a value, found ${quoted(line)}`);
    else collect.add(group[1] as Group, group[2] ?? '', value, index);
  }
  return collect.parsed();
}

/** Without these groups, which every kernel prints, the text is not what it should be: its series are unknown. */
export function expecting(groups: readonly Group[], file: string, { fields, problems }: Parsed): Parsed {
  const missing = groups.filter((group) => !fields.some((field) => field.group === group));
  if (missing.length === 0 || problems.length > 0) return { fields, problems };
  return { fields, problems: [new Failure('E_PARSE', `${file}: no ${missing.join(', no ')} in it`, { path: file })] };
}

function createCollection(file: string) {
  const fields = new Map<string, Field>();
  const doubled = new Set<string>();
  const problems: Failure[] = [];
  let more = 0;
  const wrong = (index: number, what: string): void => {
    if (problems.length < MAX_PROBLEMS) {
      problems.push(new Failure('E_PARSE', `${file} line ${index + 1}: ${what}`, { path: file, line: index + 1 }));
    } else more += 1;
  };
  return {
    wrong,
    add(group: Group, column: string, text: string, index: number): void {
      const value = integer(text);
      const key = `${group}: ${column}`;
      if (!COLUMN.test(column)) {
        wrong(index, `${group}: ${quoted(column, 40)} is no column name`);
      } else if (value === undefined || (value < 0 && column !== SIGNED)) {
        wrong(index, `${key}: expected a count, found ${quoted(text, 40)}`);
      } else if (fields.has(key)) {
        // Two values of one column: neither is better.
        doubled.add(key);
        wrong(index, `${key} is given twice`);
      } else {
        fields.set(key, { group, column, value });
      }
    },
    parsed(): Parsed {
      for (const key of doubled) fields.delete(key);
      if (more > 0) problems.push(new Failure('E_PARSE', `${file}: ${more} more faults`, { path: file, count: more }));
      return { fields: [...fields.values()], problems };
    },
  };
}
