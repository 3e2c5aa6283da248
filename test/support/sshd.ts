/**
 * A real sshd of its own: host keys, users and their homes are made for it, and nothing of the machine's is changed or
 * seen in a login. Needs root (it runs in mount and PID namespaces of its own, with its own /etc/passwd), openssh-server.
 *
 *     const sshd = await startSshd({ config: ['MaxSessions 3'] });
 *     createLink(sshd.settings(), …);            // as the user `edge`
 *     createLink(sshd.settings({ user: 'root' }), …);
 *     await sshd.stop();                         // also ends what sessions left running there
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { nameOf } from '../../src/hosts/known-hosts.ts';
import { type SshSettings, sshTargetOptions } from '../../src/hosts/ssh-options.ts';
import { freePorts } from './rabbitmq-node.ts';
import { eventually } from './statsd.ts';
import { systemEnv } from './testbed-keeper.ts';

export interface SshdOptions {
  /** Lines of sshd_config(5), which win over those of this rig: `MaxSessions 3`. `Match` blocks come last. */
  readonly config?: readonly string[];
  /** Beside `edge` and `root`, who are always there. Shell: /bin/sh, unless told. All may log in by the client's key. */
  readonly users?: Readonly<Record<string, { readonly shell?: string; readonly expired?: boolean }>>;
  /** On which it listens, at most 16; default 127.0.0.1. `0.0.0.0` is all of 127.0.0.0/8. */
  readonly addresses?: readonly string[];
  readonly port?: number;
  /** Types of ssh-keygen; default ed25519, ecdsa and rsa. */
  readonly hostKeys?: readonly string[];
  /** Shell lines as root in its mount namespace before it starts, `$directory` being ours: `mount --bind A B`. */
  readonly prepare?: readonly string[];
  /** Words before the program: `['ip', 'netns', 'exec', NAME]`. Then `ready` tells that it listens, or nobody asks. */
  readonly prefix?: readonly string[];
  /** How to see that it listens; default: it greets a connection to the first address. */
  readonly ready?: (port: number) => Promise<boolean>;
}

export interface RemoteProcess {
  /** As this process sees it: `process.kill(pid, 'SIGSTOP')`. */
  readonly pid: number;
  readonly argv: string;
}

export interface Sshd {
  readonly address: string;
  readonly port: number;
  /** Gone with `stop`; others may enter it. The client's key and known_hosts are in it. */
  readonly directory: string;
  /** Private, ed25519, mode 0600; `.pub` beside it. Add others to `authorizedKeys`. */
  readonly keyFile: string;
  readonly authorizedKeys: string;
  /** Has all host keys, for the addresses and the port. */
  readonly knownHostsFile: string;
  /** `ssh-ed25519 AAAA…`. */
  hostKey(type: string): string;
  /** The home of a user, which is empty: for rc files. */
  home(user: string): string;
  /** How `edge` reaches it, with strict host keys. */
  settings(more?: Partial<SshSettings>): SshSettings;
  log(): string;
  /** All that runs there now: the listener, an `sshd: edge@notty` and a `sshd: edge [priv]` each session, commands. */
  processes(): RemoteProcess[];
  /** Ends the server with all that runs there, as a power failure does. */
  kill(): Promise<void>;
  /** Starts it (anew, after `kill`) on the same port with the same keys; resolves when it listens. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const SSHD = '/usr/sbin/sshd';
const keeperProgram = new URL('./sshd-keeper.sh', import.meta.url).pathname;
const FIRST_UID = 61_200;

/** Whether this machine can run it. CI is root and has it, where a lack is a failure. */
export function canRunSshd(): boolean {
  const can = process.getuid?.() === 0 && existsSync(SSHD);
  if (!can && process.env.CI !== undefined) throw new Error(`no sshd: expected root, and ${SSHD} (openssh-server)`);
  return can;
}

/** Since OpenSSH 9.8; others take the word for a mistake. */
function hasPenalties(): boolean {
  const { stderr } = spawnSync(SSHD, ['-V'], { encoding: 'utf8' });
  const [, major = 0, minor = 0] = (/OpenSSH_(\d+)\.(\d+)/.exec(stderr) ?? []).map(Number);
  return major > 9 || (major === 9 && minor >= 8);
}

/** Makes a key pair: `path` and `path.pub`. */
export function makeKey(path: string, type = 'ed25519', passphrase = ''): void {
  const bits = type === 'rsa' ? ['-b', '2048'] : [];
  execFileSync('ssh-keygen', ['-q', '-t', type, ...bits, '-N', passphrase, '-C', '', '-f', path]);
}

/** Without the comment. */
export const publicKey = (path: string): string =>
  readFileSync(`${path}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' ');

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const { addresses = ['127.0.0.1'], hostKeys = ['ed25519', 'ecdsa', 'rsa'], prefix = [] } = options;
  const address = addresses[0]?.replace('0.0.0.0', '127.0.0.1') ?? '127.0.0.1';
  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-sshd-'));
  const keeper = spawn('/bin/sh', [keeperProgram, directory, ...prefix], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: systemEnv(),
    // The signals that end a test runner's process group must not end what cleans up behind it.
    detached: true,
  });
  const ended = once(keeper, 'close');
  keeper.stdin.on('error', () => {});
  const answers = createInterface({ input: keeper.stdout });
  // A script that forgets the server can still end, and ends it by that.
  const hold = (how: 'ref' | 'unref'): void => {
    keeper[how]();
    for (const stream of [keeper.stdin, keeper.stdout]) if (stream instanceof Socket) stream[how]();
  };
  hold('unref');
  /** One at a time: the answers all read alike. */
  let before: Promise<unknown> = Promise.resolve();
  const tell = (command: string): Promise<void> => {
    const told = before.then(async () => {
      const control = new AbortController();
      const answer = once(answers, 'line', { signal: control.signal });
      keeper.stdin.write(`${command}\n`);
      hold('ref');
      try {
        await Promise.race([answer, ended.then(() => Promise.reject(new Error('the keeper of an sshd has ended')))]);
      } finally {
        control.abort();
        answer.catch(() => {});
        hold('unref');
      }
    });
    before = told.catch(() => {});
    return told;
  };
  let stopping: Promise<void> | undefined;

  const log = (): string => readFileSync(join(directory, 'log'), 'utf8');
  const isReady = options.ready ?? ((on: number) => greets(address, on));
  const sshd: Sshd = {
    address,
    port,
    directory,
    keyFile: join(directory, 'client_key'),
    authorizedKeys: join(directory, 'authorized_keys'),
    knownHostsFile: join(directory, 'known_hosts'),
    hostKey: (type) => publicKey(join(directory, `host_${type}`)),
    home: (user) => join(directory, 'home', user),
    settings(more = {}) {
      const here = { host: address, port, user: 'edge', keyFile: sshd.keyFile, knownHostsFile: sshd.knownHostsFile };
      const { type, name, groups, jump, ...defaults } = sshTargetOptions.parse({ type: 'ssh', ...here });
      return { ...defaults, ...here, ...more };
    },
    log,
    processes: () => processesIn(join(directory, 'namespace')),
    kill: () => tell('kill'),
    async start() {
      await tell('start');
      await eventually(async () => ((await isReady(port)) ? true : undefined), 'sshd to listen', 30_000).catch(
        (error) => {
          // One that was stopped, or waits for the disk, says nothing itself.
          const there = sshd.processes().map(({ pid, argv }) => `${pid} ${stateOf(pid)} ${argv}\n`);
          throw new Error(`${error.message}:\n${there.join('')}${log()}`);
        },
      );
    },
    stop() {
      stopping ??= (async () => {
        hold('ref');
        keeper.stdin.end();
        await ended;
        if (existsSync(directory)) throw new Error(`${directory} of an sshd stays`);
      })();
      return stopping;
    },
  };
  try {
    for (const type of hostKeys) makeKey(join(directory, `host_${type}`), type);
    makeKey(sshd.keyFile);
    copyFileSync(`${sshd.keyFile}.pub`, sshd.authorizedKeys);
    const names = addresses.map((one) => nameOf({ host: one.replace('0.0.0.0', '*'), port })).join(',');
    writeFileSync(sshd.knownHostsFile, hostKeys.map((type) => `${names} ${sshd.hostKey(type)}\n`).join(''));
    writeFileSync(join(directory, 'log'), '');
    writeFileSync(join(directory, 'sshd_config'), configOf(directory, port, addresses, hostKeys, options.config));
    writeFileSync(join(directory, 'start.sh'), scriptOf(directory, options.prepare));
    makeUsers(directory, options.users);
    // Logins enter it; the keys are 0600.
    chmodSync(directory, 0o755);
    await sshd.start();
  } catch (error) {
    await sshd.stop();
    throw error;
  }
  return sshd;
}

function configOf(
  directory: string,
  port: number,
  addresses: readonly string[],
  hostKeys: readonly string[],
  lines: readonly string[] = [],
): string {
  const at = lines.findIndex((line) => /^\s*match\b/i.test(line));
  const first = at < 0 ? lines : lines.slice(0, at);
  const told = new Set(first.map((line) => line.trim().split(/\s/)[0]?.toLowerCase()));
  const ours = [
    `Port ${port}`,
    ...addresses.map((address) => `ListenAddress ${address}`),
    ...hostKeys.map((type) => `HostKey ${directory}/host_${type}`),
    `AuthorizedKeysFile ${directory}/authorized_keys`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin yes',
    'PidFile none',
    'PrintMotd no',
    'PrintLastLog no',
    'MaxStartups 2000',
    'LogLevel VERBOSE',
    // Many are refused here on purpose, and all come from one address.
    ...(hasPenalties() ? ['PerSourcePenalties no'] : []),
  ];
  // Not for every keyword does sshd take its first value.
  const others = ours.filter((line) => !told.has(line.split(' ')[0]?.toLowerCase()));
  return [...first, ...others, ...(at < 0 ? [] : lines.slice(at)), ''].join('\n');
}

/** Runs as the first process of its PID namespace, and tells its number here and which namespace that is. */
function scriptOf(directory: string, prepare: readonly string[] = []): string {
  return [
    `directory=${directory}`,
    'read -r pid rest </proc/self/stat && echo "$pid $(readlink /proc/self/ns/pid)" >"$directory/namespace" || exit 1',
    'mount --make-rslave / && mount -t proc proc /proc || exit 1',
    'for file in passwd shadow group; do mount --bind "$directory/$file" /etc/$file || exit 1; done',
    // Compiled into sshd, and there on any machine that has ever started one.
    'mkdir -p -m 0755 /run/sshd || exit 1',
    ...prepare,
    `exec ${SSHD} -D -e -f "$directory/sshd_config"`,
    '',
  ].join('\n');
}

/** The machine's accounts stay, for what owns files there; root gets a home without rc files. */
function makeUsers(directory: string, users: SshdOptions['users'] = {}): void {
  const passwd: string[] = [];
  const shadow: string[] = [];
  const group: string[] = [];
  const all: NonNullable<SshdOptions['users']> = { root: {}, edge: {}, ...users };
  for (const [index, [name, { shell = '/bin/sh', expired = false }]] of Object.entries(all).entries()) {
    const id = name === 'root' ? 0 : FIRST_UID + index;
    const home = join(directory, 'home', name);
    mkdirSync(home, { recursive: true });
    chownSync(home, id, id);
    passwd.push(`${name}:x:${id}:${id}::${home}:${shell}`);
    // `*` is no password but, other than `!`, does not lock the account; day 1 of the epoch is long past.
    shadow.push(`${name}:*:19000:0:99999:7::${expired ? '1' : ''}:`);
    group.push(`${name}:x:${id}:`);
  }
  for (const [file, lines] of Object.entries({ passwd, shadow, group })) {
    const ours = new Set(lines.map((line) => line.slice(0, line.indexOf(':'))));
    const theirs = readFileSync(`/etc/${file}`, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !ours.has(line.slice(0, line.indexOf(':'))));
    writeFileSync(join(directory, file), `${[...lines, ...theirs].join('\n')}\n`);
    chmodSync(join(directory, file), file === 'shadow' ? 0o600 : 0o644);
  }
}

/** The processes of the PID namespace that the file names: `4711 pid:[4026532212]`. None when it is gone. */
function processesIn(file: string): RemoteProcess[] {
  const [first = '', wanted = ''] = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : [];
  const look = (pid: string): RemoteProcess[] => {
    try {
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== wanted) return [];
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
      // Since OpenSSH 9.8 these are programs of their own.
      return [{ pid: Number(pid), argv: argv.replace(/^sshd-(?:session|auth): /, 'sshd: ') }];
    } catch {
      // It ended in between, or is a zombie.
      return [];
    }
  };
  // The kernel gives the number of a namespace that is gone to the next one, which is another test's.
  return wanted === '' || look(first).length === 0
    ? []
    : readdirSync('/proc')
        .filter((entry) => /^\d+$/.test(entry))
        .flatMap(look);
}

/** `S`, or `T` where it is stopped, and what it waits for in the kernel. */
function stateOf(pid: number): string {
  try {
    const [, state = '?'] = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return `${state} ${readFileSync(`/proc/${pid}/wchan`, 'utf8')}`;
  } catch {
    return 'gone';
  }
}

/** For one look; another one follows. */
const GREETING_MS = 5000;

async function greets(address: string, port: number): Promise<boolean> {
  const socket = connect(port, address);
  try {
    const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(GREETING_MS) });
    return String(chunk).startsWith('SSH-2.0-');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
