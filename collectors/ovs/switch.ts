/** What the bridges themselves count, by OpenFlow. A few programs at once, and none whose cost grows unasked. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import { type OpenFlow, openflow } from '../../src/ovs/openflow.ts';
import type { PortCounts, TableCounts } from '../../src/ovs/openflow-text.ts';
import { matcher, quoted } from '../../src/text.ts';
import type { Bridge, InterfaceLabels } from './layout.ts';
import { bridgeMetrics } from './metrics.ts';
import { portMetrics } from './metrics-links.ts';
import type { OvsOptions } from './options.ts';
import { known } from './rows.ts';
import { joined, only, type Part, problem } from './scope.ts';

const AT_ONCE = 4;
/** The bridge's own port: `LOCAL`, or this. */
const LOCAL = 65534;

const everything = only(['bridge', 'port', 'interface', 'table', 'match']);

type Task = () => Promise<Part>;

export async function readSwitch(host: Host, bridges: readonly Bridge[], options: OvsOptions): Promise<Part> {
  const client = openflow(host, options.rundir);
  const tasks = bridges.flatMap((bridge): Task[] => [
    () => guarded(bridge, () => readBridge(client, bridge, options)),
    ...(options.ports ? [() => guarded(bridge, () => readPorts(client, bridge))] : []),
  ]);
  for (const group of options.flows) tasks.push(() => readGroup(client, bridges, group));
  const { samples, problems } = joined(await inTurns(tasks));
  return { samples, problems: merged(problems) };
}

/** A switch that let one of them wait in vain lets all: the others are not tried, for each would take its timeout. */
async function inTurns(tasks: readonly Task[]): Promise<Part[]> {
  const queue = [...tasks];
  const parts: Part[] = [];
  const work = async (): Promise<void> => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const part = await task();
      parts.push(part);
      const late = part.problems.find(({ code }) => code === 'E_TIMEOUT');
      if (late === undefined || queue.length === 0) continue;
      queue.length = 0;
      parts.push({ samples: [], problems: [problem(late, everything)] });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return parts;
}

async function guarded({ name }: Bridge, read: () => Promise<readonly Sample[]>): Promise<Part> {
  try {
    return { samples: await read(), problems: [] };
  } catch (thrown) {
    return {
      samples: [],
      problems: [problem(thrown, only(['port', 'interface', 'table', 'match'], { bridge: name }))],
    };
  }
}

/** The tables cost the same whatever is in them; the sums cost the switch time for each flow of table 0. */
async function readBridge(client: OpenFlow, bridge: Bridge, options: OvsOptions): Promise<Sample[]> {
  const labels = { bridge: bridge.name };
  const tables = await client.tables(bridge);
  const flows = sumOf(tables);
  if (flows === undefined) {
    throw new Failure('E_PARSE', `ovs-ofctl dump-tables: no number of flows of bridge ${quoted(bridge.name)} in it`);
  }
  const samples = known(bridgeMetrics.flows, flows, labels);
  if (options.tables) samples.push(...tables.flatMap((table) => tableSamples(bridge.name, table)));
  const isTooLarge = Number(tables[0]?.active ?? 0) > options.aggregateLimit;
  samples.push(...known(bridgeMetrics.sumsSkipped, isTooLarge, labels));
  if (isTooLarge) return samples;
  const { packets, bytes } = await client.aggregate(bridge, 'table=0');
  return [...samples, ...known(bridgeMetrics.packets, packets, labels), ...known(bridgeMetrics.bytes, bytes, labels)];
}

function sumOf(tables: readonly TableCounts[]): number | undefined {
  if (tables.length === 0 || tables.some(({ active }) => active === undefined)) return undefined;
  return tables.reduce((sum, { active }) => sum + Number(active), 0);
}

/** Of 254 tables most were never used. */
function tableSamples(bridge: string, { table, active, lookups, matched }: TableCounts): Sample[] {
  if (active === 0 && lookups === 0) return [];
  const labels = { bridge, table: String(table) };
  return [
    ...known(bridgeMetrics.tableFlows, active, labels),
    ...known(bridgeMetrics.tableLookups, lookups, labels),
    ...known(bridgeMetrics.tableMatched, matched, labels),
  ];
}

const SIDES = [
  ...(['Pkts', 'Bytes', 'Drop', 'Errs', 'Frame', 'Over', 'Crc'] as const).map((key) => ['rx', key] as const),
  ...(['Pkts', 'Bytes', 'Drop', 'Errs', 'Coll'] as const).map((key) => ['tx', key] as const),
];

async function readPorts(client: OpenFlow, bridge: Bridge): Promise<Sample[]> {
  return (await client.ports(bridge)).flatMap((counts) => {
    const labels = labelsOf(bridge, counts);
    if (labels === undefined) return [];
    return SIDES.flatMap(([side, key]) => {
      const name = `${side}${key}` as keyof typeof portMetrics;
      return known(portMetrics[name], counts[side].get(key.toLowerCase()), labels);
    });
  });
}

/** A port that came after the database was read is known by the next run. */
function labelsOf({ ports }: Bridge, { port }: PortCounts): InterfaceLabels | undefined {
  return ports.get(port === 'LOCAL' ? LOCAL : /^[0-9]{1,10}$/.test(port) ? Number(port) : -1);
}

/** One after the other: a match that ovs-ofctl does not understand is told once, and not tried at every bridge. */
async function readGroup(client: OpenFlow, all: readonly Bridge[], group: OvsOptions['flows'][number]): Promise<Part> {
  const wanted = matcher(group.bridges);
  const samples: Sample[] = [];
  const problems: Failure[] = [];
  const about = `group ${quoted(group.name)} of flows: `;
  for (const bridge of all.filter(({ name }) => wanted(name))) {
    const labels = { bridge: bridge.name, match: group.name };
    try {
      const { flows, packets, bytes } = await client.aggregate(bridge, group.match);
      samples.push(
        ...known(bridgeMetrics.matchedFlows, flows, labels),
        ...known(bridgeMetrics.matchedPackets, packets, labels),
        ...known(bridgeMetrics.matchedBytes, bytes, labels),
      );
    } catch (thrown) {
      if (asFailure(thrown).code === 'E_EXIT') {
        return { samples: [], problems: [problem(thrown, only(['bridge'], { match: group.name }), about)] };
      }
      problems.push(problem(thrown, only([], labels), about));
      if (asFailure(thrown).code === 'E_TIMEOUT') break;
    }
  }
  return { samples, problems };
}

/**
 * One problem for a bridge, so that it leaves nothing of the others unknown, however many there are; one in all where
 * ovs-ofctl is not there, or a bridge did not answer in time.
 */
function merged(problems: readonly Failure[]): Failure[] {
  const missing = problems.find(({ code, evidence }) => code === 'E_NOT_FOUND' && evidence.stderr === undefined);
  const whole = missing ?? problems.find(({ evidence }) => evidence.labels === everything);
  if (whole !== undefined) return [problem(whole, everything), ...problems.filter(({ code }) => code !== whole.code)];
  const told = new Map<string, Failure>();
  // Those of the bridges come first: what they leave unknown covers their groups of flows.
  for (const one of problems.toSorted((a, b) => Number(isOfGroup(a)) - Number(isOfGroup(b)))) {
    const { bridge, match } = one.evidence.labels ?? {};
    const key = `${one.code} ${bridge ?? match}`;
    if (!told.has(key)) told.set(key, one);
  }
  return [...told.values()];
}

const isOfGroup = ({ evidence }: Failure): boolean => evidence.labels?.match !== undefined;
