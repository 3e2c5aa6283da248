/** The namespaces and the directory of a testbed, and programs in them; all of it is gone when the testbed is. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

export const NAMESPACES = ['hv', 'vm1', 'vm2', 'ext'] as const;
export type Place = (typeof NAMESPACES)[number];

const keeperProgram = new URL('./testbed-keeper.sh', import.meta.url).pathname;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const TIMEOUT_MS = 30_000;

export const systemEnv = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${process.env.PATH ?? ''}:${SYSTEM_PATH}`,
  LC_ALL: 'C',
});

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Written to its standard input. */
  readonly input?: string;
}

/** Runs a program to its end, at most 30 s; resolves with stdout, rejects with what it wrote to stderr. */
export async function output(argv: readonly string[], { env, input }: ProgramOptions = {}): Promise<string> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...systemEnv(), ...env },
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  // A program that ends without reading its input is judged by its status.
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const [code, signal] = await once(child, 'close');
  if (code === 0) return Buffer.concat(stdout).toString('utf8');
  throw new Error(`${argv.join(' ')} ended (${code ?? signal}): ${Buffer.concat([...stderr, ...stdout]).toString()}`);
}

export interface Keeper {
  /** A private directory, for sockets, logs and files. */
  readonly directory: string;
  readonly namespaces: Readonly<Record<Place, string>>;
  /** The words before a program that runs it in a namespace. */
  prefix(place: Place): string[];
  /** Kills every process in the namespaces, and removes them and the directory; rejects when something stays. */
  close(): Promise<void>;
}

export async function startKeeper(): Promise<Keeper> {
  const id = `et${process.pid}-${randomBytes(3).toString('hex')}`;
  const namespaces = { hv: `${id}-hv`, vm1: `${id}-vm1`, vm2: `${id}-vm2`, ext: `${id}-ext` };
  // Its own session: the signals that end a test runner's process group must not end it.
  const child = spawn('/bin/sh', [keeperProgram, ...NAMESPACES.map((place) => namespaces[place])], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: systemEnv(),
    detached: true,
  });
  const ended = once(child, 'close');
  const { stdin, stdout, stderr } = child;
  stdin.on('error', () => {});
  let complaints = '';
  stderr.on('data', (chunk: Buffer) => {
    complaints += chunk;
  });
  const ready = once(createInterface({ input: stdout }), 'line').then(([line]) => String(line));
  const directory = await Promise.race([ready, ended.then(() => undefined)]);
  if (directory === undefined) throw new Error(`the testbed's namespaces could not be made: ${complaints}`);
  // A script that forgets the testbed can still end, and ends the testbed by that.
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
    if (code !== 0) throw new Error(`something of the testbed ${id} stays: ${complaints}`);
  };
  return {
    directory,
    namespaces,
    prefix: (place) => ['nsenter', `--net=/run/netns/${namespaces[place]}`, '--'],
    close() {
      closing ??= close();
      return closing;
    },
  };
}
