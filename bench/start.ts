/**
 * Cold start: from the start of the process to its first datagram, of the packaged program, against a Node.js that does
 * nothing (the same binary, `node -e 0`, to its end); and the memory of the packaged daemon when it idles.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { prepareStage } from '../scripts/package/stage.ts';
import { listenUdp } from '../test/support/udp-listener.ts';
import { median } from './cost.ts';

const ROUNDS = 15;
const IDLE_MS = 30_000;

export async function start(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-start-'));
  try {
    const { content } = await prepareStage(resolve(import.meta.dirname, '..'), join(folder, 'stage'));
    const entry = join(content, 'dist/src/bin.js');
    const cache = join(folder, 'cache');
    const figures = { nothing: [] as number[], cold: [] as number[], cached: [] as number[] };
    // Fills the cache, and the kernel's.
    await toFirstDatagram(entry, folder, cache);
    for (let round = 0; round < ROUNDS; round++) {
      figures.nothing.push(bareMs());
      figures.cold.push(await toFirstDatagram(entry, folder, undefined));
      figures.cached.push(await toFirstDatagram(entry, folder, cache));
    }
    const nothing = median(figures.nothing);
    const line = (name: string, values: readonly number[]): string =>
      `${name}: ${median(values).toFixed(0)} ms, ${(median(values) / nothing).toFixed(1)} times (limit 3)`;
    return [
      `node -e 0: ${nothing.toFixed(0)} ms (median of ${ROUNDS} alternating rounds)`,
      line('to the first datagram, without a compile cache', figures.cold),
      line('to the first datagram, with a compile cache', figures.cached),
      `RSS of the idle daemon: ${(await idleKib(entry, folder)).map((kib) => (kib / 1024).toFixed(1)).join(' MiB; an idle Node.js: ')} MiB`,
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function bareMs(): number {
  const fromMs = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  return performance.now() - fromMs;
}

function configFor(folder: string, port: number): string {
  const file = join(folder, 'edgestatd.yaml');
  const jobs =
    '{ collector: tcp, every: 1s, splay: 0s }, { collector: link, every: 10s }, { collector: htb, every: 10s }';
  writeFileSync(file, `sinks: [ { type: statsd, port: ${port} } ]\njobs: [ ${jobs} ]\n`);
  return file;
}

function launch(entry: string, file: string, cache: string | undefined) {
  const argv = ['--max-semi-space-size=4', entry, 'run', '--config', file];
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: cache,
    NODE_DISABLE_COMPILE_CACHE: cache === undefined ? '1' : undefined,
  };
  return spawn(process.execPath, argv, { stdio: 'ignore', env });
}

/** From spawn() to the first datagram; `splay: 0s`, so that the first run is due at once. */
async function toFirstDatagram(entry: string, folder: string, cache: string | undefined): Promise<number> {
  const udp = await listenUdp();
  const child = launch(entry, configFor(folder, udp.port), cache);
  const ended = once(child, 'exit');
  const fromMs = performance.now();
  try {
    await udp.until((lines) => lines.length > 0, 'the first datagram');
    return performance.now() - fromMs;
  } finally {
    child.kill('SIGTERM');
    await ended;
    await udp.close();
  }
}

async function idleKib(entry: string, folder: string): Promise<number[]> {
  const udp = await listenUdp();
  const daemon = launch(entry, configFor(folder, udp.port), undefined);
  const nothing = spawn(process.execPath, ['-e', 'setInterval(() => {}, 10000)'], { stdio: 'ignore' });
  try {
    await sleep(IDLE_MS);
    return [daemon, nothing].map(({ pid }) =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
    );
  } finally {
    daemon.kill('SIGKILL');
    nothing.kill('SIGKILL');
    await udp.close();
  }
}
