/**
 * A network namespace with a /sys of its own that has no name: it lives in a process, and is gone with it, also when the
 * test runner is killed (its standard input ends then).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { output, systemEnv } from './testbed-keeper.ts';

export interface LinkNamespace {
  readonly pid: number;
  /** What the collector is told to read: this namespace, as a container reads its machine's. */
  readonly options: { readonly sys: string; readonly proc: string };
  /** Runs a program in it. */
  run(...argv: readonly string[]): Promise<string>;
  /** `ip` with the words of a line. */
  ip(line: string): Promise<string>;
  close(): Promise<void>;
}

const HOLD = 'mount -t sysfs sysfs /sys && ip link set lo up && echo ready && exec cat';

export async function startLinkNamespace(): Promise<LinkNamespace> {
  const child = spawn('unshare', ['--net', '--mount', '--propagation', 'private', 'sh', '-c', HOLD], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: systemEnv(),
  });
  const ended = once(child, 'close');
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk;
  });
  child.stdin.on('error', () => {});
  const ready = once(createInterface({ input: child.stdout }), 'line').then(() => true);
  const { pid } = child;
  if (!(await Promise.race([ready, ended.then(() => false)])) || pid === undefined)
    throw new Error(`no network namespace could be made: ${complaints}`);
  const run = (...argv: readonly string[]): Promise<string> =>
    output(['nsenter', '--net', '--target', `${pid}`, ...argv]);
  return {
    pid,
    options: { sys: `/proc/${pid}/root/sys/class/net`, proc: `/proc/${pid}/net` },
    run,
    ip: (line) => run('ip', ...line.split(' ')),
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
