/**
 * What `edgestatd top` costs while it draws a table of 5,000 rows once a second: its own CPU, and the daemon's for each
 * answer, all rows sorted anew. Beside it, in the same time: the same of a table without rows, and top(1) in batch mode.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../src/status/client.ts';
import { scratch, startEdgestatd, stopAll } from '../test/support/daemon.ts';
import { eventually } from '../test/support/statsd.ts';
import { closeTmux, startTmux, type Tmux } from '../test/support/tmux.ts';
import { ROWS_PLUGIN } from './top-rows.ts';

const ROWS = 5000;
const SECONDS = 30;
/** Each is another question, so that no answer is one that the daemon remembers. */
const QUESTIONS = 100;
const bin = new URL('../src/bin.js', import.meta.url).pathname;

interface Side {
  readonly pid: number;
  readonly socket: string;
  readonly config: string;
}

export async function topBench(): Promise<string[]> {
  try {
    const [empty, full] = [await daemonWith(0), await daemonWith(ROWS)];
    const { ours, theirs, batch } = await drawn(full, empty);
    const [all, none] = [await answering(full), await answering(empty)];
    const together = ours + all / 1000;
    const percent = (share: number): string => `${(100 * share).toFixed(2)} % of a core`;
    return [
      `${ROWS} rows of 11 columns, read and drawn every 1 s, on 100 × 30, over ${SECONDS} s:`,
      `top: ${percent(ours)}; ratio to the same top of an empty table ${(ours / theirs).toFixed(2)} (${percent(theirs)}), to top(1) -b -d 1 ${(ours / batch).toFixed(2)} (${percent(batch)})`,
      `the daemon: ${all.toFixed(2)} ms CPU for each answer, sorted anew; ratio to an empty table ${(all / none).toFixed(1)} (${none.toFixed(2)} ms)`,
      `together: ${percent(together)} (limit 5 %)`,
    ];
  } finally {
    closeTmux();
    stopAll();
  }
}

/** Shares of a core, of the same seconds. */
async function drawn(full: Side, empty: Side): Promise<{ ours: number; theirs: number; batch: number }> {
  const terminals = [terminalOf(full), terminalOf(empty)];
  const plain = spawn('top', ['-b', '-d', '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  plain.stdout.resume();
  try {
    const pids = await Promise.all(terminals.map(drawing));
    // What compiles and allocates in the first seconds is no cost of a refresh.
    await sleep(10_000);
    const [ours = Number.NaN, theirs = Number.NaN, batch = Number.NaN] = await shares([...pids, pidOf(plain)]);
    return { ours, theirs, batch };
  } finally {
    for (const one of terminals) one.close();
    plain.kill();
  }
}

/** Milliseconds of the daemon's CPU for an answer, without what it uses meanwhile for its own work. */
async function answering({ pid, socket }: Side): Promise<number> {
  const client = createClient(socket);
  const ask = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++)
      await client.table('rows', new URLSearchParams({ limit: String(40 + (at % 20)) }));
  };
  try {
    await ask(QUESTIONS);
    const [idle = Number.NaN] = await shares([pid], 10);
    const before = { cpu: cpuSeconds(pid), ms: performance.now() };
    await ask(QUESTIONS);
    const own = (idle * (performance.now() - before.ms)) / 1000;
    return (1000 * (cpuSeconds(pid) - before.cpu - own)) / QUESTIONS;
  } finally {
    client.close();
  }
}

async function daemonWith(count: number): Promise<Side> {
  const folder = scratch();
  const [plugin, socket] = [join(folder, 'rows.mjs'), join(folder, 'status.sock')];
  writeFileSync(plugin, ROWS_PLUGIN, { mode: 0o600 });
  const { child, file, event } = startEdgestatd(`sinks: [ { type: stdout, onlyOnTerminal: true } ]
plugins: [ ${plugin} ]
status: { socket: ${socket} }
jobs: [ { collector: rows, every: 1s, splay: 0s, options: { count: ${count} } } ]
`);
  await event('daemon:started');
  const client = createClient(socket);
  // A rate is known from the second reading on.
  await eventually(
    async () => {
      const table = await client.table('rows', new URLSearchParams({ limit: '1' })).catch(() => undefined);
      return table !== undefined && (count === 0 || typeof table.entries[0]?.values[0] === 'number') ? true : undefined;
    },
    `${count} rows`,
    60_000,
  );
  client.close();
  return { pid: pidOf(child), socket, config: file };
}

function terminalOf({ socket }: Side): Tmux {
  return startTmux([process.execPath, bin, 'top', '--socket', socket, '--table', 'rows'], { columns: 100, rows: 30 });
}

/** The process of `top` in a terminal, when it has drawn. */
async function drawing(tmux: Tmux): Promise<number> {
  await tmux.until((lines) => lines.some((line) => /Rows by use/.test(line)), 'the first drawing');
  return Number(tmux.ask('#{pane_pid}'));
}

/** Shares of a core over the same seconds. */
async function shares(pids: readonly number[], forSeconds = SECONDS): Promise<number[]> {
  const before = pids.map(cpuSeconds);
  const beganMs = performance.now();
  await sleep(forSeconds * 1000);
  const seconds = (performance.now() - beganMs) / 1000;
  return pids.map((pid, at) => (cpuSeconds(pid) - (before[at] ?? Number.NaN)) / seconds);
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('it did not start');
  return pid;
}

/** utime and stime of /proc/PID/stat, proc(5), in ticks of 1/100 s. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
