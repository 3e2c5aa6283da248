/** The two daemons: whether they run, since when, what they use, and what they tell over their control sockets. */
import type { Host, Kept } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import { patient } from '../../src/ovs/patience.ts';
import { type Unixctl, unixctl } from '../../src/ovs/unixctl.ts';
import { daemonMetrics } from './metrics.ts';
import { parseMemory, parseVersion } from './parse.ts';
import { machineUptime, parseStat, residentBytes, type Stat } from './parse-proc.ts';
import { known } from './rows.ts';
import { attempt, joined, only, type Part, problem } from './scope.ts';

export const DAEMONS = ['ovs-vswitchd', 'ovsdb-server'] as const;
/** Commands are answered in milliseconds, unless the daemon hangs. */
const PATIENCE_SECONDS = 2;
export type DaemonName = (typeof DAEMONS)[number];

export interface Daemon {
  readonly name: DaemonName;
  /** Undefined: it cannot be told. */
  readonly running: boolean | undefined;
  /** Whether it left any trace here: a pid file. */
  readonly isKnown: boolean;
  /** Undefined: it does not answer. */
  readonly control: Unixctl | undefined;
  readonly version: string | undefined;
  /** Why it does not answer. */
  readonly failure: unknown;
  readonly pid: number | undefined;
  readonly stat: Stat | undefined;
}

/** Looks for a daemon. Its control socket is the better witness: in a container its process may be another's number. */
export async function findDaemon(host: Host, rundir: string, name: DaemonName): Promise<Daemon> {
  let failure: unknown;
  let version: string | undefined;
  let connected: Unixctl | undefined;
  let control: Unixctl | undefined;
  try {
    connected = patient(await unixctl(host, rundir, name), name, PATIENCE_SECONDS);
    // One that hangs takes connections, too.
    version = parseVersion(await connected.call('version'));
    control = connected;
  } catch (thrown) {
    failure = thrown;
    connected?.close();
  }
  const pid = connected?.pid ?? (await pidOf(host, `${rundir}/${name}.pid`));
  const seen = pid === undefined ? undefined : await statOf(host, pid);
  const stat = seen !== undefined && seen.command === name && !seen.isZombie ? seen : undefined;
  const code = failure === undefined ? undefined : asFailure(failure).code;
  const isGone = code === 'E_NOT_FOUND' || code === 'E_CONNECT';
  const running = connected !== undefined || stat !== undefined ? true : isGone ? false : undefined;
  return {
    name,
    running,
    isKnown: pid !== undefined || (code !== undefined && !isGone),
    control,
    version,
    failure,
    pid,
    stat,
  };
}

async function pidOf(host: Host, path: string): Promise<number | undefined> {
  const text = await host.readFile(path).catch(() => '');
  const pid = /^([1-9][0-9]{0,6})\n?$/.exec(text)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

async function statOf(host: Host, pid: number): Promise<Stat | undefined> {
  return parseStat(await host.readFile(`/proc/${pid}/stat`).catch(() => ''));
}

/** The process that was seen last; `started` is unknown where /proc could not be read. */
interface Start {
  readonly pid: number | undefined;
  readonly started: number | undefined;
  readonly restarts: number;
}
interface Starts extends Kept {
  readonly seen: Map<DaemonName, Start>;
}

/**
 * How often it was started again since the target watches it: another process than the one that was seen last.
 * Undefined: it was never seen. While it does not run the count stays, so that the next start is an increment.
 */
function restartsOf(host: Host, rundir: string, { name, running, pid, stat }: Daemon): number | undefined {
  const { seen } = host.keep<Starts>(`ovs daemons ${rundir}`, () => ({ seen: new Map(), close() {} }));
  const before = seen.get(name);
  if (running !== true) return before?.restarts;
  const started = stat?.startedSeconds;
  const isSame = before?.pid === pid && (started ?? before?.started) === (before?.started ?? started);
  const restarts = before === undefined ? 0 : before.restarts + (isSame ? 0 : 1);
  seen.set(name, { pid, started: started ?? (isSame ? before?.started : undefined), restarts });
  return restarts;
}

export async function readDaemon(host: Host, rundir: string, daemon: Daemon): Promise<Part> {
  const { name, running, control, stat, pid } = daemon;
  const labels = { daemon: name };
  const scope = only(['facility', 'version'], labels);
  const own: Sample[] = [
    ...known(daemonMetrics.running, running, labels),
    ...known(daemonMetrics.restarts, restartsOf(host, rundir, daemon), labels),
  ];
  if (running !== true) {
    return { samples: own, problems: running === undefined ? [problem(daemon.failure, scope)] : [] };
  }
  if (daemon.version !== undefined)
    own.push(...known(daemonMetrics.version, true, { ...labels, version: daemon.version }));
  const parts: Promise<Part>[] = [];
  if (stat !== undefined) {
    own.push(...known(daemonMetrics.cpuSeconds, stat.cpuSeconds, labels));
    own.push(...known(daemonMetrics.threads, stat.threads, labels));
    parts.push(
      attempt(only([], labels), '', async () => {
        const [status, uptime] = await Promise.all([
          host.readFile(`/proc/${pid}/status`),
          host.readFile('/proc/uptime'),
        ]);
        const now = machineUptime(uptime);
        const age = now === undefined ? undefined : Math.max(0, now - stat.startedSeconds);
        return [
          ...known(daemonMetrics.residentBytes, residentBytes(status), labels),
          ...known(daemonMetrics.uptimeSeconds, age, labels),
        ];
      }),
    );
  }
  if (control === undefined)
    return joined([{ samples: own, problems: [problem(daemon.failure, scope)] }, ...(await Promise.all(parts))]);
  parts.push(
    attempt(only(['facility'], labels), `${name}, memory/show: `, async () =>
      [...parseMemory(await control.call('memory/show'))].flatMap(([facility, count]) =>
        known(daemonMetrics.memory, count, { ...labels, facility }),
      ),
    ),
  );
  return joined([{ samples: own, problems: [] }, ...(await Promise.all(parts))]);
}
