/** edgestatd as a process on the testbed's hypervisor: in its network namespace, with its own files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { endWithParent, eventually } from './statsd.ts';
import type { Testbed } from './testbed.ts';
import { systemEnv } from './testbed-keeper.ts';

const bin = new URL('../../src/bin.js', import.meta.url).pathname;

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

export interface Cli {
  /** A configuration file with this text, which anybody may read. */
  file(yaml: string): string;
  /** Runs a command to its end. `through`: the words of a program that runs it in another way. */
  run(
    args: readonly string[],
    how?: { readonly env?: NodeJS.ProcessEnv; readonly through?: readonly string[] },
  ): Promise<Ended>;
  /** Starts the daemon; its lines are kept. */
  start(file: string): { readonly child: ChildProcess; readonly lines: string[] };
  /** A UDP port within the namespace, and the datagrams that came there. */
  listen(): Promise<{ readonly port: number; readonly datagrams: string[] }>;
  /** Ends what was started. */
  close(): void;
}

export function cliOn(testbed: Testbed): Cli {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-htb-'));
  chmodSync(directory, 0o755);
  let files = 0;
  const children: ChildProcess[] = [];
  const inside = (
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    through: readonly string[] = [],
  ): ChildProcess => {
    const [enter = '', ...into] = [...testbed.prefix, ...through];
    const child = spawn(enter, [...into, process.execPath, ...endWithParent, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...systemEnv(), ...env },
    });
    children.push(child);
    return child;
  };
  const linesOf = ({ stdout, stderr }: ChildProcess): string[] => {
    const lines: string[] = [];
    for (const stream of [stdout, stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => lines.push(line));
    }
    return lines;
  };
  return {
    file(yaml) {
      const path = join(directory, `${++files}.yaml`);
      writeFileSync(path, yaml, { mode: 0o644 });
      return path;
    },
    async run(args, { env, through } = {}) {
      const child = inside([bin, ...args], env, through);
      if (child.stdout === null || child.stderr === null) throw new Error('a process without an output');
      const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
      return { stdout, stderr, code: code as number | null };
    },
    start(file) {
      const child = inside([bin, 'run', '--config', file], { XDG_RUNTIME_DIR: directory });
      return { child, lines: linesOf(child) };
    },
    async listen() {
      const script = `const socket = require('node:dgram').createSocket({ type: 'udp4', recvBufferSize: 4194304 });
        socket.on('message', (message) => console.log(JSON.stringify(message.toString())));
        socket.bind(0, '127.0.0.1', () => console.log(socket.address().port));`;
      const lines = linesOf(inside(['-e', script]));
      const port = Number(await eventually(() => lines[0], 'the receiver'));
      const datagrams: string[] = [];
      return {
        port,
        get datagrams() {
          for (const line of lines.splice(1)) datagrams.push(JSON.parse(line));
          return datagrams;
        },
      };
    },
    close() {
      for (const child of children) child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Runs a program as this user id, without other groups. */
export const asUser = (id: number): string[] => ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups'];

/** Runs a program where a directory is empty, for it alone. */
export function withEmpty(directory: string): string[] {
  return ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none "$0" && exec "$@"', directory];
}

/** A configuration with one htb job of this hypervisor. */
export function htbConfig(
  { rundir }: Testbed,
  {
    sink = '{ type: stdout }',
    options = '',
    every = '1s',
  }: { readonly sink?: string; readonly options?: string; readonly every?: string } = {},
): string {
  return `targets: { local: { type: local, name: hv01 } }
sinks: [ ${sink} ]
jobs: [ { collector: htb, every: ${every}, options: { rundir: ${rundir}${options === '' ? '' : `, ${options}`} } } ]
`;
}
