/** What the collector needs, tried one by one: for `edgestatd check`. */
import type { Context, Host, Verdict } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { openflow } from '../../src/ovs/openflow.ts';
import { databaseSocket, ovsdb } from '../../src/ovs/ovsdb.ts';
import { type Topology, topologyOf } from '../../src/ovs/topology.ts';
import { unixctl } from '../../src/ovs/unixctl.ts';
import { quoted } from '../../src/text.ts';
import { bridgesToRead } from './flow-map.ts';
import type { OvsOptions } from './ovs.ts';
import type { Tree } from './tree.ts';
import { readTrees, type TreeOptions, type Trees } from './trees.ts';

export async function checkHtb({ host, options }: Context<TreeOptions & OvsOptions>): Promise<readonly Verdict[]> {
  const verdicts = [...(await checkSource(host, options)), ...(await checkRights(host))];
  const database = databaseSocket(options);
  let topology: Topology;
  try {
    topology = topologyOf((await ovsdb(host, database).snapshot()).tables);
  } catch (thrown) {
    return [...verdicts, await withoutDatabase(host, database, asFailure(thrown))];
  }
  const { version, shaped } = topology;
  const devices = [...shaped.keys()];
  const shapes =
    devices.length === 0 ? 'it shapes no device' : `it shapes ${devices.map((one) => quoted(one)).join(', ')}`;
  verdicts.push({
    level: 'ok',
    text: `database ${database}: Open vSwitch ${version ?? (await versionOf(host, options.rundir))}, ${shapes}`,
  });
  return [...verdicts, ...(await checkFlows(host, topology, options))];
}

async function checkSource(host: Host, options: TreeOptions): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  if (options.source !== 'tc') {
    try {
      return readable('netlink', await readTrees(host, { ...options, source: 'netlink' }));
    } catch (thrown) {
      const { code, message } = asFailure(thrown);
      const isReplaced = options.source === 'auto' && code === 'E_NOT_FOUND';
      if (!isReplaced) return [...verdicts, { level: 'fail', text: `netlink: ${told(thrown)}` }];
      // Of another machine that is as it should be.
      if (!message.includes('this machine alone'))
        verdicts.push({ level: 'warn', text: `netlink: ${told(thrown)}; tc is used instead` });
    }
  }
  try {
    const version = (await host.run(['tc', '-V'])).trim();
    verdicts.push(...readable(version, await readTrees(host, { ...options, source: 'tc' })));
  } catch (thrown) {
    verdicts.push({ level: 'fail', text: `tc: ${told(thrown)}; install iproute2` });
  }
  return verdicts;
}

const CAP_NET_ADMIN = 12n;

/** Who has not what `tc` needs to change a tree should know that it is not missed. Read as what `tc` would run as. */
async function checkRights(host: Host): Promise<Verdict[]> {
  const status = await host.readFile('/proc/self/status').catch(() => '');
  const [, effective] = /^CapEff:[ \t]*([0-9a-f]{1,16})$/m.exec(status) ?? [];
  if (effective === undefined || ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n) return [];
  return [{ level: 'ok', text: 'no CAP_NET_ADMIN: to read classes and qdiscs takes no capability' }];
}

function readable(source: string, { trees, problems }: Trees): Verdict[] {
  const unread = problems.map((problem): Verdict => ({ level: 'fail', text: `${source}: ${told(problem)}` }));
  return [{ level: 'ok', text: `${source}: ${counted(trees)}` }, ...unread];
}

function counted(trees: readonly Tree[]): string {
  const classes = trees.reduce((sum, tree) => sum + tree.classes.length, 0);
  const count = (number: number, one: string, more: string): string => `${number} ${number === 1 ? one : more}`;
  return `${count(classes, 'class', 'classes')} on ${count(trees.length, 'device', 'devices')}`;
}

/** The database holds it where Open vSwitch's own script has started it; the daemon itself always knows. */
async function versionOf(host: Host, rundir: string): Promise<string> {
  try {
    const vswitchd = await unixctl(host, rundir, 'ovs-vswitchd');
    try {
      const [, version] = /\(Open vSwitch\) ([0-9][0-9.]*)/.exec(await vswitchd.call('version')) ?? [];
      return version ?? 'of unknown version';
    } finally {
      vswitchd.close();
    }
  } catch {
    return 'of unknown version';
  }
}

/** No socket is no fault on a machine without Open vSwitch; one that may not be used is. */
async function withoutDatabase(host: Host, database: string, failure: Failure): Promise<Verdict> {
  const { code } = failure;
  if (code === 'E_NOT_FOUND') {
    const meaning = 'classes are named by their ids; right where there is no Open vSwitch';
    return { level: 'warn', text: `database: ${told(failure)}; ${meaning}` };
  }
  if (code !== 'E_DENIED') return { level: 'fail', text: `database: ${told(failure)}` };
  return { level: 'fail', text: `database: ${told(failure)}${await whoMay(host, database, failure)}` };
}

/** To connect is to write, and Open vSwitch mostly makes sockets of the mode 750, with which their group may not. */
async function whoMay(host: Host, socket: string, failure: Failure): Promise<string> {
  // Of another machine the failure has said it.
  if (failure.message.includes('group')) return '';
  const text = await host.run(['stat', '-L', '-c', '%a %U %G', socket]).catch(() => '');
  const [, mode = '', owner = '', group = ''] = /^([0-7]{3,4}) (\S+) (\S+)\s*$/.exec(text) ?? [];
  if (mode === '') return '; run as its owner, or as root';
  const mayGroup = (Number.parseInt(mode, 8) & 0o020) !== 0;
  const found = `it is ${quoted(owner)}’s with the mode ${mode}`;
  return mayGroup
    ? `; ${found}: add this user to the group ${quoted(group)}`
    : `; ${found}: run as that user, or as root`;
}

async function checkFlows(host: Host, topology: Topology, options: OvsOptions): Promise<Verdict[]> {
  const bridges = bridgesToRead(topology);
  if (bridges.length === 0 || options.flowsEvery === 0) {
    return [{ level: 'ok', text: 'flows are not needed to name the queues' }];
  }
  const switches = openflow(host, options.rundir);
  const verdicts: Verdict[] = [];
  for (const bridge of bridges) {
    const subject = `bridge ${quoted(bridge.name)}`;
    try {
      const { flows } = await switches.aggregate(bridge);
      if (flows !== undefined && flows > options.maxFlows) {
        const found = `${flows} flows, more than maxFlows (${options.maxFlows})`;
        verdicts.push({ level: 'warn', text: `${subject}: ${found}: queues are named without them` });
      } else verdicts.push({ level: 'ok', text: `${subject}: ${flows ?? 'an unknown number of'} flows` });
    } catch (thrown) {
      const isDenied = asFailure(thrown).code === 'E_DENIED';
      const socket = `${options.rundir}/${bridge.name}.mgmt`;
      const advice = isDenied ? await whoMay(host, socket, asFailure(thrown)) : '';
      verdicts.push({ level: 'fail', text: `${subject}: ${told(thrown)}${advice}` });
    }
  }
  return verdicts;
}

function told(thrown: unknown): string {
  const { code, message } = asFailure(thrown);
  return `${code}: ${message}`;
}
