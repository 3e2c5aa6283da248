/** Runs a root file system as an engine would run its image: by crun, from a bundle. Needs root. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { ImageConfig } from './image.ts';

const run = promisify(execFile);

export interface ContainerOptions {
  /** Instead of the image's own command. */
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `uid:gid`; the image's own where none is given. */
  readonly user?: string;
  /** As `--network host` and `--pid host`. */
  readonly hostNetwork?: boolean;
  readonly hostPid?: boolean;
  /** As `-v FROM:TO:ro`. */
  readonly mounts?: Readonly<Record<string, string>>;
  readonly isWritable?: boolean;
  /** The words of a program that starts it elsewhere, such as in another network. */
  readonly through?: readonly string[];
}

type LogEvent = Record<string, unknown> & { readonly event: string };

export interface ContainerProcess {
  /** Its number in the container. */
  readonly pid: number;
  /** Its number, and that of its parent, outside. */
  readonly hostPid: number;
  readonly parent: number;
  readonly name: string;
  /** `Z`: it has ended, and nobody has waited for it. */
  readonly state: string;
}

export interface Container {
  /** What the daemon logged. */
  readonly events: readonly LogEvent[];
  readonly lines: readonly string[];
  event(name: string): Promise<LogEvent>;
  /** As `docker exec`: with the environment of the container. */
  exec(command: readonly string[]): Promise<{ readonly code: number; readonly output: string }>;
  signal(name: string): Promise<void>;
  /** The exit code. */
  readonly ended: Promise<number>;
  /** The first first. */
  processes(): ContainerProcess[];
  /** Ends it and removes what it left. */
  end(): Promise<void>;
}

/** Only version 2 of cgroups, in a private view of the mounts: crun refuses a machine that has both. */
const ALONE = 'umount -l /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"';

let count = 0;

export async function startContainer(
  rootfs: string,
  image: ImageConfig,
  options: ContainerOptions = {},
): Promise<Container> {
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-container-'));
  const id = `edgestatd-${process.pid}-${count++}`;
  const crun = ['crun', '--root', join(folder, 'state'), '--cgroup-manager=disabled'];
  const alone = ['--mount', '--propagation', 'private', 'sh', '-c', ALONE, 'sh', ...crun];
  const bundle = join(folder, 'bundle');
  mkdirSync(bundle);
  const spec = specOf(rootfs, image, options);
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
  const [program = '', ...words] = [...(options.through ?? []), 'unshare', ...alone, 'run', '--bundle', bundle, id];
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const events: LogEvent[] = [];
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (line.startsWith('{"level"')) events.push(JSON.parse(line));
      for (const look of [...watchers]) look();
    });
  }
  // The pipes are read to their end.
  const ended = once(child, 'close').then(([code]) => code as number);
  return {
    events,
    lines,
    ended,
    event: (name) => nextEvent(name, events, watchers, ended, lines),
    async exec(command) {
      const { user, env, cwd } = spec.process;
      const words = env.flatMap((one) => ['--env', one]);
      const argv = ['exec', '--user', `${user.uid}:${user.gid}`, '--cwd', cwd, ...words, id, ...command];
      return run('unshare', [...alone, ...argv]).then(
        ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
        ({ code, stdout, stderr }) => ({ code: Number(code), output: `${stdout}${stderr}` }),
      );
    },
    signal: async (name) => void (await run('unshare', [...alone, 'kill', id, name])),
    processes: () => processesOf(child),
    async end() {
      await run('unshare', [...alone, 'delete', '--force', id]).catch(() => undefined);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function nextEvent(
  name: string,
  events: readonly LogEvent[],
  watchers: Set<() => void>,
  ended: Promise<number>,
  lines: readonly string[],
): Promise<LogEvent> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const found = events.find(({ event }) => event === name);
      if (found === undefined) return;
      watchers.delete(look);
      resolve(found);
    };
    watchers.add(look);
    look();
    ended.then((code) => reject(new Error(`ended (${code}) before ${name}: ${lines.join('\n')}`)));
  });
}

/** config.json: no capability, no new privileges, a root that is not writable, and the mounts that engines make. */
function specOf(rootfs: string, image: ImageConfig, options: ContainerOptions) {
  const [uid = 0, gid = 0] = (options.user ?? image.User).split(':').map(Number);
  const env = [...image.Env, ...Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`)];
  const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
  const quiet = ['nosuid', 'noexec', 'nodev'];
  const namespaces = [
    'ipc',
    'uts',
    'mount',
    ...(options.hostPid ? [] : ['pid']),
    ...(options.hostNetwork ? [] : ['network']),
  ];
  return {
    ociVersion: '1.0.0',
    hostname: 'sidecar',
    root: { path: rootfs, readonly: options.isWritable !== true },
    process: {
      terminal: false,
      user: { uid, gid },
      args: [...(options.entrypoint ?? image.Entrypoint), ...(options.command ?? image.Cmd)],
      env,
      cwd: '/',
      capabilities: none,
      noNewPrivileges: true,
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=64k'],
      },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...quiet, 'mode=1777', 'size=64m'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...quiet, 'ro'] },
      ...Object.entries(options.mounts ?? {}).map(([source, destination]) => ({
        ...{ destination, source, type: 'bind', options: ['rbind', 'ro'] },
      })),
    ],
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

/** Those below crun: the first of them, and all that it started or inherited. */
function processesOf(child: ChildProcess): ContainerProcess[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const field = (key: string): string => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
        const numbers = field('NSpid').split('\t').map(Number);
        const [hostPid = 0] = numbers;
        const found = {
          hostPid,
          pid: numbers.at(-1) ?? 0,
          parent: Number(field('PPid')),
        };
        return [{ ...found, name: field('Name'), state: field('State').slice(0, 1) }];
      } catch {
        // It has ended.
        return [];
      }
    });
  const below = (parent: number): typeof all =>
    all.filter((one) => one.parent === parent).flatMap((one) => [one, ...below(one.hostPid)]);
  return below(child.pid ?? -1).filter(({ name }) => name !== 'crun');
}
