/** `edgestatd trace`: the chain from who sends to the kernel's class, with what is missing where it ends early. */
import type { Context, Hop, Host, Trace } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { databaseSocket, ovsdb } from '../../src/ovs/ovsdb.ts';
import { type OvsInterface, type Topology, topologyOf } from '../../src/ovs/topology.ts';
import { matcher } from '../../src/text.ts';
import { datapathPort } from './datapath-port.ts';
import { OVS_ROOT_MINOR, pathForm } from './names.ts';
import { type NamedTree, nameTree, type OvsOptions } from './ovs.ts';
import { type FlowReading, noFlows, readFlows } from './trace-flows.ts';
import { bridgeHop, classHop, flowHop, interfaceHop, queueHops, treeHop } from './trace-hops.ts';
import { type Live, readLive } from './trace-live.ts';
import { interfacesOf, type Subject, subjectOf } from './trace-subject.ts';
import { type Field, type Way, waysOf } from './trace-ways.ts';
import type { TreeOptions } from './trees.ts';
import { isMachines, isOwnLimit, queueUsers } from './users.ts';

type Options = TreeOptions & OvsOptions;

/** All that the chains are made of. */
interface Scene {
  readonly options: Options;
  readonly live: Live;
  readonly trees: readonly NamedTree[];
  /** Undefined: Open vSwitch's database told nothing. */
  readonly field: Field | undefined;
}

/** More chains than this are not read by anybody: of a device the busiest classes are shown. */
const MAX_CHAINS = 20;

export async function traceHtb({ host, options }: Context<Options>, what: string): Promise<Trace | undefined> {
  const problems: Failure[] = [];
  const scene = await sceneOf(host, options, problems);
  const subject = subjectOf(what, scene.trees, scene.field?.topology);
  // What the database could not be asked for may still be there.
  if (subject === undefined) return problems.length === 0 ? undefined : { subject: what, chains: [], problems };
  const chains = await chainsOf(subject, scene, host, problems);
  return { subject: `${subject.kind} ${subject.value}`, chains: chains.slice(0, MAX_CHAINS), problems };
}

async function sceneOf(host: Host, options: Options, problems: Failure[]): Promise<Scene> {
  const { topology, flows } = await readSwitches(host, options, problems);
  // Not at once: on a machine that is busy with us the second is measured badly.
  const live = await readLive(host, options);
  const senders = topology && queueUsers(topology, flows.known);
  problems.push(...flows.problems, ...live.problems, ...live.reading.problems);
  const view = { topology, users: senders, live: true, flowsKnown: true, flowsRead: true, problems };
  const trees = live.reading.trees.map((tree) => nameTree(tree, view, options.name));
  const field = topology === undefined || senders === undefined ? undefined : { topology, flows, senders, trees };
  return { options, live, trees, field };
}

interface Switches {
  readonly topology: Topology | undefined;
  readonly flows: FlowReading;
}

async function readSwitches(host: Host, options: Options, problems: Failure[]): Promise<Switches> {
  try {
    const { tables, stale } = await ovsdb(host, databaseSocket(options)).snapshot();
    if (stale !== undefined) problems.push(stale);
    const topology = topologyOf(tables);
    return { topology, flows: await readFlows(host, topology, options.rundir) };
  } catch (thrown) {
    problems.push(asFailure(thrown));
    return { topology: undefined, flows: noFlows };
  }
}

async function chainsOf(subject: Subject, scene: Scene, host: Host, problems: Failure[]): Promise<Hop[][]> {
  const { field } = scene;
  if (subject.kind === 'device') return [...vifChains(subject.value, scene), ...deviceChains(subject.value, scene)];
  if (field === undefined) return classChains(subject, scene);
  const { senders, topology, flows } = field;
  let vifs = subject.kind === 'ip' ? senders.at(subject.value) : interfacesOf(subject, topology);
  let ways = waysOf(subject, vifs, field);
  // One that does not tell its flows does not answer this either.
  const isHung = flows.problems.some(({ code }) => code === 'E_TIMEOUT');
  if (subject.kind === 'ip' && ways.length === 0 && vifs.length === 0 && !isHung) {
    vifs = await vifsBySending(subject.value, scene.options.rundir, topology, host, problems);
    ways = waysOf(subject, vifs, field);
  }
  if (ways.length > 0) return ways.slice(0, MAX_CHAINS).map((way) => wholeChain(way, subject, scene));
  const classes = classChains(subject, scene);
  return classes.length > 0 ? classes : vifs.map((one) => withoutQueue(one, subject, field));
}

async function vifsBySending(
  ip: string,
  rundir: string,
  topology: Topology,
  host: Host,
  problems: Failure[],
): Promise<OvsInterface[]> {
  try {
    const name = await datapathPort(host, rundir, ip);
    const one = name === undefined ? undefined : topology.interfaces.get(name);
    return one === undefined ? [] : [one];
  } catch (thrown) {
    problems.push(asFailure(thrown));
    return [];
  }
}

/** A device with a tree of its own may be a VIF, whose packets go on to a queue of another. */
function vifChains(name: string, scene: Scene): Hop[][] {
  const { field } = scene;
  const one = field?.topology.interfaces.get(name);
  if (field === undefined || one === undefined) return [];
  const subject: Subject = { kind: 'vif', value: name };
  const ways = waysOf(subject, [one], field).filter(({ place }) => place.device.device !== name);
  if (ways.length === 0 && isMachines(one)) return [withoutQueue(one, subject, field)];
  return ways.slice(0, MAX_CHAINS - 1).map((way) => wholeChain(way, subject, scene));
}

function wholeChain({ sender, user, link, place }: Way, subject: Subject, scene: Scene): Hop[] {
  const { field } = scene;
  const uplink = place.device.interface.bridge;
  const hops: Hop[] = [];
  if (user !== undefined) hops.push(interfaceHop(sender, subject.kind === 'ip' ? subject.value : user.ip));
  if (field !== undefined && sender !== undefined) hops.push(bridgeHop(sender.bridge, uplink, field.topology));
  // Neutron's own queues are chosen by its agent's flows as well; where the row says whose it is, none need be found.
  // Queue 0 takes what no flow puts anywhere.
  if (link !== undefined || (place.row?.owner === undefined && place.queue !== 0)) {
    const missing = `no flow puts packets into queue ${place.queue}: nothing uses it, or only a flow on another switch`;
    hops.push(flowHop(link?.bridge ?? uplink, link?.flow, (field && notRead(uplink, field)) ?? missing));
  }
  const handle = `1:${(place.queue + 1).toString(16)}`;
  return [...hops, ...queueHops(place), classHopOf(place.device.device, handle, scene)];
}

/** Why nothing can be said of the flows that lead to this bridge; undefined: all of them are known. */
function notRead(bridge: string, { topology, flows }: Field): string | undefined {
  const group = topology.bridges.get(bridge)?.group;
  const [first] = [...flows.unread].filter(([name]) => topology.bridges.get(name)?.group === group);
  return first === undefined ? undefined : `not read: ${first[1].message}`;
}

function classHopOf(device: string, handle: string, scene: Scene): Hop {
  const { trees, live, field, options } = scene;
  const tree = trees.find((one) => one.tree.device === device);
  const named = tree?.classes.find(({ record }) => record.handle === handle);
  const isSent = matcher(options.devices)(device) && !matcher(options.exclude)(device);
  return classHop({
    ...{ device, handle, named, shaped: field?.topology.shaped.get(device) },
    missing: missingTree(device, scene) ?? `the kernel has no class ${handle} on ${device}`,
    root: tree?.classes.find(({ record }) => record.major === 1 && record.minor === OVS_ROOT_MINOR)?.record,
    activity: named === undefined ? undefined : live.since(device, named.record),
    series: named === undefined || !isSent ? undefined : `htb.${pathForm(device)}.${pathForm(named.labels.name)}`,
  });
}

/** Why a class that was not found may be there all the same, or why no other is; undefined: it alone is missing. */
function missingTree(device: string, { trees, live }: Scene): string | undefined {
  const isThere = trees.some(({ tree }) => tree.device === device);
  const problem = live.reading.problems.find(({ evidence: { labels } }) =>
    labels?.device === undefined ? !isThere : labels.device === device,
  );
  if (problem !== undefined) return `${device} was not read: ${problem.message}`;
  return isThere ? undefined : `${device} has no HTB tree`;
}

/** Classes by their id, where Open vSwitch knows nothing of them. */
function classChains(subject: Subject, scene: Scene): Hop[][] {
  if (subject.kind !== 'class') return [];
  return scene.trees
    .filter(({ tree }) => (subject.device ?? tree.device) === tree.device)
    .filter(({ classes }) => classes.some(({ record }) => record.handle === subject.value))
    .map(({ tree }) => [classHopOf(tree.device, subject.value, scene)]);
}

/** A device's QoS, and its busiest classes. */
function deviceChains(device: string, scene: Scene): Hop[][] {
  const tree = scene.trees.find((one) => one.tree.device === device);
  const shaped = scene.field?.topology.shaped.get(device);
  const head = shaped === undefined ? [] : queueHops({ device: shaped, queue: 0, row: undefined }).slice(1);
  const missing = missingTree(device, scene);
  if (tree === undefined) return [[...head, treeHop(device, missing ?? '')]];
  const busy = tree.classes
    .map(({ record }) => ({ record, now: scene.live.since(device, record)?.bitsPerSecond ?? 0 }))
    .sort((a, b) => b.now - a.now)
    .slice(0, MAX_CHAINS);
  return [[...head, ...busy.map(({ record }) => classHopOf(device, record.handle, scene))]];
}

function withoutQueue(one: OvsInterface, subject: Subject, field: Field): Hop[] {
  const { topology } = field;
  const group = topology.bridges.get(one.bridge)?.group;
  const reached = [...topology.shaped.values()].filter(
    (device) => topology.bridges.get(device.interface.bridge)?.group === group && !isOwnLimit(device),
  );
  const hops = [interfaceHop(one, subject.kind === 'ip' ? subject.value : undefined)];
  if (reached.length === 0) {
    const broken = 'no port that its bridge reaches has a QoS: it is not shaped';
    return [...hops, { kind: 'qos', identity: undefined, facts: {}, command: ['ovs-vsctl', 'list', 'QoS'], broken }];
  }
  const where = reached.map(({ device }) => device).join(', ');
  const missing = `no flow puts its packets into a queue: on ${where} they go to queue 0, class 1:1`;
  return [...hops, flowHop(one.bridge, undefined, notRead(one.bridge, field) ?? missing)];
}
