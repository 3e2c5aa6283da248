/** The directory and the processes of a broker; all of it is gone when it is closed, or when this process ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

const program = new URL('./rabbitmq-keeper-program.ts', import.meta.url).pathname;

export interface BrokerKeeper {
  readonly directory: string;
  /** What every process of the broker must have in its environment, to be ended with it. */
  readonly mark: NodeJS.ProcessEnv;
  /** Kills every process with the mark and removes the directory; rejects when something stays. */
  close(): Promise<void>;
}

export async function startBrokerKeeper(): Promise<BrokerKeeper> {
  // Its own session: the signals that end a test runner's process group must not end it.
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const ended = once(child, 'close');
  const { stdin, stdout, stderr } = child;
  stdin.on('error', () => {});
  let complaints = '';
  stderr.on('data', (chunk: Buffer) => {
    complaints += chunk;
  });
  const ready = once(createInterface({ input: stdout }), 'line').then(([line]) => String(line));
  const directory = await Promise.race([ready, ended.then(() => undefined)]);
  if (directory === undefined) throw new Error(`the broker's directory could not be made: ${complaints}`);
  // A script that forgets the broker can still end, and ends the broker by that.
  const hold = (how: 'ref' | 'unref'): void => {
    child[how]();
    for (const stream of [stdin, stdout, stderr]) if (stream instanceof Socket) stream[how]();
  };
  hold('unref');
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    hold('ref');
    stdin.end();
    const [code] = await ended;
    if (code !== 0) throw new Error(`something of the broker in ${directory} stays: ${complaints}`);
  };
  return {
    directory,
    mark: { EDGESTATD_TEST_BROKER: directory },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
