/** A real StatsD server (the npm package `statsd`) on private loopback ports, and what it has received. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, badLinesIn, gaugeIn } from '../../src/sinks/statsd-admin.ts';

export interface StatsdServer {
  readonly port: number;
  readonly adminPort: number;
  /** `counters`, `gauges`, `timers` or `stats`, as the admin port prints it. */
  ask(command: string): Promise<string>;
  gauge(name: string): Promise<number | undefined>;
  /** A counter's value since the server started (it never flushes). */
  counter(name: string): Promise<number | undefined>;
  badLines(): Promise<number>;
  /** Datagrams that the kernel dropped because the server's buffer was full. */
  kernelDrops(): number;
  stop(): Promise<void>;
}

const statsdProgram = createRequire(import.meta.url).resolve('statsd/stats.js');
const shim = new URL('./statsd-on-new-node.cjs', import.meta.url).pathname;
/** `node` arguments (and an `ipc` channel) with which a process ends when this one does, however that comes about. */
export const endWithParent = ['-r', new URL('./end-with-parent.cjs', import.meta.url).pathname];

/** A port of 127.0.0.1 that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Polls until the answer is not undefined. For what has no event to wait for: a process that starts. */
export async function eventually<Value>(
  look: () => Value | undefined | Promise<Value | undefined>,
  what: string,
  withinMs = 15_000,
): Promise<Value> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > untilMs) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await sleep(20);
  }
}

export async function startStatsd(ports?: {
  readonly port: number;
  readonly adminPort: number;
}): Promise<StatsdServer> {
  const port = ports?.port ?? (await freePort());
  const adminPort = ports?.adminPort ?? (await freePort());
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-statsd-'));
  const config = join(directory, 'config.js');
  // One flush in ten minutes: what the admin port tells is everything since the start.
  writeFileSync(
    config,
    `{ port: ${port}, address: '127.0.0.1', mgmt_port: ${adminPort}, mgmt_address: '127.0.0.1', backends: [], flushInterval: 600000, automaticConfigReload: false }`,
  );
  const child: ChildProcess = spawn(process.execPath, [...endWithParent, '-r', shim, statsdProgram, config], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const server: StatsdServer = {
    port,
    adminPort,
    ask: (command) => ask('127.0.0.1', adminPort, command),
    gauge: async (name) => gaugeIn(await server.ask('gauges'), name),
    counter: async (name) => gaugeIn(await server.ask('counters'), name),
    badLines: async () => badLinesIn(await server.ask('stats')) ?? Number.NaN,
    kernelDrops: () => dropsOf(port),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    // The admin port answers before the UDP port is bound: only a received metric proves the latter.
    await eventually(() => server.ask('stats').catch(() => undefined), 'the StatsD admin port');
    await eventually(() => (dropsOf(port) >= 0 ? true : undefined), 'the StatsD UDP port');
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** The last column of /proc/net/udp for a port of 127.0.0.1; -1 while nobody is bound there. */
function dropsOf(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const line = readFileSync('/proc/net/udp', 'utf8')
    .split('\n')
    .find((row) => row.includes(`0100007F:${hex} 00000000:0000`));
  return line === undefined ? -1 : Number(line.trim().split(/\s+/).at(-1));
}
