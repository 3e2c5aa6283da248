/** The two daemons: whether they run, since when, what they use, and what they tell over their control sockets. */
import type { Host, Kept } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import { patient } from '../../src/ovs/patience.ts';
import { pidIn, type Unixctl, unixctl } from '../../src/ovs/unixctl.ts';
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
  /** Whether it left any trace here: a pid file, or that it ran when it was looked for before. */
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
  const pid = connected?.pid ?? pidIn(await host.readFile(`${rundir}/${name}.pid`).catch(() => ''));
  const seen = pid === undefined ? undefined : await statOf(host, pid);
  const stat = seen !== undefined && seen.command === name && !seen.isZombie ? seen : undefined;
  const code = failure === undefined ? undefined : asFailure(failure).code;
  // One that hangs up without an answer is ending.
  const isGone = code === 'E_NOT_FOUND' || code === 'E_CONNECT';
  const isThere = stat !== undefined || (connected !== undefined && code !== 'E_CONNECT');
  const running = isThere ? true : isGone ? false : undefined;
  return {
    name,
    running,
    isKnown: pid !== undefined || (code !== undefined && !isGone) || startsOf(host, rundir).has(name),
    control,
    version,
    failure,
    pid,
    stat,
  };
}

async function statOf(host: Host, pid: number): Promise<Stat | undefined> {
  return parseStat(await host.readFile(`/proc/${pid}/stat`).catch(() => ''));
}

/** The process that was seen last; `started` is unknown where /proc could not be read. */
interface Start {
  readonly pid: number | undefined;
  readonly started: number | undefined;
  readonly restarts: number;
  /** What it had used, and what those before it had in all. */
  readonly cpuSeconds: number;
  readonly cpuSecondsBefore: number;
}
interface Starts extends Kept {
  readonly seen: Map<DaemonName, Start>;
}

function startsOf(host: Host, rundir: string): Starts['seen'] {
  return host.keep<Starts>(`ovs daemons ${rundir}`, () => ({ seen: new Map(), close() {} })).seen;
}

/**
 * How often it was started again since the target watches it: another process than the one that was seen last.
 * Undefined: it was never seen. While it does not run all stays, so that the next start is an increment; and its
 * processor time goes on from one process to the next, since a total that falls would hide that increment.
 */
function startOf(host: Host, rundir: string, { name, running, pid, stat }: Daemon): Start | undefined {
  const seen = startsOf(host, rundir);
  const before = seen.get(name);
  if (running !== true) return before;
  const started = stat?.startedSeconds;
  const isSame = before?.pid === pid && (started ?? before?.started) === (before?.started ?? started);
  const own = isSame ? before : undefined;
  const start: Start = {
    ...{ pid, started: started ?? own?.started, cpuSeconds: stat?.cpuSeconds ?? own?.cpuSeconds ?? 0 },
    restarts: before === undefined ? 0 : before.restarts + (isSame ? 0 : 1),
    cpuSecondsBefore: own?.cpuSecondsBefore ?? (before === undefined ? 0 : before.cpuSecondsBefore + before.cpuSeconds),
  };
  seen.set(name, start);
  return start;
}

export async function readDaemon(host: Host, rundir: string, daemon: Daemon): Promise<Part> {
  const { name, running, control, stat, pid } = daemon;
  const labels = { daemon: name };
  const scope = only(['facility', 'version'], labels);
  const start = startOf(host, rundir, daemon);
  const own: Sample[] = [
    ...known(daemonMetrics.running, running, labels),
    ...known(daemonMetrics.restarts, start?.restarts, labels),
  ];
  if (running !== true) {
    return { samples: own, problems: running === undefined ? [problem(daemon.failure, scope)] : [] };
  }
  if (daemon.version !== undefined)
    own.push(...known(daemonMetrics.version, true, { ...labels, version: daemon.version }));
  const parts: Promise<Part>[] = [];
  if (stat !== undefined) {
    own.push(...known(daemonMetrics.cpuSeconds, (start?.cpuSecondsBefore ?? 0) + stat.cpuSeconds, labels));
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
