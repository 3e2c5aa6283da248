/** One line of `ovs-ofctl dump-flows` → what it says about the flow, its match, its actions. Pure. */
import { unquoted } from './openflow-text.ts';

export interface FlowLine {
  /** What stands before the match, as printed. */
  readonly about: { readonly [key in About]?: string };
  /** Field → value as printed; a word alone has an empty one. Of two with one name the first counts. */
  readonly match: ReadonlyMap<string, string>;
  readonly actions: string;
}

type About = 'cookie' | 'table' | 'table_id' | 'n_packets' | 'n_bytes' | 'priority';
const ABOUT: ReadonlySet<string> = new Set<About>([
  ...(['cookie', 'table', 'table_id', 'n_packets', 'n_bytes', 'priority'] as const),
]);
/** Stands before the match too, and is none of it. */
const PASSED_OVER = new Set([
  ...['duration', 'n_offload_packets', 'n_offload_bytes', 'idle_timeout', 'hard_timeout', 'importance', 'idle_age'],
  ...['hard_age', 'send_flow_rem', 'check_overlap', 'reset_counts', 'no_packet_counts', 'no_byte_counts'],
  'no_readonly_table',
]);

export const ACTIONS = 'actions=';

/** Undefined: it is no flow. Words are neither split off nor matched: there are ten in each of very many lines. */
export function parseFlowLine(line: string): FlowLine | undefined {
  const end = actionsAt(line);
  if (end < 0) return undefined;
  const about: { [key in About]?: string } = {};
  const match = new Map<string, string>();
  for (let from = 0, to = 0; from < end; from = to + 1) {
    to = wordEnd(line, from, end);
    if (to === from) continue;
    const keyTo = keyEnd(line, from, to);
    if (keyTo === from) return undefined;
    const name = line.slice(from, keyTo);
    const key = NAMES.get(name) ?? name;
    if (PASSED_OVER.has(key)) continue;
    if (isAbout(key)) about[key] ??= line.slice(keyTo + 1, to);
    else if (!match.has(key)) match.set(key, keyTo < to ? unquoted(line.slice(keyTo + 1, to)) : '');
  }
  return { about, match, actions: line.slice(end + ACTIONS.length) };
}

/** The usual ones, so that not every flow keeps names of its own. */
const NAMES: ReadonlyMap<string, string> = new Map(
  [
    ...['in_port', 'dl_src', 'dl_dst', 'dl_vlan', 'dl_type', 'vlan_tci', 'ip', 'ipv6', 'arp', 'icmp6', 'tcp', 'udp'],
    ...[
      'nw_src',
      'nw_dst',
      'ipv6_src',
      'ipv6_dst',
      'arp_spa',
      'nd_target',
      'icmp_type',
      'tp_src',
      'tp_dst',
      'ct_state',
    ],
    ...['ct_mark', 'ct_zone', 'metadata', 'tun_id', 'conj_id', ...Array.from({ length: 8 }, (_, at) => `reg${at}`)],
  ].map((name) => [name, name]),
);

function isAbout(key: string): key is About {
  return ABOUT.has(key);
}

const [TAB, BLANK, QUOTE, OPEN, CLOSE, COMMA, EQUALS, BACKSLASH] = [9, 32, 34, 40, 41, 44, 61, 92];

/** The next blank or comma that stands in no parentheses and quotes. */
function wordEnd(line: string, from: number, end: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = from; at < end; at++) {
    const code = line.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) quoted = false;
    } else if (code === QUOTE) quoted = true;
    else if (code === OPEN) depth++;
    else if (code === CLOSE) depth = Math.max(0, depth - 1);
    else if (depth === 0 && (code === COMMA || code === BLANK || code === TAB)) return at;
  }
  return end;
}

/** A field of a match, with or without a value. A log line's `2026-…|WARN|…` and a program's `ovs-ofctl:` are none. */
const WORD = /^([a-z][a-z0-9_.]*(?:\[[0-9.]*\])?)(?:=|$)/;

/** Where the name of a field ends; where it begins: the word is none. */
function keyEnd(line: string, from: number, to: number): number {
  let at = from;
  while (at < to && isPlain(line.charCodeAt(at))) at++;
  if ((at === to || line.charCodeAt(at) === EQUALS) && line.charCodeAt(from) >= 97) return at;
  return from + (WORD.exec(line.slice(from, to))?.[1]?.length ?? 0);
}

/** A small letter, a digit or `_`. */
function isPlain(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95;
}

/** Where the actions begin: the first such word that is not within quotes (a port may be called anything). */
function actionsAt(line: string): number {
  // Looked for again only once it is passed: a long line without a quote must not be read through each time.
  let quote = line.indexOf('"');
  for (let from = 0; ; ) {
    const at = line.indexOf(ACTIONS, from);
    if (at < 0) return -1;
    if (quote >= 0 && quote < from) quote = line.indexOf('"', from);
    if (quote >= 0 && quote < at) from = stringEnd(line, quote);
    else if (at === 0 || line[at - 1] === ' ' || line[at - 1] === ',') return at;
    else from = at + ACTIONS.length;
  }
}

/** Where the string that begins with this quote has ended. */
function stringEnd(line: string, quote: number): number {
  let at = quote + 1;
  while (at < line.length && line[at] !== '"') at += line[at] === '\\' ? 2 : 1;
  return at + 1;
}
