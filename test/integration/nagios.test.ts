/** The log of a program that writes all the time, rotated by logrotate(8), read by the job as the daemon runs it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { nagios } from '../../collectors/nagios/index.ts';
import { systemClock } from '../../src/clock.ts';
import type { JobConfig } from '../../src/config.ts';
import { localTarget } from '../../src/hosts/local.ts';
import { type Job, startJob } from '../../src/job.ts';
import type { Delivery } from '../../src/sinks/sink.ts';
import { openState, type State } from '../../src/state.ts';
import { createTurns } from '../../src/turns.ts';
import { createClaims } from '../../src/vet.ts';

/**
 * Appends some lines each millisecond, every hundredth a hard problem; opens the log anew at SIGUSR1, and tells at
 * SIGTERM how many there were.
 */
const WRITER = `
const { openSync, writeSync, closeSync } = require('node:fs');
const path = process.argv[1];
let file = openSync(path, 'a');
let count = 0;
process.on('SIGUSR1', () => { closeSync(file); file = openSync(path, 'a'); });
process.on('SIGTERM', () => { process.stdout.write(String(count), () => process.exit(0)); });
setInterval(() => {
  for (let each = 0; each < 20; each++) {
    count += 1;
    const what = count % 100 === 0 ? 'HOST ALERT: h' + count + ';DOWN;HARD;1;gone' : 'SERVICE ALERT: a;b;OK;SOFT;1;fine';
    writeSync(file, '[' + (1790000000 + count) + '] ' + what + '\\n');
  }
}, 1);
process.stdout.write('ready');
`;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

async function startWriter(log: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', WRITER, log], { stdio: ['ignore', 'pipe', 'inherit'] });
  undo.push(() => child.kill('SIGKILL'));
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

/** How many lines it has written. */
async function end(child: ChildProcess): Promise<number> {
  const told = child.stdout === null ? Promise.resolve(['']) : once(child.stdout, 'data');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const [text] = await told;
  await ended;
  return Number(text);
}

/** The job, with what it sent since the test began, over restarts. */
function follow(folder: string, options: object) {
  const offered: string[] = [];
  const told: string[] = [];
  const waiting = new Set<() => void>();
  const last: Record<string, number> = {};
  let alerts = 0;
  let deliveries = 0;
  let job: Job | undefined;
  let state: State | undefined;
  const config: JobConfig = {
    ...{ id: 'nagios@hv01', name: 'nagios', collector: nagios, target: 'hv01', fingerprint: '' },
    ...{ when: { everyMs: 30 }, intervalMs: 30, splayMs: 0, timeoutMs: 20_000, options: nagios.options.parse(options) },
  };
  const deliver = ({ points }: Delivery): void => {
    for (const { path, value, metric } of points) {
      if (value === undefined || !path.startsWith('e.hv01.nagios.')) continue;
      if (metric.name === 'alerts') alerts += value;
      last[metric.name] = metric.kind === 'counter' ? (last[metric.name] ?? 0) + value : value;
    }
    deliveries += 1;
    for (const wake of waiting) wake();
  };
  const own = {
    offered,
    told,
    last,
    get alerts() {
      return alerts;
    },
    start() {
      const log = (event: string, fields: object): void => {
        if (event === 'run:problem' || event === 'run:failed' || event === 'state:failed')
          told.push(`${event} ${JSON.stringify(fields)}`);
      };
      state = openState(join(folder, 'state.db'), { clock: systemClock, log: log as never });
      const target = localTarget('hv01');
      job = startJob(config, {
        ...{ prefix: 'e', target, clock: systemClock, claims: createClaims(), machine: 'm', log: log as never },
        ...{ deliver, state, turn: createTurns(1, systemClock).take },
        async offer(offers) {
          offered.push(...offers.map(({ what }) => what));
          return true;
        },
      });
    },
    async stop() {
      job?.release();
      await job?.ticking.idle();
      state?.close();
    },
    /** Resolves at a delivery after which this is so. */
    until(isSo: () => boolean): Promise<void> {
      return new Promise((resolve) => {
        const look = (): void => {
          if (!isSo()) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    },
    runs(count: number): Promise<void> {
      const before = deliveries;
      return own.until(() => deliveries >= before + count);
    },
  };
  undo.push(() => own.stop());
  return own;
}

const HOW = {
  // The writer has the old file open until it is told.
  create: (writer: number) => `create\n  postrotate\n    kill -USR1 ${writer}\n  endscript`,
  // What is written between the copy and the truncation would be lost by logrotate itself.
  copytruncate: (writer: number) =>
    `copytruncate\n  prerotate\n    kill -STOP ${writer}\n  endscript\n  postrotate\n    kill -CONT ${writer}\n  endscript`,
  'create, into another directory': (writer: number) =>
    `create\n  olddir archives\n  postrotate\n    kill -USR1 ${writer}\n  endscript`,
};

describe.each(Object.entries(HOW))('rotated under load: %s', (_, how) => {
  test('every alert is counted once, and every hard problem offered, over a restart too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgestatd-nagios-'));
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    const log = join(folder, 'nagios.log');
    mkdirSync(join(folder, 'archives'));
    appendFileSync(log, '[1780000000] LOG VERSION: 2.0\n');
    const job = follow(folder, { log });
    job.start();
    await job.runs(1);
    const writer = await startWriter(log);
    const conf = join(folder, 'logrotate.conf');
    writeFileSync(conf, `${log} {\n  rotate 30\n  nocompress\n  ${how(writer.pid ?? 0)}\n}\n`, { mode: 0o600 });
    const rotate = (): void => {
      execFileSync('logrotate', ['-f', '-s', join(folder, 'logrotate.state'), conf]);
    };
    for (let times = 0; times < 3; times++) {
      await job.runs(2);
      rotate();
    }
    await job.runs(1);
    await job.stop();
    // While edgestatd is down it goes on.
    rotate();
    rotate();
    job.start();
    await job.runs(2);
    rotate();
    const count = await end(writer);
    expect(count).toBeGreaterThan(100);
    await job.until(() => job.alerts >= count);
    await job.runs(2);
    expect(job.alerts).toBe(count);
    expect(job.last).toMatchObject({ behind_bytes: 0, log_gaps: 0, unreadable_lines: 0 });
    expect(job.told).toEqual([]);
    const hard = Math.floor(count / 100);
    expect(job.offered).toEqual(Array.from({ length: hard }, (__, index) => `nagios: DOWN h${(index + 1) * 100}`));
    expect(job.last.hard_problems).toBeDefined();
    expect(readdirSync(folder).length).toBeGreaterThan(3);
  });
});
