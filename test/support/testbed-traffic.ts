/** Real TCP traffic between two namespaces, by iperf3. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { systemEnv } from './testbed-keeper.ts';

export interface TrafficOptions {
  readonly seconds: number;
  /** What is offered; absent: as much as TCP finds. */
  readonly bitsPerSecond?: number;
}

export interface TrafficResult {
  /** What arrived. */
  readonly bitsPerSecond: number;
  readonly retransmits: number;
}

export interface Traffic {
  /** Resolves when it has ended by itself. */
  readonly result: Promise<TrafficResult>;
  /** Ends it at once; `result` then rejects. */
  stop(): Promise<void>;
}

interface Ends {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly address: string;
  readonly port: number;
}

/** Resolves when the connection stands. */
export async function startIperf(
  { from, to, address, port }: Ends,
  { seconds, bitsPerSecond }: TrafficOptions,
): Promise<Traffic> {
  const running: ChildProcess[] = [];
  const start = (argv: readonly string[]) => {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: systemEnv() });
    running.push(child);
    return child;
  };
  const stop = async (): Promise<void> => {
    // The client first, and alone: one that sees its server end ends by itself, with other words.
    for (const child of running.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  };
  // It flushes what it says when it reports: at the default interval, a second after the connection.
  const words = ['--server', '--one-off', '--forceflush', '--interval', '0.1', '--port', String(port)];
  const server = start([...to, 'iperf3', ...words]);
  try {
    const said = listener(server);
    await said('Server listening');
    const asked = ['--client', address, '--port', String(port), '--time', String(seconds), '--json'];
    if (bitsPerSecond !== undefined) asked.push('--bitrate', String(bitsPerSecond));
    const client = start([...from, 'iperf3', ...asked]);
    const result = resultOf(client).finally(stop);
    result.catch(() => {});
    await Promise.race([said('Accepted connection'), result]);
    return { result, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Follows a program's lines. The answer resolves at the next one with these words; rejects when it ends without. */
function listener(child: ChildProcess): (words: string) => Promise<void> {
  const latest: string[] = [];
  const watchers = new Set<(line: string) => void>();
  if (child.stdout === null) throw new Error('a program without an output');
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (latest.push(line) > 20) latest.shift();
    for (const look of [...watchers]) look(line);
  });
  const ended = once(child, 'close');
  return (words) =>
    new Promise((resolve, reject) => {
      const look = (line: string): void => {
        if (!line.includes(words)) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      const missed = (): void => reject(new Error(`${child.spawnargs.join(' ')} ended: ${latest.join('\n')}`));
      ended.then(missed, missed);
    });
}

async function resultOf(client: ChildProcess): Promise<TrafficResult> {
  let text = '';
  client.stdout?.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  const [code, signal] = await once(client, 'close');
  if (code === null) throw new Error(`iperf3 was ended by ${signal}`);
  // On a failure the JSON has nothing but `error`.
  const { error, end } = JSON.parse(text) as {
    error?: string;
    end: { sum_sent?: { retransmits: number }; sum_received?: { bits_per_second: number } };
  };
  if (error !== undefined) throw new Error(`iperf3: ${error}`);
  if (end.sum_sent === undefined || end.sum_received === undefined) throw new Error(`iperf3 has no sums: ${text}`);
  return { bitsPerSecond: end.sum_received.bits_per_second, retransmits: end.sum_sent.retransmits };
}
