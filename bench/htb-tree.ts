/** A device with an HTB tree of so many classes, in a network namespace of its own; and programs in there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { startKeeper } from '../test/support/testbed-keeper.ts';

export interface HtbTree {
  readonly directory: string;
  /** Starts a program in the namespace; it is killed when the tree is closed. */
  start(argv: readonly string[]): ChildProcess;
  /** Runs `node script args` in the namespace, and gives what it prints, as JSON. */
  measure(script: string, ...args: readonly string[]): Promise<unknown>;
  close(): Promise<void>;
}

export async function htbTree(classes: number): Promise<HtbTree> {
  const keeper = await startKeeper();
  const prefix = keeper.prefix('hv');
  const children: ChildProcess[] = [];
  const start: HtbTree['start'] = (argv) => {
    const [program = '', ...rest] = [...prefix, ...argv];
    const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };
  const run = async (argv: readonly string[], input = ''): Promise<string> => {
    const child = start(argv);
    child.stdin?.end(input);
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
    return text;
  };
  const links = [
    ...['link add eth1 type veth peer name peer1', 'link set eth1 up', 'link set peer1 up', 'link set lo up'],
    // Without an address that is not loopback's, getaddrinfo() finds none for collectd.
    'addr add 192.0.2.1/24 dev eth1',
  ];
  await run(['ip', '-batch', '-'], `${links.join('\n')}\n`);
  const ids = Array.from({ length: classes }, (_, index) => (index + 2).toString(16));
  const batch = [
    'qdisc add dev eth1 root handle 1: htb default 1',
    'class add dev eth1 parent 1: classid 1:fffe htb rate 10gbit ceil 10gbit',
    ...ids.map((id) => `class add dev eth1 parent 1:fffe classid 1:${id} htb rate 1mbit ceil 10mbit`),
  ];
  await run(['tc', '-batch', '-'], `${batch.join('\n')}\n`);
  return {
    directory: keeper.directory,
    start,
    async measure(script, ...args) {
      return JSON.parse(await run([process.execPath, new URL(script, import.meta.url).pathname, ...args]));
    },
    async close() {
      for (const child of children) child.kill('SIGKILL');
      await keeper.close();
    },
  };
}

/** CPU seconds of a process and of the children that it has waited for: /proc/PID/stat, in ticks of 1/100 s (proc(5)). */
export function cpuSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / 100;
}

export function rssMiB(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Asks a child one question a line, and gives its answer. */
export function asker(child: ChildProcess): () => Promise<string> {
  if (child.stdout === null) throw new Error('a child without stdout');
  const answers = createInterface({ input: child.stdout });
  return () =>
    new Promise((resolve) => {
      answers.once('line', resolve);
      child.stdin?.write('?\n');
    });
}
