/** `edgestatd trace`: the chain from who sends to the kernel's class, with what is missing where it ends early. */
import type { Context, Hop, Host, Trace } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { exactIp } from '../../src/ovs/address.ts';
import { addressHints, type Flow, queueUses } from '../../src/ovs/flows.ts';
import { openflow } from '../../src/ovs/openflow.ts';
import { ovsdb } from '../../src/ovs/ovsdb.ts';
import { type OvsInterface, type Topology, topologyOf } from '../../src/ovs/topology.ts';
import { datapathPort } from './datapath-port.ts';
import { usesIn } from './flow-map.ts';
import { OVS_ROOT_MINOR, pathForm } from './names.ts';
import { databaseOf, type NamedTree, nameTree, type OvsOptions } from './ovs.ts';
import { bridgeHop, classHop, flowHop, interfaceHop, type Place, queueHops } from './trace-hops.ts';
import { type Live, readLive } from './trace-live.ts';
import { interfacesOf, isUser, type Subject, subjectOf } from './trace-subject.ts';
import type { TreeOptions } from './trees.ts';
import { type BridgeFlows, queueUsers, type User, type Users } from './users.ts';

/** All that the chains are made of. */
interface Scene {
  readonly live: Live;
  readonly topology: Topology | undefined;
  readonly flows: ReadonlyMap<string, readonly Flow[]>;
  readonly users: Users | undefined;
  readonly trees: readonly NamedTree[];
  readonly problems: readonly Failure[];
}

/** More chains than this are not read by anybody: of a device the busiest classes are shown. */
const MAX_CHAINS = 20;

export async function traceHtb(context: Context<TreeOptions & OvsOptions>, what: string): Promise<Trace | undefined> {
  const scene = await sceneOf(context);
  const subject = subjectOf(what, scene.trees, scene.topology);
  if (subject === undefined) return undefined;
  const chains = await chainsOf(subject, scene, context);
  return { subject: `${subject.kind} ${subject.value}`, chains: chains.slice(0, MAX_CHAINS), problems: scene.problems };
}

async function sceneOf({ host, options }: Context<TreeOptions & OvsOptions>): Promise<Scene> {
  const problems: Failure[] = [];
  const [live, topology] = await Promise.all([
    readLive(host, options),
    ovsdb(host, databaseOf(options))
      .snapshot()
      .then(({ tables, stale }) => {
        if (stale !== undefined) problems.push(stale);
        return topologyOf(tables);
      })
      .catch((thrown) => {
        problems.push(asFailure(thrown));
        return undefined;
      }),
  ]);
  const flows = topology === undefined ? new Map() : await readFlows(host, topology, options, problems);
  const known: BridgeFlows[] = [...flows].map(([bridge, all]) => {
    return { bridge, uses: usesIn(all), hints: addressHints(all) };
  });
  const users = topology && queueUsers(topology, known);
  const view = { topology, users, live: true, flowsKnown: true, flowsRead: true, problems };
  const trees = live.trees.trees.map((tree) => nameTree(tree, view, options.name));
  return { live, topology, flows, users, trees, problems: [...problems, ...live.problems, ...live.trees.problems] };
}

/** An operator asks, and has not set a pace: the flows are read now, whatever they cost, up to a cap. */
async function readFlows(host: Host, { bridges }: Topology, { rundir }: OvsOptions, problems: Failure[]) {
  const switches = openflow(host, rundir, { timeoutSeconds: 10 });
  const all = new Map<string, readonly Flow[]>();
  for (const bridge of bridges.values()) {
    try {
      all.set(bridge.name, (await switches.flows(bridge)).flows);
    } catch (thrown) {
      problems.push(asFailure(thrown));
    }
  }
  return all;
}

/** One way from a sender to a place. */
interface Way {
  readonly sender: OvsInterface | undefined;
  readonly user: User | undefined;
  readonly place: Place;
}

async function chainsOf(subject: Subject, scene: Scene, context: Context<TreeOptions & OvsOptions>): Promise<Hop[][]> {
  const { topology, trees } = scene;
  const ways = topology === undefined ? [] : waysOf(subject, scene, topology);
  if (ways.length > 0) return ways.map((way) => wholeChain(way, subject, scene));
  const classes = plainClasses(subject, trees, scene);
  if (classes.length > 0) return classes;
  if (topology === undefined) return [];
  const found = interfacesOf(subject, topology);
  if (subject.kind === 'ip') {
    const name = await datapathPort(context.host, context.options.rundir, subject.value);
    const one = name === undefined ? undefined : topology.interfaces.get(name);
    if (one !== undefined) found.push(one);
  }
  return found.map((one) => withoutQueue(one, subject, topology));
}

/** Queues of all shaped devices that are, or are used by, the subject. */
function waysOf(subject: Subject, { users, trees, flows }: Scene, topology: Topology): Way[] {
  const groupOf = (bridge: string): number | undefined => topology.bridges.get(bridge)?.group;
  const ways: Way[] = [];
  for (const device of topology.shaped.values()) {
    const classes = trees.find(({ tree }) => tree.device === device.device)?.classes ?? [];
    const ids = new Set([...device.queues.keys(), ...classes.flatMap(({ queue }) => queue ?? [])]);
    // A flow may put packets into a queue that nobody made.
    for (const [bridge, all] of flows) {
      if (groupOf(bridge) !== groupOf(device.interface.bridge)) continue;
      for (const { queues } of all) for (const { queue } of queues) ids.add(queue);
    }
    for (const queue of ids) {
      const row = device.queues.get(queue);
      const all = (row === undefined ? users?.ofQueue(device, queue) : users?.of(device, row)) ?? [];
      const place = { device, queue, row };
      const named = subject.kind === 'queue' ? Number(subject.value) === queue : isClass(subject, device.device, queue);
      const mine = named ? all : all.filter((user) => isUser(subject, user));
      if (named && all.length === 0) ways.push({ sender: undefined, user: undefined, place });
      for (const user of mine) {
        const sender = user.vif === undefined ? undefined : topology.interfaces.get(user.vif);
        ways.push({ sender, user, place });
      }
    }
  }
  return ways;
}

function isClass(subject: Subject, device: string, queue: number): boolean {
  if (subject.kind !== 'class' || (subject.device !== undefined && subject.device !== device)) return false;
  return subject.value === `1:${(queue + 1).toString(16)}`;
}

function wholeChain({ sender, user, place }: Way, subject: Subject, scene: Scene): Hop[] {
  const { topology, flows } = scene;
  const ip = user?.ip ?? (subject.kind === 'ip' ? subject.value : undefined);
  const hops: Hop[] = [];
  if (user !== undefined || sender !== undefined) hops.push(interfaceHop(sender, ip));
  const uplink = place.device.interface.bridge;
  const [bridge, flow] = flowOf(place, user, flows, topology) ?? [sender?.bridge ?? uplink, undefined];
  if (topology !== undefined && sender !== undefined) hops.push(bridgeHop(sender.bridge, uplink, topology));
  // Neutron's own queues are chosen by its agent's flows as well; where the row says whose it is, none need be found.
  // Queue 0 takes what no flow puts anywhere.
  if (flow !== undefined || (place.row?.owner === undefined && place.queue !== 0)) {
    const missing = `no flow puts packets into queue ${place.queue}: nothing uses it, or only a flow on another switch`;
    hops.push(flowHop(bridge, flow, missing));
  }
  hops.push(...queueHops(place));
  const handle = `1:${(place.queue + 1).toString(16)}`;
  hops.push(classHopOf(place.device.device, handle, scene));
  return hops;
}

function flowOf(
  { queue }: Place,
  user: User | undefined,
  flows: ReadonlyMap<string, readonly Flow[]>,
  topology: Topology | undefined,
): [bridge: string, flow: Flow] | undefined {
  for (const [bridge, all] of flows) {
    const uses = queueUses(all.filter((flow) => flow.queues.some((one) => one.queue === queue)));
    const theirs = uses.find(({ inPort, macSource, ipSources }) => {
      const port = user?.vif === undefined ? undefined : topology?.interfaces.get(user.vif)?.ofport;
      const fits = [inPort !== undefined && inPort === String(port), inPort !== undefined && inPort === user?.vif];
      return (
        fits.includes(true) ||
        (macSource !== undefined && macSource === user?.mac) ||
        ipSources.includes(user?.ip ?? '')
      );
    });
    const chosen = theirs ?? uses[0];
    if (chosen !== undefined) return [bridge, chosen.flow];
  }
  return undefined;
}

function classHopOf(device: string, handle: string, { trees, live, topology }: Scene): Hop {
  const tree = trees.find((one) => one.tree.device === device);
  const named = tree?.classes.find(({ record }) => record.handle === handle);
  return classHop({
    ...{ device, handle, named, shaped: topology?.shaped.get(device) },
    root: tree?.classes.find(({ record }) => record.major === 1 && record.minor === OVS_ROOT_MINOR)?.record,
    activity: named === undefined ? undefined : live.since(device, named.record),
    series: named === undefined ? undefined : `htb.${pathForm(device)}.${pathForm(named.labels.name)}`,
  });
}

/** A device's busiest classes, or classes by their id where Open vSwitch knows nothing of them. */
function plainClasses(subject: Subject, trees: readonly NamedTree[], scene: Scene): Hop[][] {
  const inAll =
    subject.kind === 'class' ? trees.filter(({ tree }) => (subject.device ?? tree.device) === tree.device) : [];
  if (subject.kind === 'class') {
    return inAll
      .filter(({ classes }) => classes.some(({ record }) => record.handle === subject.value))
      .map(({ tree }) => [classHopOf(tree.device, subject.value, scene)]);
  }
  if (subject.kind !== 'device') return [];
  const tree = trees.find((one) => one.tree.device === subject.value);
  if (tree === undefined) return [];
  const { shaped } = tree;
  const busy = tree.classes
    .map(({ record }) => ({ record, now: scene.live.since(subject.value, record)?.bitsPerSecond ?? 0 }))
    .sort((a, b) => b.now - a.now)
    .slice(0, MAX_CHAINS);
  const head = shaped === undefined ? [] : queueHops({ device: shaped, queue: 0, row: shaped.queues.get(0) }).slice(1);
  return [[...head, ...busy.map(({ record }) => classHopOf(subject.value, record.handle, scene))]];
}

function withoutQueue(one: OvsInterface, subject: Subject, topology: Topology): Hop[] {
  const ip = subject.kind === 'ip' ? exactIp(subject.value) : undefined;
  const group = topology.bridges.get(one.bridge)?.group;
  const reached = [...topology.shaped.values()].filter(
    ({ interface: { bridge } }) => topology.bridges.get(bridge)?.group === group,
  );
  const hops = [interfaceHop(one, ip)];
  if (reached.length === 0) {
    const broken = 'no port that its bridge reaches has a QoS: it is not shaped';
    return [...hops, { kind: 'qos', identity: undefined, facts: {}, command: ['ovs-vsctl', 'list', 'QoS'], broken }];
  }
  const where = reached.map(({ device }) => device).join(', ');
  const missing = `no flow puts its packets into a queue: on ${where} they go to queue 0, class 1:1`;
  return [...hops, flowHop(one.bridge, undefined, missing)];
}
