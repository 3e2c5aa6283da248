/** Open vSwitch: interfaces, bridges, controllers, datapath, bonds and daemons, each source on its own. */
import { type Context, defineCollector, type Host, type Reading } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { databaseSocket, type Ovsdb, ovsdb, type Snapshot } from '../../src/ovs/ovsdb.ts';
import { quoted } from '../../src/text.ts';
import { checkOvs } from './check.ts';
import { readControl } from './control.ts';
import { DAEMONS, type Daemon, findDaemon, readDaemon } from './daemons.ts';
import { readInterfaces } from './interfaces.ts';
import { type Layout, layoutOf } from './layout.ts';
import { daemonMetrics, metrics } from './metrics.ts';
import { newcomers } from './newcomers.ts';
import { type OvsOptions, options } from './options.ts';
import { bridgeSamples, controllerSamples, known, managerSamples, schemaSamples, statisticsInterval } from './rows.ts';
import { joined, type Label, nothing, only, type Part, problem } from './scope.ts';
import { readSwitch } from './switch.ts';
import { tables } from './tables.ts';

export const ovs = defineCollector<OvsOptions>({
  name: 'ovs',
  options,
  metrics,
  tables,
  async collect(context: Context<OvsOptions>): Promise<Reading> {
    const { host, options } = context;
    const database = ovsdb(host, databaseSocket(options));
    const [view, ...daemons] = await Promise.all([
      viewOf(database, options),
      ...DAEMONS.map((name) => findDaemon(host, options.rundir, name)),
    ]);
    try {
      return await read(context, database, view, daemons);
    } finally {
      for (const { control } of daemons) control?.close();
    }
  },
  check: checkOvs,
});

/** What is known of the database. */
interface View {
  readonly snapshot: Snapshot | undefined;
  /** Of the snapshot, or of the one before the connection was lost. */
  readonly layout: Layout | undefined;
  /** Why it is not known as it is now. */
  readonly failure: Failure | undefined;
}

async function viewOf(database: Ovsdb, options: OvsOptions): Promise<View> {
  try {
    const snapshot = await database.snapshot();
    return { snapshot, layout: layoutOf(snapshot.tables, options), failure: snapshot.stale };
  } catch (thrown) {
    return { snapshot: undefined, layout: undefined, failure: asFailure(thrown) };
  }
}

const OF_DATABASE: readonly Label[] = ['bridge', 'port', 'interface', 'state', 'type', 'controller', 'role', 'error'];
const OF_VSWITCHD: readonly Label[] = [...OF_DATABASE, 'datapath', 'event', 'table', 'match'];

async function read(
  context: Context<OvsOptions>,
  database: Ovsdb,
  { snapshot, layout, failure }: View,
  daemons: readonly Daemon[],
): Promise<Reading> {
  const { host, options } = context;
  const isLive = failure === undefined && snapshot !== undefined;
  if (!isLive && daemons.every(({ isKnown }) => !isKnown)) {
    const { code, message, evidence } = failure ?? new Failure('E_BUG', 'the database says nothing');
    throw new Failure(code, `no Open vSwitch in ${quoted(options.rundir)}: ${message}`, {
      ...evidence,
      cause: failure,
    });
  }
  const [vswitchd] = daemons;
  const parts = daemons.map((daemon) => readDaemon(host, options.rundir, daemon));
  // What stands in the database of a switch that does not run, or hangs, is what it was.
  const runs = vswitchd !== undefined && !isSilent(vswitchd);
  if (isLive) parts.push(readDatabase(context, database, snapshot, layoutOr(layout), runs));
  if (vswitchd?.control !== undefined) parts.push(readControl(vswitchd.control, options, layout));
  // Without the database vswitchd answers no OpenFlow: each question would wait in vain.
  if (isLive && layout !== undefined && runs) parts.push(readBridges(host, database, layout, options));
  const { samples, problems } = joined(await Promise.all(parts));
  // Where nothing may be looked at, nothing is known.
  if (samples.length === 0 && failure !== undefined) throw failure;
  const isTooSoon = isLive && layout !== undefined && runs ? newcomers(host, options, layout) : undefined;
  const told: Failure[] = [...problems];
  if (failure !== undefined)
    told.push(problem(failure, only([...OF_DATABASE, 'table', 'match', 'manager', 'version'])));
  if (vswitchd !== undefined && vswitchd.control === undefined) {
    // Where it is told of the daemon itself already, nobody needs it twice.
    const before = told.findIndex(({ evidence }) => evidence.labels?.daemon === vswitchd.name);
    if (before >= 0) told.splice(before, 1);
    told.push(problem(vswitchd.failure, scopeWithout(vswitchd)));
  }
  return {
    samples: isTooSoon === undefined ? samples : samples.map((one) => (isTooSoon(one) ? { ...one, old: true } : one)),
    problems: told,
  };
}

function layoutOr(layout: Layout | undefined): Layout {
  return layout ?? { bridges: [], interfaces: new Map(), bonds: new Map(), hasLacp: false };
}

/** A process that takes no connections (`E_CONNECT`), or takes them and does not answer, hangs. */
function isSilent({ running, failure }: Daemon): boolean {
  const code = failure === undefined ? undefined : asFailure(failure).code;
  return running === false || code === 'E_TIMEOUT' || code === 'E_CONNECT';
}

/** Without its control socket: where it does not run, or hangs, its rows are unknown too. */
function scopeWithout(daemon: Daemon) {
  const own: readonly Label[] = ['facility', 'daemon', 'version'];
  if (!isSilent(daemon)) return only(['bridge', 'port', 'interface', 'datapath', 'event', ...own]);
  return only(daemon.running === false ? OF_VSWITCHD : [...OF_VSWITCHD, ...own]);
}

async function readDatabase(
  { intervalMs }: Context<OvsOptions>,
  database: Ovsdb,
  snapshot: Snapshot,
  layout: Layout,
  runs: boolean,
): Promise<Part> {
  const { tables } = snapshot;
  const interval = statisticsInterval(tables);
  const tooFast = intervalMs === undefined ? undefined : fasterThan(interval, intervalMs);
  const samples = [
    ...known(daemonMetrics.reply, snapshot.replySeconds, {}),
    ...known(daemonMetrics.resyncs, snapshot.resyncs, {}),
    ...known(daemonMetrics.statisticsInterval, interval, {}),
    ...known(daemonMetrics.oversampled, tooFast && tooFast.length > 0, {}),
    ...schemaSamples(tables),
    ...bridgeSamples(layout),
    ...managerSamples(tables),
  ];
  const problems = tooFast ?? [];
  if (!runs) return { samples, problems };
  samples.push(...controllerSamples(layout, tables));
  return joined([{ samples, problems }, await readInterfaces(database, layout)]);
}

/** Nothing is unknown because of it. */
const NOTHING = { pace: 'statistics' };

function fasterThan(seconds: number, intervalMs: number): Failure[] {
  if (intervalMs >= seconds * 1000) return [];
  const found = `ovs-vswitchd writes statistics every ${seconds} s (other_config:stats-update-interval)`;
  const advice = 'interfaces show nothing new in between, so give the job that interval or a longer one';
  const message = `the job runs every ${intervalMs / 1000} s, and ${found}: ${advice}`;
  return [new Failure('E_CONFIG', message, { labels: NOTHING })];
}

/** A bridge that was deleted meanwhile is no problem: it is gone. */
async function readBridges(host: Host, database: Ovsdb, layout: Layout, options: OvsOptions): Promise<Part> {
  if (layout.bridges.length === 0) return nothing;
  const part = await readSwitch(host, layout.bridges, options);
  if (!part.problems.some(({ code }) => code === 'E_NOT_FOUND')) return part;
  const still = await viewOf(database, options);
  if (still.failure !== undefined || still.layout === undefined) return part;
  const names = new Set(still.layout.bridges.map(({ name }) => name));
  const problems = part.problems.filter(({ code, evidence }) => {
    const bridge = evidence.labels?.bridge;
    return code !== 'E_NOT_FOUND' || bridge === undefined || names.has(bridge);
  });
  return { samples: part.samples, problems };
}
