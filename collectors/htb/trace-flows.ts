/** The flows of all bridges as they are now, and from which of them it is known who uses a queue. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { addressHints, type Flow } from '../../src/ovs/flows.ts';
import { openflow } from '../../src/ovs/openflow.ts';
import type { Topology } from '../../src/ovs/topology.ts';
import { quoted } from '../../src/text.ts';
import { usesIn } from './flow-map.ts';
import type { BridgeFlows, Use } from './users.ts';

/** A flow that puts packets into a queue; of the same flow there is one for each sender that leads to it. */
export interface Link {
  readonly bridge: string;
  readonly flow: Flow;
  readonly use: Use;
}

export interface FlowReading {
  readonly known: readonly BridgeFlows[];
  /** By queue. */
  readonly links: ReadonlyMap<number, readonly Link[]>;
  /** By bridge: why its flows are not known, or not all of them. */
  readonly unread: ReadonlyMap<string, Failure>;
  /** One for all bridges that a switch which hangs leaves unread. */
  readonly problems: readonly Failure[];
}

export const noFlows: FlowReading = { known: [], links: new Map(), unread: new Map(), problems: [] };

/** So many bridges, and programs, at once. */
const AT_ONCE = 4;
/** For each bridge: one that is well takes half a second for 50,000 flows, and four of them wait for each other. */
const SECONDS = 5;
const MAX_NAMED = 8;

/** An operator asks, and has not set a pace: the flows are read now, whatever they cost, up to a cap. */
export async function readFlows(host: Host, { bridges }: Topology, rundir: string): Promise<FlowReading> {
  const switches = openflow(host, rundir, { timeoutSeconds: SECONDS });
  const read = new Map<string, readonly Flow[]>();
  const unread = new Map<string, Failure>();
  const problems: Failure[] = [];
  let late: Failure | undefined;
  const waiting = [...bridges.values()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (late !== undefined) {
        unread.set(next.name, late);
        continue;
      }
      try {
        const { flows, truncated } = await switches.flows(next);
        read.set(next.name, flows);
        if (truncated)
          throw new Failure('E_OUTPUT_SIZE', `bridge ${quoted(next.name)} has more flows than can be read`);
      } catch (thrown) {
        const failure = asFailure(thrown);
        if (failure.code === 'E_TIMEOUT') late ??= failure;
        else problems.push(failure);
        unread.set(next.name, failure);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  // In the order of the bridges, whichever answered first.
  const names = [...bridges.keys()];
  const unanswered = names.filter((name) => unread.get(name)?.code === 'E_TIMEOUT');
  if (late !== undefined) problems.push(timedOut(late, unanswered));
  const inOrder = names.map((bridge) => ({ bridge, flows: read.get(bridge) ?? [] }));
  const links = inOrder.map(({ bridge, flows }) => linksOf(bridge, flows));
  return {
    known: inOrder.map(({ bridge, flows }, index) => {
      return { bridge, uses: (links[index] ?? []).map(({ use }) => use), hints: addressHints(flows) };
    }),
    links: byQueue(links.flat()),
    unread,
    problems,
  };
}

function timedOut(late: Failure, bridges: readonly string[]): Failure {
  if (bridges.length < 2) return late;
  const names = bridges.slice(0, MAX_NAMED).map((name) => quoted(name));
  const more = bridges.length > MAX_NAMED ? ` and ${bridges.length - MAX_NAMED} more` : '';
  return new Failure(
    'E_TIMEOUT',
    `the flows of ${names.join(', ')}${more} are not known: ${late.message}`,
    late.evidence,
  );
}

/** Each flow’s queues get numbers that no other has, so that what comes of them tells where it comes from. */
function linksOf(bridge: string, flows: readonly Flow[]): Link[] {
  const origins: { readonly flow: Flow; readonly queue: number }[] = [];
  const numbered = flows.map((flow): Flow => {
    if (flow.queues.length === 0) return flow;
    return {
      ...flow,
      queues: flow.queues.map((one) => ({ ...one, queue: origins.push({ flow, queue: one.queue }) - 1 })),
    };
  });
  return usesIn(numbered).flatMap((use) => {
    const origin = origins[use.queue];
    return origin === undefined ? [] : [{ bridge, flow: origin.flow, use: { ...use, queue: origin.queue } }];
  });
}

function byQueue(links: readonly Link[]): Map<number, Link[]> {
  const all = new Map<number, Link[]>();
  for (const link of links) {
    const there = all.get(link.use.queue);
    if (there === undefined) all.set(link.use.queue, [link]);
    else there.push(link);
  }
  return all;
}
