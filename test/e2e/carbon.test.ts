/** Samples on their way to a real Carbon that is away for a while, and edgestatd as well. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Carbon, carbonReason, startCarbon } from '../support/carbon.ts';
import { fileOf } from '../support/carbon-points.ts';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { edgestatd } from '../support/event-commands.ts';
import { eventually } from '../support/statsd.ts';

const reason = carbonReason();
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

describe.skipIf(reason !== undefined)(`carbon${reason === undefined ? '' : ` (${reason})`}`, () => {
  let carbon: Carbon;
  beforeAll(async () => {
    carbon = await startCarbon({ retentions: '1s:1h' });
  });
  afterEach(stopAll);
  afterAll(async () => {
    await carbon?.close();
  });

  const configured = (prefix: string, spool: string, of = '', more = ''): string => `
prefix: ${prefix}
targets: { local: { type: local, name: node1 } }
sinks: [ { type: carbon, destinations: ["127.0.0.1:${carbon.port}"], spool: ${spool}, ${of} } ]
jobs:
  - { collector: tcp, every: 1s }
${more}`;
  const daemonOf = async (yaml: string): Promise<DaemonProcess> => {
    const daemon = startEdgestatd(yaml);
    await daemon.event('daemon:started');
    return daemon;
  };
  const sinkEvents = ({ events }: DaemonProcess): string[] =>
    events.map(({ event }) => event).filter((event) => event.startsWith('sink:'));
  /** Resolves when so many of this event were logged. */
  const logged = (daemon: DaemonProcess, name: string, count: number): Promise<unknown> =>
    eventually(
      () => (sinkEvents(daemon).filter((event) => event === name).length >= count ? true : undefined),
      `${count} × ${name}`,
      30_000,
    );
  const pass = (seconds: number): Promise<unknown> => {
    const untilMs = performance.now() + seconds * 1000;
    return eventually(() => (performance.now() >= untilMs ? true : undefined), 'time to pass', seconds * 2000);
  };

  /** Every job says in each run whether it was up: that series has a point for each of them. */
  const upOf = (prefix: string): string => `${prefix}.node1.edgestatd.tcp.up`;
  /** The seconds of which a series has a point. */
  const secondsOf = async (series: string, from: number, until = nowSeconds()): Promise<number[]> => {
    const slots = (await carbon.pointsOf([series], from, until)).get(series) ?? [];
    return slots.filter(({ value }) => value !== null).map(({ seconds }) => seconds);
  };
  /** A file that Carbon is killed in the middle of making is of no use for ever. */
  const isStored = (...all: readonly string[]): Promise<unknown> => {
    const isWhole = (series: string): boolean =>
      (statSync(join(carbon.whisperDirectory, fileOf(series)), { throwIfNoEntry: false })?.size ?? 0) > 3600 * 12;
    return eventually(() => (all.every(isWhole) ? true : undefined), `the files of ${all.join()}`, 30_000);
  };
  /**
   * Resolves when each slot from one to another has a point. A tick that a busy machine has made too late may leave a
   * slot out, which the daemon itself counts.
   */
  const isWhole = (prefix: string, from: number, until: number): Promise<unknown> => {
    const late = `${prefix}.node1.edgestatd.tcp.skipped_ticks`;
    return eventually(
      async () => {
        const there = await secondsOf(upOf(prefix), from, until);
        const [skipped = []] = (await carbon.pointsOf([late], from, nowSeconds())).values();
        const ticks = Math.max(0, ...skipped.map(({ value }) => value ?? 0));
        return there.length + ticks >= until - from + 1 ? true : undefined;
      },
      `each slot of ${prefix} from ${from} to ${until}`,
      20_000,
    );
  };

  it('gets a point into every slot, through a stop, a kill and a reload', async () => {
    const [prefix, spool] = ['whole', join(scratch(), 'spool.db')];
    const from = nowSeconds();
    const daemon = await daemonOf(configured(prefix, spool));
    await daemon.event('sink:delivering');
    // The second run comes off the beat (schedule.ts), so that it and the first may meet in one slot.
    const third = await eventually(async () => (await secondsOf(upOf(prefix), from))[2], 'the third slot', 20_000);
    const total = `${prefix}.node1.tcp.active_opens`;
    await isStored(upOf(prefix), total);

    for (const [index, signal] of (['SIGTERM', 'SIGKILL'] as const).entries()) {
      await carbon.stop(signal);
      await logged(daemon, 'sink:down', index + 1);
      await pass(2.5);
      await carbon.start();
      await logged(daemon, 'sink:replayed', index + 1);
    }

    const before = daemon.events.length;
    daemon.configure(configured(prefix, spool, '', '  - { collector: tcp, every: 30s, name: more }\n'));
    daemon.child.kill('SIGHUP');
    expect(await daemon.event('daemon:reloaded', before)).toMatchObject({ kept: 1, added: 1, changed: 0, removed: 0 });
    await pass(2);
    const last = nowSeconds() - 2;
    expect(await daemon.end()).toBe(0);
    await isWhole(prefix, third, last);
    expect(sinkEvents(daemon)).toEqual([
      'sink:delivering',
      ...['sink:down', 'sink:up', 'sink:replayed'],
      ...['sink:down', 'sink:up', 'sink:replayed'],
      'sink:closed',
    ]);
    expect(daemon.events.at(-2)).toMatchObject({ event: 'sink:closed', droppedMetrics: {} });
    // What it counts is a total, which never goes down.
    const totals = (await carbon.points(total, third, last)).flatMap(({ value }) => value ?? []);
    expect(totals.length).toBeGreaterThan(5);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
    expect(carbon.series().filter((series) => series.endsWith('_per_second'))).toEqual([]);
  }, 120_000);

  it('delivers after a SIGTERM, and after a kill -9, what had to wait on the disk', async () => {
    const [prefix, spool] = ['spooled', join(scratch(), 'spool.db')];
    const yaml = configured(prefix, spool, 'counters: rates');
    await carbon.kill();
    const from = nowSeconds();
    const first = await daemonOf(yaml);
    await first.event('sink:down');
    await pass(4);
    const ended = nowSeconds();
    expect(await first.end()).toBe(0);
    expect(first.events.at(-2)).toMatchObject({ event: 'sink:closed', sentMetrics: 0, droppedMetrics: {} });

    await carbon.start();
    const second = await daemonOf(yaml);
    await second.event('sink:replayed');
    const [firstSlot = 0, , thirdSlot = 0] = await eventually(async () => {
      const there = await secondsOf(upOf(prefix), from, ended);
      return there.length > 2 ? there : undefined;
    }, 'what the first process left');
    expect(firstSlot).toBeGreaterThanOrEqual(from - 1);
    await isWhole(prefix, thirdSlot, ended - 2);

    const rate = `${prefix}.node1.tcp.active_opens_per_second`;
    await isStored(upOf(prefix), rate);
    const secondFrom = (await eventually(async () => (await secondsOf(upOf(prefix), ended + 1))[2], 'the third')) ?? 0;
    await carbon.kill();
    await second.event('sink:down');
    const downMs = Date.now();
    const lastMs = await eventually(
      () => {
        const atMs = newestIn(spool);
        return atMs > downMs + 2500 ? atMs : undefined;
      },
      'what came while Carbon was down to be on the disk',
      30_000,
    );
    await pass(1);
    expect(await second.end('SIGKILL')).toBe('SIGKILL');
    await carbon.start();
    const third = await daemonOf(yaml);
    await third.event('sink:replayed');
    await isWhole(prefix, secondFrom, Math.floor(lastMs / 1000) - 1);
    expect(await third.end()).toBe(0);
    const series = carbon.series().filter((one) => one.startsWith(`${prefix}.`));
    expect(series).toContain(rate);
    expect(series).not.toContain(`${prefix}.node1.tcp.active_opens`);
    // Gauges have the names that they have.
    expect(series).toContain(`${prefix}.node1.tcp.curr_estab`);
  }, 120_000);

  it('is checked without a trace, and with one marked point where that is wanted', async () => {
    const directory = scratch();
    const config = join(directory, 'edgestatd.yaml');
    const to = `127.0.0.1:${carbon.port}`;
    writeFileSync(config, configured('checked', join(directory, 'spool.db')));
    const ours = (): string[] => carbon.series().filter((series) => series.startsWith('checked.'));
    const quiet = await edgestatd(['check', '--config', config]);
    expect([quiet.code, quiet.stderr]).toEqual([0, '']);
    expect(quiet.stdout).toContain(`ok   sink carbon: ${to} takes connections, and reads\n`);
    expect(quiet.stdout).toMatch(/^warn sink carbon: .*MAX_CREATES_PER_MINUTE/m);

    const from = nowSeconds();
    const loud = await edgestatd(['check', '--write', '--config', config]);
    expect(loud.code).toBe(0);
    const canary = 'checked.node1.edgestatd.check_canary';
    const [, value] = /has read the test point \S+check_canary = ([0-9]+);/.exec(loud.stdout) ?? [];
    const seconds = await eventually(async () => (await secondsOf(canary, from))[0], 'the test point');
    expect(await carbon.flushed(canary, seconds)).toBe(Number(value));
    // The other check wrote none.
    expect(ours()).toEqual([canary]);

    await carbon.kill();
    const down = await edgestatd(['check', '--config', config]);
    expect(down.code).toBe(1);
    expect(down.stdout).toContain(`fail sink carbon: ${to}: nobody listens there; start Carbon, or correct the port\n`);
  }, 60_000);
});

/** When the newest of what waits began, by the file of another process. */
function newestIn(spool: string): number {
  const database = new DatabaseSync(spool, { readOnly: true });
  try {
    return Number(database.prepare('SELECT coalesce(max(at_ms), 0) AS at FROM chunk').get()?.at);
  } finally {
    database.close();
  }
}
