/** `edgestatd event …` as a user runs it, and what a daemon's spool holds. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { endWithParent } from './statsd.ts';

const bin = new URL('../../src/bin.js', import.meta.url).pathname;

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function edgestatd(argv: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(process.execPath, [...endWithParent, bin, ...argv], { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  // It may have ended before it has read what it is given.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

export interface SpoolReport {
  readonly destinations: readonly {
    readonly destination: string;
    readonly pending: number;
    readonly doubtful: number;
    readonly delivered: number;
    readonly dead: number;
  }[];
  readonly dead: readonly { readonly id: string; readonly what: string; readonly answer: string }[];
}

export async function spoolOf(config: string): Promise<SpoolReport> {
  const { code, stdout, stderr } = await edgestatd(['event', 'spool', '--json', '--config', config]);
  if (code !== 0) throw new Error(`event spool ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}
