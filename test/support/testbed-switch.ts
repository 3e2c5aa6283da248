/** Open vSwitch's two daemons in a namespace and directory of their own: started, stopped, killed, replaced. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './statsd.ts';
import { output } from './testbed-keeper.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

export interface Switch {
  /** Directory of the sockets, pid files, logs and the database. */
  readonly rundir: string;
  /** The path of OVSDB's socket. */
  readonly database: string;
  vsctl(...args: readonly string[]): Promise<string>;
  ofctl(...args: readonly string[]): Promise<string>;
  appctl(...args: readonly string[]): Promise<string>;
  startOvsdb(): Promise<void>;
  /** As an init script stops it: it closes its connections and removes its sockets. */
  stopOvsdb(): Promise<void>;
  /** By SIGKILL; sockets and pid file stay behind. */
  killOvsdb(): Promise<void>;
  startVswitchd(): Promise<void>;
  stopVswitchd(): Promise<void>;
  killVswitchd(): Promise<void>;
  /** An empty database in the place of this one, by a restart of its server. */
  replaceDatabase(): Promise<void>;
}

export async function startSwitch(rundir: string, prefix: readonly string[]): Promise<Switch> {
  const env = { OVS_RUNDIR: rundir, OVS_LOGDIR: rundir, OVS_DBDIR: rundir, OVS_SYSCONFDIR: rundir };
  const database = join(rundir, 'db.sock');
  const conf = join(rundir, 'conf.db');
  const inside = (...argv: readonly string[]): Promise<string> => output([...prefix, ...argv], { env });
  const vsctl = (...args: readonly string[]): Promise<string> => inside('ovs-vsctl', '--timeout=10', ...args);
  const daemonOptions = ['--pidfile', '--detach', '--log-file', '--no-chdir'];
  const start = async (...argv: [daemon: string, ...string[]]): Promise<void> => {
    await inside(...argv, ...daemonOptions).catch((error: Error) => {
      throw new Error(`${error.message}\n${logOf(rundir, argv[0])}`);
    });
  };
  const stop = async (daemon: string, how: 'exit' | 'SIGKILL'): Promise<void> => {
    const pid = Number(readFileSync(join(rundir, `${daemon}.pid`), 'utf8'));
    if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error(`${daemon}.pid does not hold a process id`);
    if (how === 'SIGKILL') process.kill(pid, 'SIGKILL');
    else await inside('ovs-appctl', '--timeout=10', '-t', daemon, 'exit');
    await eventually(() => (isRunning(pid) ? undefined : true), `the end of ${daemon}`);
  };
  const create = (): Promise<string> => output(['ovsdb-tool', 'create', conf, SCHEMA], { env });
  const ovs: Switch = {
    rundir,
    database,
    vsctl,
    ofctl: (...args) => inside('ovs-ofctl', '--timeout=10', ...args),
    appctl: (...args) => inside('ovs-appctl', '--timeout=10', ...args),
    startOvsdb: () => start('ovsdb-server', conf, `--remote=punix:${database}`),
    stopOvsdb: () => stop('ovsdb-server', 'exit'),
    killOvsdb: () => stop('ovsdb-server', 'SIGKILL'),
    // --disable-system: without the kernel's datapath, which needs a module, all ports are in the userspace one.
    startVswitchd: () => start('ovs-vswitchd', `unix:${database}`, '--disable-system'),
    stopVswitchd: () => stop('ovs-vswitchd', 'exit'),
    killVswitchd: () => stop('ovs-vswitchd', 'SIGKILL'),
    async replaceDatabase() {
      await ovs.stopOvsdb();
      rmSync(conf);
      await create();
      await ovs.startOvsdb();
      await vsctl('--no-wait', 'init');
    },
  };
  await create();
  await ovs.startOvsdb();
  await vsctl('--no-wait', 'init');
  await ovs.startVswitchd();
  return ovs;
}

/** A process that ended but was not reaped (state Z) runs no more. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

function logOf(rundir: string, daemon: string): string {
  try {
    return readFileSync(join(rundir, `${daemon}.log`), 'utf8')
      .split('\n')
      .slice(-20)
      .join('\n');
  } catch {
    return `${daemon} wrote no log`;
  }
}
