import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { scratch, stopAll } from '../support/daemon.ts';
import { eventually } from '../support/statsd.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const bin = new URL('../../src/bin.js', import.meta.url).pathname;
const onTerminal = new URL('../support/terminal.py', import.meta.url).pathname;
let child: ChildProcess | undefined;
let udp: UdpListener | undefined;
afterEach(async () => {
  const pid = daemonPid();
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  child?.kill('SIGKILL');
  stopAll();
  await udp?.close();
});

/** The daemon below the program that gives it a terminal. */
function daemonPid(): number | undefined {
  const { stdout } = spawnSync('ps', ['--no-headers', '-o', 'pid', '--ppid', String(child?.pid)], { encoding: 'utf8' });
  return stdout.trim() === '' ? undefined : Number(stdout.trim());
}

async function startOnTerminal(): Promise<{ command(word: string): void; output: Promise<string>; udp: UdpListener }> {
  const listener = await listenUdp();
  udp = listener;
  const file = join(scratch(), 'edgestatd.yaml');
  writeFileSync(
    file,
    `sinks: [ { type: statsd, port: ${listener.port} }, { type: stdout, onlyOnTerminal: true } ]
jobs: [ { collector: tcp, every: 1s, options: { all: true } } ]\n`,
  );
  const started = spawn('python3', [onTerminal, process.execPath, bin, 'run', '--config', file], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, XDG_RUNTIME_DIR: scratch() },
  });
  child = started;
  return { command: (word) => void started.stdin.write(`${word}\n`), output: text(started.stdout), udp: listener };
}

describe('on a terminal', () => {
  it('shows what it sends', async () => {
    const { command, output, udp } = await startOnTerminal();
    command('read');
    await udp.until((lines) => lines.some((line) => line.includes('.tcp.in_segs:')), 'a counter');
    process.kill(daemonPid() ?? 0, 'SIGTERM');
    const shown = await output;
    expect(shown).toMatch(/daemon:started/);
    expect(shown).toMatch(/^edge\.\S+\.tcp\.in_segs [0-9]+ counter segments\r$/m);
    expect(shown).toMatch(/daemon:stopped/);
    expect(shown.trimEnd()).toMatch(/exit 0$/);
  });

  it('goes on sending while the terminal is paused, and ends when it is told to', async () => {
    const { output, udp } = await startOnTerminal();
    // Nobody reads the terminal: it takes a few kilobytes, and each run writes more than twenty.
    const runs = () => udp.lines().filter((line) => line.endsWith('.edgestatd.tcp.up:1|g')).length;
    await eventually(() => (runs() >= 6 ? true : undefined), 'six runs');
    process.kill(daemonPid() ?? 0, 'SIGTERM');
    expect((await output).trimEnd()).toMatch(/exit 0$/);
  });

  it('ends when the terminal is closed', async () => {
    const { command, output, udp } = await startOnTerminal();
    await udp.until((lines) => lines.length > 0, 'the first metrics');
    command('close');
    expect((await output).trimEnd()).toMatch(/exit 0$/);
  });
});
