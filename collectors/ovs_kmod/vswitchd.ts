/** What is asked of Open vSwitch: its version as it runs and as it is installed, and whether it needs the module. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { one } from '../../src/ovs/database.ts';
import { databaseSocket, ovsdb, type Snapshot } from '../../src/ovs/ovsdb.ts';
import { patient } from '../../src/ovs/patience.ts';
import { unixctl } from '../../src/ovs/unixctl.ts';
import { quoted } from '../../src/text.ts';
import { vswitchdVersion } from './parse.ts';

const DAEMON = 'ovs-vswitchd';
const PATIENCE_SECONDS = 2;

export interface Vswitchd {
  readonly isRunning: boolean;
  /** Undefined: it does not run, or does not tell. */
  readonly runningVersion: string | undefined;
  /** Of the program on disk: the one that the next boot starts. */
  readonly installedVersion: string | undefined;
  /** Undefined: the database cannot be read. */
  readonly bridges: { readonly kernel: number; readonly userspace: number } | undefined;
  /** What could not be asked. */
  readonly problems: readonly Failure[];
}

export interface Place {
  readonly rundir: string;
  readonly database: string;
}

/** Throws where nothing of Open vSwitch is found at all. */
export async function askVswitchd(host: Host, place: Place): Promise<Vswitchd> {
  const [snapshot, running, installed] = await Promise.all([
    snapshotOf(host, place),
    runningVersion(host, place.rundir),
    host.run([DAEMON, '--version']).then(vswitchdVersion, asFailure),
  ]);
  if (snapshot instanceof Failure && running instanceof Failure && installed instanceof Failure) {
    const { code, message, evidence } = snapshot;
    throw new Failure(code, `no Open vSwitch in ${quoted(place.rundir)}: ${message}`, { ...evidence, cause: snapshot });
  }
  const rows = snapshot instanceof Failure ? undefined : snapshot;
  const written = rows === undefined ? undefined : writtenVersion(rows);
  return {
    isRunning: !(running instanceof Failure),
    runningVersion: running instanceof Failure ? undefined : (running ?? written),
    // In a container of its own its program is not here.
    installedVersion: installed instanceof Failure ? undefined : installed,
    bridges: rows === undefined ? undefined : countBridges(rows),
    problems: [...(snapshot instanceof Failure ? [snapshot] : []), ...denials(running)],
  };
}

/** One that does not run is no problem of this collector's; one that may not be asked is. */
function denials(running: unknown): Failure[] {
  return running instanceof Failure && running.code !== 'E_NOT_FOUND' && running.code !== 'E_CONNECT' ? [running] : [];
}

async function snapshotOf(host: Host, place: Place): Promise<Snapshot | Failure> {
  return ovsdb(host, databaseSocket(place)).snapshot().catch(asFailure);
}

async function runningVersion(host: Host, rundir: string): Promise<string | undefined | Failure> {
  try {
    const control = patient(await unixctl(host, rundir, DAEMON), DAEMON, PATIENCE_SECONDS);
    try {
      return vswitchdVersion(await control.call('version'));
    } finally {
      control.close();
    }
  } catch (thrown) {
    return asFailure(thrown);
  }
}

/** ovs-ctl(8) writes it when it starts vswitchd. */
function writtenVersion({ tables }: Snapshot): string | undefined {
  for (const row of tables.get('Open_vSwitch')?.values() ?? []) {
    const version = one(row.ovs_version);
    if (typeof version === 'string') return vswitchdVersion(`${DAEMON} (Open vSwitch) ${version}`);
  }
  return undefined;
}

/** `netdev` is the datapath in userspace; `system`, and nothing, the kernel's (ovs-vswitchd.conf.db(5)). */
function countBridges({ tables }: Snapshot): { readonly kernel: number; readonly userspace: number } {
  const types = [...(tables.get('Bridge')?.values() ?? [])].map((row) => one(row.datapath_type));
  const userspace = types.filter((type) => type === 'netdev').length;
  return { kernel: types.length - userspace, userspace };
}
