/**
 * A machine whose process 1 is a real systemd, to run the unit in: this machine's programs and files, changed in memory
 * alone, with processes, mounts and a network of its own. Needs root. Everything ends with `close()`, and also when
 * the process that started it is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { eventually } from './statsd.ts';

const keeper = new URL('./systemd-machine.sh', import.meta.url).pathname;
const checkout = new URL('../..', import.meta.url).pathname;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SystemdMachine {
  /** Its root directory as this process sees it, for files and sockets. */
  readonly root: string;
  /** Runs a script of sh(1) as root there; resolves with how it ended. */
  sh(script: string): Promise<Ran>;
  /** The same; rejects on any other status than 0. Resolves with stdout. */
  must(script: string): Promise<string>;
  /** Starts a program there; the caller ends it, or the end of the machine does. */
  start(argv: readonly string[]): ChildProcess;
  write(path: string, text: string, mode?: string): Promise<void>;
  close(): Promise<void>;
}

/** Why there can be no such machine here, or undefined. In CI, where there must be one, it throws that. */
export function machineReason(): string | undefined {
  let reason: string | undefined;
  if (process.getuid?.() !== 0) reason = 'a machine with systemd needs root';
  else if (!existsSync('/lib/systemd/systemd')) reason = 'systemd is not installed: run test/support/packages.ts';
  if (reason !== undefined && process.env.CI !== undefined) throw new Error(`no machine: ${reason}`);
  return reason;
}

/** With the checkout at /usr/lib/edgestatd, read-only; or without, where a package is to be installed. */
export async function startMachine({ withCheckout = true } = {}): Promise<SystemdMachine> {
  const words = withCheckout ? [checkout] : [];
  const child = spawn('unshare', ['--mount', '--propagation', 'private', '/bin/sh', keeper, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own session: the signals that end a test runner's process group must not end it.
    detached: true,
  });
  const ended = once(child, 'close');
  let complaints = '';
  child.stdin.on('error', () => {});
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk;
  });
  const first = once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line));
  const pid = await Promise.race([first, ended.then(() => '')]);
  const close = async (): Promise<void> => {
    child.stdin.end();
    const [code] = await ended;
    if (code !== 0) throw new Error(`something of the machine stays: ${complaints}`);
  };
  if (!/^[0-9]+$/.test(pid)) {
    await close().catch(() => {});
    throw new Error(`systemd could not be started: ${complaints}`);
  }
  const env = ['env', '-i', '--chdir=/', `PATH=${SYSTEM_PATH}`, 'LC_ALL=C', 'HOME=/root'];
  const enter = ['--target', pid, '--all', '--root', '--', ...env];
  const start: SystemdMachine['start'] = (argv) =>
    spawn('nsenter', [...enter, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] });
  const sh = async (script: string, input = ''): Promise<Ran> => {
    const run = start(['sh', '-c', script]);
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    run.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    run.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    run.stdin?.on('error', () => {});
    run.stdin?.end(input);
    const [code] = await once(run, 'close');
    return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
  };
  const must = async (script: string, input = ''): Promise<string> => {
    const { code, stdout, stderr } = await sh(script, input);
    if (code !== 0) throw new Error(`${script} ended (${code}): ${stderr}${stdout}`);
    return stdout;
  };
  try {
    await eventually(
      async () => ((await sh('systemctl is-active machine.target')).code === 0 ? true : undefined),
      'the target of the machine',
      30_000,
    );
  } catch (error) {
    await close().catch(() => {});
    throw new Error(`systemd started nothing: ${complaints}`, { cause: error });
  }
  return {
    root: `/proc/${pid}/root`,
    sh: (script) => sh(script),
    must: (script) => must(script),
    start,
    async write(path, text, mode = '0644') {
      await must(`mkdir -p "$(dirname '${path}')" && cat > '${path}' && chmod ${mode} '${path}'`, text);
    },
    close,
  };
}
