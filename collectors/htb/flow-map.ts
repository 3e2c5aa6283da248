/**
 * What the flows say of who uses which queue. Dumping flows costs the switch, so it is done only where a queue has no
 * other name, at a pace of its own, when the database has changed, and never for a bridge with too many of them. What
 * was found is kept with the target.
 */
import type { Host, Kept } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { flowPaths } from '../../src/ovs/flow-paths.ts';
import { addressHints, type Flow, queueUses } from '../../src/ovs/flows.ts';
import { openflow } from '../../src/ovs/openflow.ts';
import type { OvsBridge, Topology } from '../../src/ovs/topology.ts';
import { quoted } from '../../src/text.ts';
import { isComparable } from './drift.ts';
import type { BridgeFlows, Use } from './users.ts';

export interface FlowMapOptions {
  readonly rundir: string;
  /** How old what is known may become, in milliseconds; 0: flows are never dumped. */
  readonly everyMs: number;
  /** A bridge with more flows is left alone. */
  readonly maxFlows: number;
}

export interface FlowMap {
  readonly flows: readonly BridgeFlows[];
  /** Every bridge that could use a queue was read. */
  readonly known: boolean;
  readonly problems: readonly Failure[];
}

interface Memory extends Kept {
  atMs: number;
  fingerprint: string;
  map: FlowMap;
}

/** A change of the database is followed by others; so long at least between two dumps because of them. */
const SETTLE_MS = 10_000;
/** What could not be read is tried again sooner than what could. */
const RETRY_MS = 60_000;
/** A switch that hangs, or has lost its database, answers nobody; a run has seconds in all. */
const AGGREGATE_SECONDS = 2;
const DUMP_SECONDS = 4;
/** So many bridges, and programs, at once. */
const AT_ONCE = 4;
const nothing: FlowMap = { flows: [], known: false, problems: [] };

export async function flowMapOf(
  host: Host,
  topology: Topology,
  options: FlowMapOptions,
  atMs: number,
  isLive: boolean,
): Promise<FlowMap> {
  const bridges = bridgesToRead(topology);
  if (bridges.length === 0) return { ...nothing, known: true };
  if (options.everyMs === 0) return nothing;
  const memory = host.keep<Memory>(`htb flow map ${options.rundir} ${options.maxFlows}`, () => ({
    ...{ atMs: Number.NEGATIVE_INFINITY, fingerprint: '', map: nothing },
    close() {},
  }));
  // While ovs-vswitchd has no database it answers no OpenFlow: what is known of the flows is as old as the rows are.
  if (!isLive) return memory.map;
  const age = atMs - memory.atMs;
  const fingerprint = fingerprintOf(topology, bridges);
  const isOld = age < 0 || age >= options.everyMs || (age >= RETRY_MS && isIncomplete(memory.map));
  if (!isOld && (fingerprint === memory.fingerprint || age < SETTLE_MS)) return memory.map;
  // First, so that what takes longer than a run has is not begun again in each.
  Object.assign(memory, { atMs, fingerprint });
  memory.map = await readAll(host, bridges, options, memory.map);
  return memory.map;
}

/** Something was not read that might be now; too many flows are so for long. */
function isIncomplete({ problems }: FlowMap): boolean {
  return problems.some(({ code }) => code !== 'E_OUTPUT_SIZE');
}

/** Those from which packets may come to a queue that nothing but flows can name. */
export function bridgesToRead({ shaped, bridges }: Topology): OvsBridge[] {
  const groups = new Set<number | undefined>();
  for (const device of shaped.values()) {
    const needsFlows = [...device.queues.values()].some(({ owner }) => owner === undefined);
    if (needsFlows && isComparable(device)) groups.add(bridges.get(device.interface.bridge)?.group);
  }
  return [...bridges.values()].filter(({ group }) => groups.has(group));
}

const fingerprints = new WeakMap<Topology, string>();

/** What the meaning of the flows depends on, and what is changed along with them. */
function fingerprintOf(topology: Topology, bridges: readonly OvsBridge[]): string {
  let text = fingerprints.get(topology);
  if (text === undefined) {
    const devices = [...topology.shaped.values()].map(({ device, qos, queues }) => [device, qos, ...queues.keys()]);
    const ports = [...topology.interfaces.values()].map(({ name, ofport, mac, portId }) => [name, ofport, mac, portId]);
    text = JSON.stringify([bridges.map(({ uuid }) => uuid), devices, ports]);
    fingerprints.set(topology, text);
  }
  return text;
}

/** One bridge that cannot be read keeps what was known of it, as long as there is something. */
async function readAll(
  host: Host,
  bridges: readonly OvsBridge[],
  options: FlowMapOptions,
  before: FlowMap,
): Promise<FlowMap> {
  const problems: Failure[] = [];
  const read = async (bridge: OvsBridge): Promise<BridgeFlows | undefined> => {
    try {
      return await readBridge(host, bridge, options);
    } catch (thrown) {
      const { code, message, evidence } = asFailure(thrown);
      // Of no sample is anything unknown: classes keep their numbers, and at worst have a plainer name.
      const scope = { ...evidence, labels: { flows: bridge.name } };
      problems.push(new Failure(code, `who uses the queues behind bridge ${quoted(bridge.name)}: ${message}`, scope));
      return before.flows.find((one) => one.bridge === bridge.name);
    }
  };
  const found: (BridgeFlows | undefined)[] = [];
  const queue = [...bridges.entries()];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, bridge] = next;
      found[index] = await read(bridge);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const flows = found.filter((one) => one !== undefined);
  return { flows, known: problems.length === 0, problems };
}

async function readBridge(host: Host, bridge: OvsBridge, { rundir, maxFlows }: FlowMapOptions): Promise<BridgeFlows> {
  const within = (timeoutSeconds: number) => openflow(host, rundir, { timeoutSeconds });
  const { flows: count } = await within(AGGREGATE_SECONDS).aggregate(bridge);
  if (count !== undefined && count > maxFlows) {
    const found = `it has ${count} flows, more than maxFlows (${maxFlows})`;
    throw new Failure('E_OUTPUT_SIZE', `${found}, so they are not read; raise maxFlows, or name by class`);
  }
  const { flows, truncated } = await within(DUMP_SECONDS).flows(bridge, undefined, { maxRows: maxFlows });
  if (truncated) throw new Failure('E_OUTPUT_SIZE', `its flows are more than can be read; name by class`);
  // Parts of the text hold all of it in memory, which may be megabytes: a copy does not.
  return JSON.parse(JSON.stringify({ bridge: bridge.name, uses: usesIn(flows), hints: addressHints(flows) }));
}

/** Who sends may be matched in an earlier table than the one that sets the queue. */
export function usesIn(flows: readonly Flow[]): Use[] {
  const paths = flowPaths(flows);
  return queueUses(flows).flatMap(({ flow, ...use }): Use[] => {
    if (saysWhoSends(use)) return [use];
    const sources = paths.sourcesOf(flow, (one) => {
      const [source] = queueUses([{ ...one, queues: [{ queue: use.queue }] }]);
      return source !== undefined && saysWhoSends(source);
    });
    if (sources.length === 0) return [use];
    const asUses = sources.flatMap((one) => queueUses([{ ...one, queues: flow.queues }]));
    return asUses.filter(({ queue }) => queue === use.queue).map(({ flow: _, ...rest }) => rest);
  });
}

function saysWhoSends({ inPort, macSource, ipSources }: Use): boolean {
  return inPort !== undefined || macSource !== undefined || ipSources.length > 0;
}
