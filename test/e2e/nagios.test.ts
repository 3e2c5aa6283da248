/** The daemon follows a log through stops, kills, restarts and rotations: each alert is counted once, each event is one. */
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, it } from 'vitest';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const listeners: UdpListener[] = [];
afterEach(async () => {
  stopAll();
  for (const udp of listeners.splice(0)) await udp.close();
});

/** What a service goes through, again and again: of three alerts two are events. */
const STEPS = [
  { state: 'CRITICAL', type: 'SOFT' },
  { state: 'CRITICAL', type: 'HARD' },
  { state: 'OK', type: 'HARD' },
] as const;
const SERVICES = 3;
const FIRST_SECONDS = Math.floor(Date.now() / 1000) - 86_400;
const RUN = 'e2e.node1.edgestatd.nagios.up:1|g';

interface Known {
  readonly what: string;
  readonly whenUs: number;
}

/** A log as a monitoring writes it, and what should come of it. */
function monitoring() {
  const directory = scratch();
  const log = join(directory, 'nagios.log');
  const archives = join(directory, 'archives');
  mkdirSync(archives);
  const lineAt = (number: number): string => {
    const { state, type } = STEPS[Math.floor(number / SERVICES) % STEPS.length] ?? STEPS[0];
    return `[${FIRST_SECONDS + number}] SERVICE ALERT: web${number % SERVICES};HTTP;${state};${type};1;what it said\n`;
  };
  writeFileSync(log, `[${FIRST_SECONDS - 1}] LOG VERSION: 2.0\n`);
  let written = 0;
  let rotated = 0;
  const counts = new Map<string, number>();
  const events: Known[] = [];
  const own = {
    log,
    directory,
    counts,
    events,
    /** So many alerts, one write each; the last one's end comes when `end` is called. */
    write(count: number): { end(): void } {
      for (let left = count; left > 0; left--) {
        const number = written++;
        const { state, type } = STEPS[Math.floor(number / SERVICES) % STEPS.length] ?? STEPS[0];
        const service = `web${number % SERVICES}`;
        const key = `${state.toLowerCase()}.${type.toLowerCase()}`;
        for (const path of [`service.${key}.alerts`, `${service}.HTTP.${key}.service_alerts`])
          counts.set(path, (counts.get(path) ?? 0) + 1);
        if (type === 'HARD')
          events.push({ what: `nagios: ${state} ${service}/HTTP`, whenUs: (FIRST_SECONDS + number) * 1e6 });
        appendFileSync(log, left > 1 ? lineAt(number) : lineAt(number).slice(0, -5));
      }
      return { end: () => appendFileSync(log, lineAt(written - 1).slice(-5)) };
    },
    /** As Nagios does it: the log is given another name, and a new one begins with what is so. */
    rotate(): void {
      rotated += 1;
      const atSeconds = FIRST_SECONDS + written;
      renameSync(log, join(archives, `nagios-11-${String(rotated).padStart(2, '0')}-2026-00.log`));
      appendFileSync(log, `[${atSeconds}] LOG ROTATION: DAILY\n[${atSeconds}] LOG VERSION: 2.0\n`);
    },
    get rotated() {
      return rotated;
    },
    get written() {
      return written;
    },
  };
  return own;
}

type Monitoring = ReturnType<typeof monitoring>;

/** What the increments of each counter come to. */
function sums(lines: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of lines) {
    const [, path = '', value] = /^e2e\.node1\.nagios\.(.+):([0-9.]+)\|c$/.exec(line) ?? [];
    if (value !== undefined && Number(value) > 0) found.set(path, (found.get(path) ?? 0) + Number(value));
  }
  return found;
}

const alertsIn = (lines: readonly string[]): number =>
  [...sums(lines)].reduce((all, [path, sum]) => all + (path.endsWith('.alerts') ? sum : 0), 0);

async function surroundings() {
  const udp = await listenUdp();
  listeners.push(udp);
  const nagios = monitoring();
  const yaml = `
prefix: e2e
state: ${nagios.directory}/state.db
targets: { local: { type: local, name: node1 } }
sinks: [ { type: statsd, host: 127.0.0.1, port: ${udp.port} } ]
events: { spool: ${nagios.directory}/spool.db }
jobs:
  - { collector: nagios, every: 1s, options: { log: ${nagios.log}, services: ["web*/*"] } }
`;
  const runs = (): number => udp.lines().filter((line) => line === RUN).length;
  /** A run that began after now is over. */
  const nextRun = async (): Promise<void> => {
    const before = runs();
    await udp.until(() => runs() >= before + 2, 'two more runs');
  };
  const allCounted = (): Promise<void> =>
    udp.until((lines) => alertsIn(lines) >= nagios.written, `${nagios.written} alerts`);
  return { udp, nagios, yaml, nextRun, allCounted };
}

function spooled({ directory }: Monitoring): (Known & { readonly source: string })[] {
  const database = new DatabaseSync(join(directory, 'spool.db'), { readOnly: true });
  const rows = database.prepare('SELECT what, when_us, source FROM event ORDER BY when_us, seq').all();
  database.close();
  return rows.map(({ what, when_us, source }) => ({
    what: String(what),
    whenUs: Number(when_us),
    source: String(source),
  }));
}

const isUnwell = ({ event }: DaemonProcess['events'][number]): boolean =>
  ['run:problem', 'state:failed', 'events:offer_failed', 'daemon:crashed'].includes(event);

it('counts each alert once over a stop, a kill and rotations, and keeps each event once, with its own time', async () => {
  const { udp, nagios, yaml, nextRun, allCounted } = await surroundings();
  const first = startEdgestatd(yaml);
  await udp.until((lines) => lines.includes(RUN), 'the first run');
  nagios.write(20).end();
  await allCounted();
  // A line that is written in two parts, and a rotation while the daemon follows.
  const last = nagios.write(7);
  await nextRun();
  last.end();
  nagios.rotate();
  nagios.write(6).end();
  await allCounted();
  expect(await first.end()).toBe(0);
  nagios.write(11).end();
  nagios.rotate();
  nagios.write(13).end();

  const second = startEdgestatd(yaml);
  nagios.write(5).end();
  await allCounted();
  // What was counted is remembered when its run is over.
  await nextRun();
  second.child.kill('SIGSTOP');
  nagios.write(10).end();
  nagios.rotate();
  nagios.write(9).end();
  expect(await second.end('SIGKILL')).toBe('SIGKILL');
  nagios.write(4).end();
  nagios.rotate();
  nagios.write(1).end();
  nagios.rotate();
  nagios.write(3).end();

  const third = startEdgestatd(yaml);
  await allCounted();
  nagios.write(8).end();
  await allCounted();
  await nextRun();
  expect(await third.end()).toBe(0);

  const told = sums(udp.lines());
  const alerts = [...told].filter(([path]) => /alerts$/.test(path));
  expect(new Map(alerts)).toEqual(nagios.counts);
  expect(told.get('rotations')).toBe(nagios.rotated);
  for (const name of ['log_gaps', 'unreadable_lines', 'events_left_out']) expect(told.get(name)).toBeUndefined();
  expect(spooled(nagios)).toEqual(nagios.events.map((event) => ({ ...event, source: 'job' })));
  expect([first, second, third].flatMap(({ events }) => events.filter(isUnwell))).toEqual([]);
}, 120_000);

it('keeps each event once, however it is killed while it counts', async () => {
  const { udp, nagios, yaml, nextRun } = await surroundings();
  const begun = startEdgestatd(yaml);
  await udp.until((lines) => lines.includes(RUN), 'the first run');
  // Where the first run is not remembered, counting begins anew behind what is written now.
  await nextRun();
  await begun.end('SIGKILL');
  const daemons: DaemonProcess[] = [];
  for (let round = 0; round < 5; round++) {
    nagios.write(12).end();
    const daemon = startEdgestatd(yaml);
    daemons.push(daemon);
    nagios.write(12).end();
    const before = alertsIn(udp.lines());
    // The first datagram of a run that counted is on its way before the run is over.
    await udp.until((lines) => alertsIn(lines) > before, 'the first increments');
    await daemon.end('SIGKILL');
    if (round % 2 === 0) nagios.rotate();
  }
  const last = startEdgestatd(yaml);
  await nextRun();
  await nextRun();
  expect(await last.end()).toBe(0);
  expect(spooled(nagios)).toEqual(nagios.events.map((event) => ({ ...event, source: 'job' })));
  expect([...daemons, last].flatMap(({ events }) => events.filter(isUnwell))).toEqual([]);
}, 120_000);
