/** What Open vSwitch says of the trees: its topology, live or as last known, and with it the classes' names. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import type { Tables } from '../../src/ovs/database.ts';
import { databaseSocket, ovsdb } from '../../src/ovs/ovsdb.ts';
import { type ShapedDevice, type Topology, topologyOf } from '../../src/ovs/topology.ts';
import { isComparable } from './drift.ts';
import { flowMapOf } from './flow-map.ts';
import { ABOUT_OVS } from './measure.ts';
import { type DeviceTree, type Named, type NamedBy, nameAll, OVS_ROOT_MINOR } from './names.ts';
import { handleOf } from './record.ts';
import type { Tree } from './tree.ts';
import { type BridgeFlows, queueUsers, type Users } from './users.ts';

export interface OvsOptions {
  readonly rundir: string;
  readonly database: string;
  readonly flowsEvery: number;
  readonly maxFlows: number;
  readonly name: NamedBy;
}

/** What is known of Open vSwitch in this run. */
export interface OvsView {
  /** Undefined: nothing is known, or there is no Open vSwitch here. */
  readonly topology: Topology | undefined;
  readonly users: Users | undefined;
  /** The rows are those of now, so that they can be compared with the kernel. */
  readonly live: boolean;
  readonly flowsKnown: boolean;
  /** They were read, and not merely unneeded. */
  readonly flowsRead: boolean;
  readonly problems: readonly Failure[];
}

export interface NamedTree extends Named {
  readonly tree: Tree;
  readonly shaped: ShapedDevice | undefined;
}

const topologies = new WeakMap<Tables, Topology>();

/** Rows that have not changed need not be looked at again. */
function topologyIn(tables: Tables): Topology {
  let topology = topologies.get(tables);
  if (topology === undefined) {
    topology = topologyOf(tables);
    topologies.set(tables, topology);
  }
  return topology;
}

const usersBy = new WeakMap<Topology, WeakMap<readonly BridgeFlows[], Users>>();

/** Of rows and flows that have not changed the users need not be found again. */
function usersIn(topology: Topology, flows: readonly BridgeFlows[]): Users {
  const byFlows = usersBy.get(topology) ?? new WeakMap<readonly BridgeFlows[], Users>();
  usersBy.set(topology, byFlows);
  const users = byFlows.get(flows) ?? queueUsers(topology, flows);
  byFlows.set(flows, users);
  return users;
}

/** A machine without Open vSwitch has no socket, and nothing to complain about: `missing` tells whether it should. */
export async function viewOvs(
  host: Host,
  options: OvsOptions,
  atMs: number,
  missing: (failure: Failure) => boolean,
  intervalMs?: number,
): Promise<OvsView> {
  const nothing = { topology: undefined, users: undefined, live: false, flowsKnown: false, flowsRead: false };
  try {
    const { tables, stale } = await ovsdb(host, databaseSocket(options)).snapshot();
    const topology = topologyIn(tables);
    const { rundir, flowsEvery: everyMs, maxFlows } = options;
    const map = await flowMapOf(
      host,
      topology,
      { rundir, database: databaseSocket(options), everyMs, maxFlows },
      atMs,
      stale === undefined,
      intervalMs,
    );
    const problems = (stale === undefined ? map.problems : [lostTouch(stale), ...map.problems]).map(aboutOvs);
    const users = usersIn(topology, map.flows);
    return {
      topology,
      users,
      live: stale === undefined,
      flowsKnown: map.known,
      flowsRead: map.flows.length > 0,
      problems,
    };
  } catch (thrown) {
    const failure = asFailure(thrown);
    return { ...nothing, problems: missing(failure) ? [] : [aboutOvs(failure)] };
  }
}

function lostTouch({ code, message, evidence }: Failure): Failure {
  return new Failure(code, `${message}; classes keep the names that they had`, evidence);
}

/** Whether the trees are such as Open vSwitch makes, so that its database is to be expected. */
export function looksLikeOvs(trees: readonly Tree[]): boolean {
  return trees.some(({ classes }) => classes.some(({ major, minor }) => major === 1 && minor === OVS_ROOT_MINOR));
}

/** Devices on which Open vSwitch would have a tree, and where there is none: somebody removed it. */
export function missingTrees({ topology, live }: OvsView, bare: readonly string[]): Tree[] {
  if (topology === undefined || !live) return [];
  return bare.flatMap((device) => {
    const shaped = topology.shaped.get(device);
    return shaped !== undefined && isComparable(shaped) ? [{ device, qdiscs: [], classes: [] }] : [];
  });
}

export function nameTree(tree: Tree, { topology, users }: OvsView, by: NamedBy): NamedTree {
  const { device, classes, qdiscs } = tree;
  const shaped = topology?.shaped.get(device);
  const defaults = new Map<number, number>();
  for (const { kind, handle, defaultMinor } of qdiscs) {
    const id = handleOf(handle);
    if ((kind === 'htb' || kind === 'hfsc') && id !== undefined && defaultMinor !== undefined) {
      defaults.set(id >>> 16, defaultMinor);
    }
  }
  const named: DeviceTree = { device, classes, defaults, shaped };
  return { tree, shaped, ...nameAll(named, users, by) };
}

/** What the kernel counts is known all the same. */
function aboutOvs({ code, message, evidence }: Failure): Failure {
  return new Failure(code, message, { ...evidence, labels: ABOUT_OVS });
}
