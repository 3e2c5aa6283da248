/** Reads the flows of bridges, as far as they say who uses a queue, in a time that leaves the run enough of its own. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { type Allowance, allowance, type Work } from '../../src/ovs/allowance.ts';
import type { QueueAction } from '../../src/ovs/flow-actions.ts';
import { findPaths } from '../../src/ovs/flow-paths.ts';
import { type Flow, findHints, mayTellUsers, queueUse, readFlows, saysWhoSends } from '../../src/ovs/flows.ts';
import { openflow } from '../../src/ovs/openflow.ts';
import type { OvsBridge } from '../../src/ovs/topology.ts';
import { quoted } from '../../src/text.ts';
import type { BridgeFlows, Use } from './users.ts';

export interface FlowMap {
  readonly flows: readonly BridgeFlows[];
  /** Every bridge that could use a queue was read. */
  readonly known: boolean;
  readonly problems: readonly Failure[];
}

/** Which bridges were not asked, and which were too slow: the ones are first the next time, the others last. */
export type Turns = Map<string, 'first' | 'last'>;

/** For all bridges together, and at most this part of the job's interval: the run has other things to do. */
const TOTAL_MS = 2500;
const PART_OF_INTERVAL = 0.3;
/** A switch that hangs, or has lost its database, answers nobody. */
const AGGREGATE_SECONDS = 2;
/** More than there is in all: it may have what the count has left, and ends by itself should nobody end it. */
const DUMP_SECONDS = 4;
/** So many bridges, and programs, at once. */
const AT_ONCE = 4;
/** Bridges that one problem names. */
const MAX_NAMED = 3;

interface Bounds {
  readonly rundir: string;
  readonly maxFlows: number;
}

/** How long all bridges together may take, in milliseconds. Undefined interval: none of a job. */
export function timeToRead(intervalMs: number | undefined): number {
  return Math.min(TOTAL_MS, Math.round((intervalMs ?? Number.POSITIVE_INFINITY) * PART_OF_INTERVAL));
}

/** Of a bridge that cannot be read, what was known before stays. */
export async function readBridges(
  host: Host,
  bridges: readonly OvsBridge[],
  bounds: Bounds,
  before: readonly BridgeFlows[],
  turns: Turns,
  allowedMs: number = TOTAL_MS,
): Promise<FlowMap> {
  const waiting = inTurn(bridges, turns);
  turns.clear();
  const problems: Failure[] = [];
  const read = new Map<string, BridgeFlows>();
  const time = allowance(allowedMs, () => {
    return new Failure('E_TIMEOUT', `flows were not read within ${allowedMs / 1000} s; it is tried again in a minute`);
  });
  const work = async (): Promise<void> => {
    for (let bridge = waiting.shift(); bridge !== undefined; bridge = waiting.shift()) {
      try {
        const { unsearched, ...flows } = await readBridge(host, bridge, bounds, time);
        read.set(bridge.name, flows);
        if (unsearched > 0) problems.push(about([bridge], tooManyWays(unsearched)));
      } catch (thrown) {
        const failure = asFailure(thrown);
        problems.push(about([bridge], failure));
        if (failure.code !== 'E_TIMEOUT') continue;
        // They are all one daemon's, which hangs: the others would only wait as long.
        turns.set(bridge.name, 'last');
        const skipped = waiting.splice(0);
        for (const { name } of skipped) turns.set(name, 'first');
        if (skipped.length > 0) problems.push(about(skipped, notAsked(bridge)));
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    time.end();
  }
  const flows = bridges.map(({ name }) => read.get(name) ?? before.find(({ bridge }) => bridge === name));
  return { flows: flows.filter((one) => one !== undefined), known: read.size === bridges.length, problems };
}

function inTurn(bridges: readonly OvsBridge[], turns: Turns): OvsBridge[] {
  const order = { first: 0, last: 2 };
  const of = ({ name }: OvsBridge): number => {
    const turn = turns.get(name);
    return turn === undefined ? 1 : order[turn];
  };
  return bridges.toSorted((a, b) => of(a) - of(b));
}

/** Of no sample is anything unknown: classes keep their numbers, and at worst have a plainer name. */
function about(bridges: readonly OvsBridge[], { code, message, evidence }: Failure): Failure {
  const names = bridges.slice(0, MAX_NAMED).map(({ name }) => quoted(name));
  const more = bridges.length > MAX_NAMED ? ` and ${bridges.length - MAX_NAMED} more` : '';
  const where = `${bridges.length === 1 ? 'bridge' : 'bridges'} ${names.join(', ')}${more}`;
  const labels = { flows: bridges[0]?.name };
  return new Failure(code, `who uses the queues behind ${where}: ${message}`, { ...evidence, labels });
}

function notAsked({ name }: OvsBridge): Failure {
  return new Failure('E_TIMEOUT', `not asked, since bridge ${quoted(name)} did not answer in time`);
}

function tooManyWays(unsearched: number): Failure {
  const found = `flows with a queue (${unsearched}) are reached in more ways than are searched`;
  return new Failure(
    'E_OUTPUT_SIZE',
    `${found}, so nothing says who sends; match the sender in these flows themselves`,
  );
}

type Told = BridgeFlows & Pick<FoundUses, 'unsearched'>;

async function readBridge(host: Host, bridge: OvsBridge, bounds: Bounds, time: Allowance): Promise<Told> {
  const { rundir, maxFlows } = bounds;
  const asked = openflow(host, rundir, { timeoutSeconds: AGGREGATE_SECONDS }).aggregate(bridge);
  const { flows: count } = await time.within(asked);
  if (count !== undefined && count > maxFlows) {
    const found = `it has ${count} flows, more than maxFlows (${maxFlows})`;
    throw new Failure('E_OUTPUT_SIZE', `${found}, so they are not read; raise maxFlows, or name by class`);
  }
  const text = await time.within(openflow(host, rundir, { timeoutSeconds: DUMP_SECONDS }).flowsText(bridge));
  return time.inSlices(findTold(text, bridge, maxFlows));
}

function* findTold(text: string, { name: bridge }: OvsBridge, maxRows: number): Work<Told> {
  const { flows, truncated } = yield* readFlows(text, { maxRows }, mayTellUsers);
  if (truncated) throw new Failure('E_OUTPUT_SIZE', `its flows are more than can be read; name by class`);
  return { bridge, ...(yield* findUses(flows)), hints: yield* findHints(flows) };
}

export interface FoundUses {
  readonly uses: Use[];
  /** Flows with a queue to which more ways lead than are searched: who sends is not known. */
  readonly unsearched: number;
}

/** One flow may have many queues, and each of them many senders. */
const MAX_USES = 500_000;

/** Who sends may be matched in an earlier table than the one that sets the queue. */
export function* findUses(flows: readonly Flow[]): Work<FoundUses> {
  const paths = yield* findPaths(flows, saysWhoSends);
  const uses: Use[] = [];
  let unsearched = 0;
  for (const flow of flows) {
    if (flow.queues.length === 0) continue;
    yield;
    const found = saysWhoSends(flow) ? [flow] : paths.sourcesOf(flow);
    const isTooMany = found === undefined || uses.length + found.length * flow.queues.length > MAX_USES;
    if (isTooMany) unsearched++;
    const sources = isTooMany || found.length === 0 ? [flow] : found;
    for (const action of flow.queues) for (const source of sources) uses.push(useOf(source, action));
  }
  return { uses, unsearched };
}

function useOf(source: Flow, action: QueueAction): Use {
  const { flow: _, ...use } = queueUse(source, action);
  return use;
}
