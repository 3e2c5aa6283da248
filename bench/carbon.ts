/**
 * The carbon sink: a million points through an outage of a minute (lost, memory, catch-up), and lines per second to a
 * local receiver against a bare loop that joins and writes, in alternating rounds.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/clock.ts';
import { carbonSink } from '../src/sinks/carbon.ts';
import { carbonSinkOptions } from '../src/sinks/carbon-options.ts';
import { manyPoints } from '../test/support/points.ts';
import { median } from './cost.ts';

const DELIVERIES = 100;
const POINTS = 10_000;
const OUTAGE_MS = 60_000;
/** Deliveries before it. */
const BEFORE = 60;
const LINES = 100_000;
const [ROUNDS, WARM_UP] = [9, 3];

interface Told {
  readonly port?: number;
  readonly beforeMb?: number;
  readonly peakMb?: number;
  readonly lines?: number;
  readonly distinct?: number;
  readonly firstAtMs?: number;
  readonly written?: boolean;
  readonly sentMetrics?: number;
  readonly resentMetrics?: number;
  readonly waiting?: number;
  readonly bytes?: number;
  readonly dropped?: number;
}

export async function carbonBench(): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-bench-carbon-'));
  try {
    return [...(await outage(join(directory, 'outage.db'))), ...(await throughput(join(directory, 'speed.db')))];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const program = (name: string): string => new URL(name, import.meta.url).pathname;

/** Resolves with the first message that has this. */
async function told(child: ChildProcess, key: keyof Told): Promise<Told> {
  for (;;) {
    const [message] = (await once(child, 'message')) as [Told];
    if (key in message) return message;
  }
}

async function asked(child: ChildProcess, what: string, key: keyof Told): Promise<Told> {
  const answer = told(child, key);
  child.send(what);
  return answer;
}

async function outage(spool: string): Promise<string[]> {
  const receiver = fork(program('./carbon-receiver.ts'), ['mark']);
  const { port } = await told(receiver, 'port');
  const everyMs = Math.floor(OUTAGE_MS / DELIVERIES);
  const load = [String(DELIVERIES), String(POINTS), String(everyMs), String(BEFORE)];
  const sender = fork(program('./carbon-sender.ts'), [String(port), spool, ...load]);
  const { beforeMb = Number.NaN } = await told(sender, 'beforeMb');
  const written = told(sender, 'written');
  await asked(receiver, 'stop', 'lines');
  await written;
  const during = await asked(sender, 'count', 'peakMb');
  const startedAtMs = Date.now();
  receiver.send('start');
  const wanted = (DELIVERIES + BEFORE) * POINTS;
  let got: Told = {};
  const untilMs = performance.now() + 120_000;
  while ((got.distinct ?? 0) < wanted && performance.now() < untilMs) {
    got = await asked(receiver, 'count', 'lines');
    await sleep(50);
  }
  const firstAtMs = got.firstAtMs ?? Number.NaN;
  const [waited, seconds] = [(firstAtMs - startedAtMs) / 1000, (Date.now() - firstAtMs) / 1000];
  const after = await asked(sender, 'count', 'peakMb');
  sender.disconnect();
  receiver.disconnect();
  const diskMb = ((during.bytes ?? Number.NaN) / 2 ** 20).toFixed(1);
  return [
    `outage of ${(DELIVERIES * everyMs) / 1000} s, ${DELIVERIES * POINTS} points in it: ${wanted - (got.distinct ?? 0)} lost, ${after.dropped} dropped (limit 0)`,
    `memory of the sender: ${beforeMb.toFixed(0)} MiB before, at work, ${after.peakMb?.toFixed(0)} MiB at the most, ${((after.peakMb ?? Number.NaN) - beforeMb).toFixed(0)} MiB more (limit 50)`,
    `waiting at the end of the outage: ${during.waiting} points, ${diskMb} MiB on the disk; ${after.resentMetrics} points sent once more`,
    `the receiver was tried again ${waited.toFixed(1)} s after it was back (back-off: at most 30 s); caught up ${seconds.toFixed(1)} s later: ${Math.round((during.waiting ?? Number.NaN) / seconds)} points/s, to a receiver that looks at each`,
  ];
}

async function throughput(spool: string): Promise<string[]> {
  const receiver = fork(program('./carbon-receiver.ts'), ['count']);
  const { port = 0 } = await told(receiver, 'port');
  const points = manyPoints(LINES);
  const options = carbonSinkOptions.parse({ type: 'carbon', destinations: [`127.0.0.1:${port}`], spool, resend: '0s' });
  const sink = carbonSink({ ...options, name: 'carbon' }, systemClock, () => {});
  const arrived = async (count: number): Promise<void> => {
    while (((await asked(receiver, 'count', 'lines')).lines ?? 0) < count) await sleep(2);
  };
  let seconds = 1_700_000_000;
  const throughSink = (): void => {
    seconds += 10;
    // As jobs come: a few thousand points each.
    for (let at = 0; at < LINES; at += 5000) {
      const some = points.slice(at, at + 5000);
      sink.write({ job: `job${at}`, atMs: seconds * 1000, intervalMs: 10_000, points: some });
    }
  };
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const bare = (): void => {
    seconds += 10;
    let text = '';
    for (const { path, value } of points) {
      text += `${path} ${value} ${seconds}\n`;
      if (text.length < 65_536) continue;
      socket.write(text);
      text = '';
    }
    socket.write(text);
  };
  const figures: Record<'bare' | 'sink', { rate: number; cpu: number }[]> = { bare: [], sink: [] };
  let total = (await asked(receiver, 'count', 'lines')).lines ?? 0;
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    for (const [name, work] of [
      ['bare', bare],
      ['sink', throughSink],
    ] as const) {
      total += LINES;
      const cpu = process.cpuUsage();
      const beganAtMs = performance.now();
      work();
      await arrived(total);
      const { user, system } = process.cpuUsage(cpu);
      const rate = LINES / ((performance.now() - beganAtMs) / 1000);
      if (round >= WARM_UP) figures[name].push({ rate, cpu: (user + system) / LINES });
    }
  }
  await sink.close(2000);
  socket.destroy();
  receiver.disconnect();
  const rates = (name: 'bare' | 'sink'): number => median(figures[name].map(({ rate }) => rate));
  const cost = (name: 'bare' | 'sink'): string => median(figures[name].map(({ cpu }) => cpu)).toFixed(2);
  const ratios = figures.sink.map(({ rate }, index) => (figures.bare[index]?.rate ?? Number.NaN) / rate);
  return [
    `bare join and write: ${Math.round(rates('bare'))} lines/s, ${cost('bare')} µs CPU a line (median of ${ROUNDS} rounds of ${LINES})`,
    `the sink:            ${Math.round(rates('sink'))} lines/s, ${cost('sink')} µs CPU a line, and it knows what was read`,
    `time of the sink over bare, round by round: median ${median(ratios).toFixed(2)}, from ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
  ];
}
