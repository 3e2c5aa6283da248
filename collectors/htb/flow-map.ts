/**
 * What the flows say of who uses which queue. Dumping flows costs the switch, so it is done only where a queue has no
 * other name, at a pace of its own, when the database has changed, and never for a bridge with too many of them. What
 * was found is kept with the target.
 */
import type { Host, Kept } from '../../src/collector.ts';
import { finish } from '../../src/ovs/allowance.ts';
import type { Flow } from '../../src/ovs/flows.ts';
import type { OvsBridge, Topology } from '../../src/ovs/topology.ts';
import { isComparable } from './drift.ts';
import { type FlowMap, findUses, readBridges, type Turns, timeToRead } from './flow-read.ts';
import { queueUsers, type Use } from './users.ts';

export interface FlowMapOptions {
  readonly rundir: string;
  /** Whose rows the bridges are. */
  readonly database: string;
  /** How old what is known may become, in milliseconds; 0: flows are never dumped. */
  readonly everyMs: number;
  /** A bridge with more flows is left alone. */
  readonly maxFlows: number;
}

interface Memory extends Kept {
  atMs: number;
  /** How long that reading might take. */
  allowedMs: number;
  fingerprint: string;
  map: FlowMap;
  /** Another job's, which is not asked for twice. */
  reading: Promise<FlowMap> | undefined;
  /** Flows follow a change of the database, maybe late: once more is to be looked for them. */
  again: boolean;
  readonly turns: Turns;
}

/** A change of the database is followed by others; so long at least between two dumps because of them. */
const SETTLE_MS = 10_000;
/** What could not be read is tried again sooner than what could, and so are flows that did not come with their queue. */
const RETRY_MS = 60_000;
const nothing: FlowMap = { flows: [], known: false, problems: [] };

/** `intervalMs` is the job's: bridges have but a part of it. Undefined: this is none of a job. */
export async function flowMapOf(
  host: Host,
  topology: Topology,
  options: FlowMapOptions,
  atMs: number,
  isLive: boolean,
  intervalMs?: number,
): Promise<FlowMap> {
  const bridges = bridgesToRead(topology);
  if (bridges.length === 0) return { ...nothing, known: true };
  if (options.everyMs === 0) return nothing;
  const { rundir, maxFlows, database } = options;
  const memory = host.keep<Memory>(`htb flow map ${JSON.stringify([rundir, database, maxFlows])}`, () => ({
    ...{ atMs: Number.NEGATIVE_INFINITY, fingerprint: '', map: nothing, reading: undefined, again: false },
    ...{ allowedMs: 0, turns: new Map() },
    close() {},
  }));
  // While ovs-vswitchd has no database it answers no OpenFlow: what is known of the flows is as old as the rows are.
  if (!isLive) return memory.map;
  if (memory.reading !== undefined) return memory.reading;
  const fingerprint = fingerprintOf(topology, bridges);
  const allowedMs = timeToRead(intervalMs);
  const isLonger = lackedTime(memory.map) && allowedMs > memory.allowedMs;
  if (!isLonger && !isDue(memory, topology, fingerprint, atMs - memory.atMs, options.everyMs)) return memory.map;
  // First, so that what takes longer than a run has is not begun again in each.
  const again = fingerprint !== memory.fingerprint || (isLonger && memory.again);
  Object.assign(memory, { atMs, allowedMs, fingerprint, again });
  memory.reading = readBridges(host, bridges, options, memory.map.flows, memory.turns, allowedMs);
  try {
    memory.map = await memory.reading;
  } finally {
    memory.reading = undefined;
  }
  // The run was ended, and not by its own time: the next one may begin at once.
  if (memory.map.problems.some(({ code }) => code === 'E_ABORTED')) memory.atMs = Number.NEGATIVE_INFINITY;
  return memory.map;
}

function isDue(memory: Memory, topology: Topology, fingerprint: string, ageMs: number, everyMs: number): boolean {
  const { map, again } = memory;
  if (ageMs < 0 || ageMs >= everyMs) return true;
  if (ageMs >= SETTLE_MS && fingerprint !== memory.fingerprint) return true;
  if (ageMs < RETRY_MS) return false;
  memory.again = false;
  return isIncomplete(map) || (again && hasIdleQueue(topology, map));
}

/** A queue that nothing puts packets into, as far as flows could be read. Queue 0 needs no flow. */
function hasIdleQueue(topology: Topology, { flows }: FlowMap): boolean {
  if (flows.length === 0) return false;
  const users = queueUsers(topology, flows);
  return [...topology.shaped.values()].some(
    (device) =>
      isComparable(device) &&
      [...device.queues.values()].some(
        (queue) => queue.id !== 0 && queue.owner === undefined && users.of(device, queue).length === 0,
      ),
  );
}

/** Something was not read that might be now; too many flows are so for long. */
function isIncomplete({ problems }: FlowMap): boolean {
  return problems.some(({ code }) => code !== 'E_OUTPUT_SIZE');
}

/** A job of the same target with a longer interval may get what one with a shorter one did not, and need not wait. */
function lackedTime({ problems }: FlowMap): boolean {
  return problems.some(({ code }) => code === 'E_TIMEOUT');
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

/** Who uses which queue by these flows, found at one stretch. */
export function usesIn(flows: readonly Flow[]): Use[] {
  return finish(findUses(flows)).uses;
}
