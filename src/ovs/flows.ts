/**
 * `ovs-ofctl dump-flows` (and `ovs-appctl bridge/dump-flows`) → flows; pure. Every version's spelling is read:
 *
 *      cookie=0xa1, duration=3.4s, table=0, n_packets=50, n_bytes=22100, priority=100,ip,nw_src=10.0.0.1 actions=…
 *
 * What stands in parentheses is not the flow's own: `learn(table=2,priority=5,…)`, `ct(commit,exec(…))`.
 */
import { exactIp, exactMac } from './address.ts';
import { finish, type Work } from './allowance.ts';
import { type QueueAction, queuesOf } from './flow-actions.ts';
import { ACTIONS, parseFlowLine } from './flow-line.ts';
import { type Count, countOf } from './openflow-text.ts';

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

const AT_A_TIME = 32;

/** Lines that are no flows (headers, log lines of ovs-ofctl, notices) are passed over. */
export function parseFlows(text: string, limits: Partial<FlowLimits> = {}): Flows {
  return finish(readFlows(text, limits));
}

/** As `parseFlows`. A line that is not `wanted` counts as a row, and no more is made of it. */
export function* readFlows(
  text: string,
  limits: Partial<FlowLimits> = {},
  wanted: (line: string) => boolean = () => true,
): Work<Flows> {
  const { maxRows, maxBytes } = { ...flowLimits, ...limits };
  const flows: Flow[] = [];
  // A character is at least one byte, so this is never more than the limit.
  const end = Math.min(text.length, maxBytes);
  let rows = 0;
  for (let at = 0, lines = 0; at < end; lines++) {
    if (lines % AT_A_TIME === 0) yield;
    const next = text.indexOf('\n', at);
    if (next < 0 || next >= end) return { flows, truncated: true };
    const line = text.slice(at, text[next - 1] === '\r' ? next - 1 : next);
    at = next + 1;
    const isWanted = wanted(line);
    const flow = isWanted ? flowOf(line) : undefined;
    if (isWanted ? flow === undefined : !line.includes(ACTIONS)) continue;
    if (rows++ >= maxRows) return { flows, truncated: true };
    if (flow !== undefined) flows.push(flow);
  }
  return { flows, truncated: end < text.length };
}

/** Whether a line may tell anything of who uses a queue: by what it holds, which is far cheaper than to parse it. */
export function mayTellUsers(line: string): boolean {
  return (
    line.includes('queue') ||
    line.includes('resubmit(') ||
    line.includes('goto_table:') ||
    // Of one port or MAC, an address: dl_src, nw_src, arp_spa, arp_sha, nd_target.
    line.includes('_src=') ||
    line.includes('arp_s') ||
    line.includes('nd_target=')
  );
}

function flowOf(line: string): Flow | undefined {
  const parts = parseFlowLine(line);
  if (parts === undefined) return undefined;
  const { about, match, actions } = parts;
  const table = Number(about.table ?? about.table_id ?? 0);
  const priority = Number(about.priority ?? 32768);
  if (!Number.isInteger(table) || !Number.isInteger(priority)) return undefined;
  return {
    table,
    priority,
    cookie: about.cookie ?? '0x0',
    packets: countOf(about.n_packets),
    bytes: countOf(about.n_bytes),
    match,
    actions,
    queues: queuesOf(actions),
  };
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
  return flows.flatMap((flow) => flow.queues.map((action) => queueUse(flow, action)));
}

/** As if the flow itself put its packets into the queue. */
export function queueUse(flow: Flow, { queue, port }: QueueAction): QueueUse {
  return {
    queue,
    ...(port === undefined ? {} : { port: portOf(port) }),
    ...sourceOf(flow),
    ipSources: ipSourcesOf(flow),
    table: flow.table,
    flow,
  };
}

/** Whether its match names a port, a MAC or an address. */
export function saysWhoSends(flow: Flow): boolean {
  if ((flow.match.get('in_port') ?? '') !== '') return true;
  return macSourceOf(flow) !== undefined || ipSourcesOf(flow).length > 0;
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
  return finish(findHints(flows));
}

export function* findHints(flows: readonly Flow[]): Work<AddressHint[]> {
  const found = new Map<string, AddressHint>();
  for (const [index, flow] of flows.entries()) {
    if (index % AT_A_TIME === 0) yield;
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

function sourceOf(flow: Flow): { readonly inPort?: string; readonly macSource?: string } {
  const inPort = flow.match.get('in_port');
  const macSource = macSourceOf(flow);
  return {
    ...(inPort === undefined || inPort === '' ? {} : { inPort: portOf(inPort) }),
    ...(macSource === undefined ? {} : { macSource: own(macSource) }),
  };
}

function macSourceOf({ match }: Flow): string | undefined {
  const text = match.get('dl_src') ?? match.get('eth_src');
  const owner = match.get('arp_sha');
  return (text && exactMac(text)) || (owner && exactMac(owner)) || undefined;
}

function ipSourcesOf({ match }: Flow): string[] {
  const found: string[] = [];
  for (const field of ['nw_src', 'ip_src', 'ipv6_src', 'arp_spa']) {
    const text = match.get(field);
    const ip = text && exactIp(text);
    if (ip && !found.includes(ip)) found.push(ip);
  }
  return found;
}

/** Of a neighbour advertisement (136) the target is the sender's own; of a solicitation (135) it is somebody else's. */
function advertisedBy({ match }: Flow): string | undefined {
  const target = match.get('nd_target');
  const type = match.get('icmp_type') ?? match.get('icmpv6_type');
  return target === undefined || type === '135' ? undefined : exactIp(target);
}

/** The bridge's own port is 65534 in OpenFlow 1.0 and in the database. */
function portOf(text: string): string {
  return text === 'LOCAL' ? '65534' : own(text);
}

/** A part of a text holds all of it in memory, which may be megabytes; a copy does not, nor do a few characters. */
function own(text: string): string {
  return text.length < SHORT ? text : JSON.parse(JSON.stringify(text));
}

/** Of parts that are shorter V8 makes copies by itself. */
const SHORT = 13;
