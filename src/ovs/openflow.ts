/**
 * OpenFlow by ovs-ofctl(8): what a bridge counts, and its flows. Each program has its own timeout, and speaks the
 * version that the bridge allows; which one worked is remembered with the target.
 *
 * A bridge's name comes from outside: it is only ever the file name in `unix:<rundir>/<name>.mgmt`.
 */
import type { Host, Kept } from '../collector.ts';
import { Failure } from '../errors.ts';
import { lines, quoted } from '../text.ts';
import { type FlowLimits, type Flows, parseFlows } from './flows.ts';
import {
  type Aggregate,
  type PortCounts,
  parseAggregate,
  parsePorts,
  parseQueues,
  parseTables,
  type QueueCounts,
  type TableCounts,
} from './openflow-text.ts';

export interface BridgeAddress {
  readonly name: string;
  /** `Bridge.protocols`; empty: those that Open vSwitch speaks by default. */
  readonly protocols: readonly string[];
}

/**
 * Each call runs one program, and rejects with a Failure: `E_NOT_FOUND` (no such bridge, no ovs-ofctl), `E_DENIED`,
 * `E_TIMEOUT`, `E_CONNECT`, `E_PARSE`, `E_EXIT` (with the words of ovs-ofctl: a match that it does not understand).
 */
export interface OpenFlow {
  /** Sums over the flows that match (ovs-ofctl's syntax). The switch adds them up, flow by flow. */
  aggregate(bridge: BridgeAddress, match?: string): Promise<Aggregate>;
  /** What each table counts; costs the switch the same however many flows there are. */
  tables(bridge: BridgeAddress): Promise<readonly TableCounts[]>;
  ports(bridge: BridgeAddress): Promise<readonly PortCounts[]>;
  queues(bridge: BridgeAddress): Promise<readonly QueueCounts[]>;
  /** Expensive: half a second and 7 MB for 50,000 flows. */
  flows(bridge: BridgeAddress, match?: string, limits?: Partial<FlowLimits>): Promise<Flows>;
  /** The same as ovs-ofctl prints it: to make flows of so many at one stretch (`readFlows`) can hold a daemon up. */
  flowsText(bridge: BridgeAddress, match?: string): Promise<string>;
}

export interface OpenFlowOptions {
  /** For each program; whole seconds. */
  readonly timeoutSeconds?: number;
}

type Command = 'dump-aggregate' | 'dump-tables' | 'dump-ports' | 'queue-stats' | 'dump-flows';

/** Which version worked, by bridge; `default` is ovs-ofctl's own choice. */
interface Memory extends Kept {
  readonly worked: Map<string, string>;
}

/** A machine that makes up bridges is not remembered without end. */
const MAX_REMEMBERED = 4096;
const DEFAULT = 'default';
/** In the order in which they are tried: 1.3 is what every ovs-ofctl since 2.0 speaks. */
const VERSIONS = ['OpenFlow13', 'OpenFlow14', 'OpenFlow15', 'OpenFlow12', 'OpenFlow11', 'OpenFlow10'];

/** `rundir` is where vswitchd has its sockets: /var/run/openvswitch. */
export function openflow(host: Host, rundir: string, { timeoutSeconds = 2 }: OpenFlowOptions = {}): OpenFlow {
  const memory = host.keep<Memory>(`openflow versions ${rundir}`, () => ({ worked: new Map(), close() {} }));

  const ask = async (version: string, command: Command, bridge: BridgeAddress, match?: string): Promise<string> => {
    const allowed = version === DEFAULT ? [] : ['-O', version];
    const words = [command, `unix:${rundir}/${bridge.name}.mgmt`, ...(match === undefined ? [] : [match])];
    // Behind `--` nothing is an option, whatever a match begins with.
    return host.run(['ovs-ofctl', `--timeout=${timeoutSeconds}`, ...allowed, '--', ...words]);
  };

  const run = async (command: Command, bridge: BridgeAddress, match?: string): Promise<string> => {
    const { name } = bridge;
    if (!/^[^/\0]+$/.test(name)) {
      throw new Failure('E_NOT_FOUND', `${quoted(name)} is no bridge: its name cannot be that of a socket`);
    }
    let first: unknown;
    for (const version of candidates(bridge, memory.worked.get(name))) {
      try {
        const text = await ask(version, command, bridge, match);
        if (memory.worked.size < MAX_REMEMBERED || memory.worked.has(name)) memory.worked.set(name, version);
        return text;
      } catch (thrown) {
        first ??= thrown;
        if (!isWrongVersion(thrown)) {
          memory.worked.delete(name);
          throw explained(thrown, `ovs-ofctl ${command}`, name, timeoutSeconds);
        }
      }
    }
    memory.worked.delete(name);
    throw explained(first, `ovs-ofctl ${command}`, name, timeoutSeconds);
  };

  return {
    async aggregate(bridge, match) {
      const sums = parseAggregate(await run('dump-aggregate', bridge, match));
      if (sums !== undefined) return sums;
      throw new Failure('E_PARSE', `ovs-ofctl dump-aggregate: no reply of bridge ${quoted(bridge.name)} in its output`);
    },
    tables: async (bridge) => parseTables(await run('dump-tables', bridge)),
    ports: async (bridge) => parsePorts(await run('dump-ports', bridge)),
    queues: async (bridge) => parseQueues(await run('queue-stats', bridge)),
    flows: async (bridge, match, limits) => parseFlows(await run('dump-flows', bridge, match), limits),
    flowsText: (bridge, match) => run('dump-flows', bridge, match),
  };
}

/** What worked last, then what the bridge is configured for, then all others: one of them is what it speaks. */
function candidates({ protocols }: BridgeAddress, worked: string | undefined): string[] {
  const configured = VERSIONS.filter((version) => protocols.includes(version));
  const usual = protocols.length === 0 ? [DEFAULT] : configured;
  const rest = [DEFAULT, ...VERSIONS];
  return [...new Set([...(worked === undefined ? [] : [worked]), ...usual, ...rest])];
}

/** A bridge hangs up on a version that it does not allow; an older ovs-ofctl does not know the newest ones. */
function isWrongVersion(thrown: unknown): boolean {
  const stderr = thrown instanceof Failure && thrown.code === 'E_EXIT' ? (thrown.evidence.stderr ?? '') : '';
  return /version negotiation failed|\(Broken pipe\)|unknown OpenFlow version/i.test(stderr);
}

/** The words of ovs-ofctl itself, without the log lines before them. */
function wordsOf(stderr: string): string {
  const all = lines(stderr).map((line) => line.trim());
  const own = all.find((line) => line.startsWith('ovs-ofctl: '));
  return own?.slice('ovs-ofctl: '.length) ?? all.find((line) => line !== '') ?? '';
}

/** What a program's end means for the bridge that it was asked about. */
function explained(thrown: unknown, what: string, name: string, timeoutSeconds: number): unknown {
  if (!(thrown instanceof Failure) || thrown.code !== 'E_EXIT') return thrown;
  const { stderr = '', signal } = thrown.evidence;
  const at = `${what} at bridge ${quoted(name)}`;
  const failure = (code: Failure['code'], text: string): Failure =>
    new Failure(code, `${at}: ${text}`, { ...thrown.evidence, cause: thrown });
  if (signal === 'SIGALRM' || /Alarm clock/.test(stderr))
    return failure('E_TIMEOUT', `no answer within ${timeoutSeconds} s; is ovs-vswitchd busy?`);
  if (/No such file or directory|is not a bridge or a socket/.test(stderr))
    return failure('E_NOT_FOUND', 'there is no such bridge now');
  if (/Permission denied|Operation not permitted/.test(stderr))
    return failure('E_DENIED', 'its socket may not be used by this user');
  if (/Connection refused|Connection reset|End of file/.test(stderr))
    return failure('E_CONNECT', 'nothing answers on its socket; is ovs-vswitchd running?');
  if (isWrongVersion(thrown)) return failure('E_CONNECT', 'it speaks no OpenFlow version that ovs-ofctl speaks');
  const words = wordsOf(stderr);
  return failure('E_EXIT', words === '' ? thrown.message : quoted(words, 200));
}
