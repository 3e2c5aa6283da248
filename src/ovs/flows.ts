/**
 * `ovs-ofctl dump-flows` (and `ovs-appctl bridge/dump-flows`) → flows; pure. Every version's spelling is read:
 *
 *      cookie=0xa1, duration=3.4s, table=0, n_packets=50, n_bytes=22100, priority=100,ip,nw_src=10.0.0.1 actions=…
 *
 * What stands in parentheses is not the flow's own: `learn(table=2,priority=5,…)`, `ct(commit,exec(…))`.
 */
import { exactIp, exactMac } from './address.ts';
import { type QueueAction, queuesOf, topLevel } from './flow-actions.ts';
import { type Count, countOf, unquoted } from './openflow-text.ts';

export interface Flow {
  readonly table: number;
  /** 32768 where none is printed. */
  readonly priority: number;
  /** In hexadecimal with 0x, as printed; `0x0` where none is. */
  readonly cookie: string;
  /** Undefined where the switch does not know. */
  readonly packets: Count;
  readonly bytes: Count;
  /** Field → value as printed (`nw_src` → `10.0.0.0/24`); a word alone (`ip`, `arp`) has an empty one. */
  readonly match: ReadonlyMap<string, string>;
  readonly actions: string;
  /** The queues that its packets are put into, in the order of its actions. */
  readonly queues: readonly QueueAction[];
}

export interface FlowLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
}

export const flowLimits: FlowLimits = { maxRows: 200_000, maxBytes: 64 * 1024 * 1024 };

export interface Flows {
  readonly flows: readonly Flow[];
  /** Some are missing: the text was longer than the limits, or its last line was cut off. */
  readonly truncated: boolean;
}

/** Stands before the match, and is none of it. */
const ABOUT = new Set([
  ...['cookie', 'duration', 'table', 'table_id', 'n_packets', 'n_bytes', 'n_offload_packets', 'n_offload_bytes'],
  ...['idle_timeout', 'hard_timeout', 'importance', 'idle_age', 'hard_age', 'priority'],
  ...['send_flow_rem', 'check_overlap', 'reset_counts', 'no_packet_counts', 'no_byte_counts', 'no_readonly_table'],
]);

/** Lines that are no flows (headers, log lines of ovs-ofctl, notices) are passed over. */
export function parseFlows(text: string, limits: Partial<FlowLimits> = {}): Flows {
  const { maxRows, maxBytes } = { ...flowLimits, ...limits };
  const flows: Flow[] = [];
  // A character is at least one byte, so this is never more than the limit.
  const end = Math.min(text.length, maxBytes);
  for (let at = 0; at < end; ) {
    const next = text.indexOf('\n', at);
    if (next < 0 || next >= end) return { flows, truncated: true };
    const flow = flowOf(text.slice(at, text[next - 1] === '\r' ? next - 1 : next));
    at = next + 1;
    if (flow === undefined) continue;
    if (flows.length >= maxRows) return { flows, truncated: true };
    flows.push(flow);
  }
  return { flows, truncated: end < text.length };
}

function flowOf(line: string): Flow | undefined {
  const at = actionsAt(line);
  if (at < 0) return undefined;
  const actions = line.slice(at + ACTIONS.length);
  const words = topLevel(line.slice(0, at), ', ')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  if (words.some((word) => !WORD.test(word))) return undefined;
  const about = new Map<string, string>();
  const match = new Map<string, string>();
  for (const word of words) {
    const equals = word.indexOf('=');
    const key = equals < 0 ? word : word.slice(0, equals);
    const into = ABOUT.has(key) ? about : match;
    if (!into.has(key)) into.set(key, equals < 0 ? '' : unquoted(word.slice(equals + 1)));
  }
  const table = Number(about.get('table') ?? about.get('table_id') ?? 0);
  const priority = Number(about.get('priority') ?? 32768);
  if (!Number.isInteger(table) || !Number.isInteger(priority)) return undefined;
  return {
    table,
    priority,
    cookie: about.get('cookie') ?? '0x0',
    packets: countOf(about.get('n_packets')),
    bytes: countOf(about.get('n_bytes')),
    match,
    actions,
    queues: queuesOf(actions),
  };
}

const ACTIONS = 'actions=';
/** A field of a match, with or without a value. A log line's `2026-…|WARN|…` and a program's `ovs-ofctl:` are none. */
const WORD = /^[a-z][a-z0-9_.]*(?:\[[0-9.]*\])?(?:=|$)/;

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

/** One flow that puts its packets into a queue. */
export interface QueueUse {
  readonly queue: number;
  /** The OpenFlow port that they leave by, where the action says it. */
  readonly port?: string;
  /** The OpenFlow port that they came in by: a number as text (`LOCAL` is 65534), or a name. */
  readonly inPort?: string;
  readonly macSource?: string;
  /** Exact source addresses, in one spelling (`address.ts`). */
  readonly ipSources: readonly string[];
  readonly table: number;
  readonly flow: Flow;
}

export function queueUses(flows: readonly Flow[]): QueueUse[] {
  return flows.flatMap((flow) =>
    flow.queues.map(({ queue, port }) => ({
      queue,
      ...(port === undefined ? {} : { port: portOf(port) }),
      ...sourceOf(flow),
      ipSources: ipSourcesOf(flow),
      table: flow.table,
      flow,
    })),
  );
}

/** Two or three of these belong together. */
export interface AddressHint {
  readonly inPort?: string;
  readonly mac?: string;
  readonly ip?: string;
}

/**
 * Such as Neutron's rules against spoofing: `arp,in_port=10,arp_spa=10.0.0.1`, `icmp6,in_port=10,icmp_type=136,
 * nd_target=fe80::1`, `in_port=10,dl_src=fa:16:3e:00:00:01`. Each is told once.
 */
export function addressHints(flows: readonly Flow[]): AddressHint[] {
  const found = new Map<string, AddressHint>();
  for (const flow of flows) {
    const { inPort, macSource: mac } = sourceOf(flow);
    if (inPort === undefined && mac === undefined) continue;
    const source = { ...(inPort === undefined ? {} : { inPort }), ...(mac === undefined ? {} : { mac }) };
    const ips = ipSourcesOf(flow);
    const advertised = advertisedBy(flow);
    if (advertised !== undefined && !ips.includes(advertised)) ips.push(advertised);
    const hints: AddressHint[] = ips.map((ip) => ({ ...source, ip }));
    if (hints.length === 0 && inPort !== undefined && mac !== undefined) hints.push(source);
    for (const hint of hints) found.set(`${hint.inPort} ${hint.mac} ${hint.ip}`, hint);
  }
  return [...found.values()];
}

function sourceOf({ match }: Flow): { readonly inPort?: string; readonly macSource?: string } {
  const inPort = match.get('in_port');
  const mac = exactMac(match.get('dl_src') ?? match.get('eth_src')) ?? exactMac(match.get('arp_sha'));
  return {
    ...(inPort === undefined || inPort === '' ? {} : { inPort: portOf(inPort) }),
    ...(mac === undefined ? {} : { macSource: mac }),
  };
}

function ipSourcesOf({ match }: Flow): string[] {
  const texts = ['nw_src', 'ip_src', 'ipv6_src', 'arp_spa'].map((field) => match.get(field));
  return [...new Set(texts.flatMap((text) => exactIp(text) ?? []))];
}

/** Of a neighbour advertisement (136) the target is the sender's own; of a solicitation (135) it is somebody else's. */
function advertisedBy({ match }: Flow): string | undefined {
  const type = match.get('icmp_type') ?? match.get('icmpv6_type');
  return type === '135' ? undefined : exactIp(match.get('nd_target'));
}

/** The bridge's own port is 65534 in OpenFlow 1.0 and in the database. */
function portOf(text: string): string {
  return text === 'LOCAL' ? '65534' : text;
}
