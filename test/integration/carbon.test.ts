import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { counter } from '../../src/metric.ts';
import type { Point } from '../../src/point.ts';
import { carbonSink } from '../../src/sinks/carbon.ts';
import { checkCarbon } from '../../src/sinks/carbon-check.ts';
import { carbonSinkOptions } from '../../src/sinks/carbon-options.ts';
import { type Carbon, type CarbonOptions, carbonReason, startCarbon } from '../support/carbon.ts';
import { fileOf } from '../support/carbon-points.ts';
import { hastyClock } from '../support/hasty-clock.ts';
import { point } from '../support/points.ts';
import { keptLog } from '../support/sink-log.ts';
import { endWithParent, eventually } from '../support/statsd.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function server(options: CarbonOptions = {}): Promise<Carbon> {
  const carbon = await startCarbon(options);
  endings.push(() => carbon.close());
  return carbon;
}

function spoolIn(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-carbon-'));
  endings.push(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'spool.db');
}

function sinkTo(carbons: readonly Carbon[], over: Record<string, unknown> = {}, clock: Clock = systemClock) {
  const { log, ...kept } = keptLog();
  const destinations = carbons.map(({ port }) => `127.0.0.1:${port}`);
  const options = carbonSinkOptions.parse({ type: 'carbon', destinations, spool: spoolIn(), ...over });
  const sink = carbonSink({ ...options, name: 'carbon' }, clock, log);
  endings.push(() => sink.close(500));
  return { sink, options: { ...options, name: 'carbon' }, ...kept };
}

const SERIES = 20;

/** A point for each series and second; `send` gives the next second. */
function load(sink: ReturnType<typeof sinkTo>['sink'], from: number) {
  let count = 0;
  const names = Array.from({ length: SERIES }, (_, index) => `e.load.series${index}`);
  return {
    names,
    get count() {
      return count;
    },
    get until() {
      return from + count - 1;
    },
    send(): void {
      const atMs = (from + count) * 1000 + 137;
      sink.write({ job: 'load', atMs, intervalMs: 1000, points: names.map((name) => point(name, count + 1)) });
      count += 1;
    },
    /**
     * Sends a point of each series, and resolves when their files are whole: one that Carbon was killed in the middle of
     * making is of no use to anybody for ever.
     */
    async create(carbon: Carbon): Promise<void> {
      this.send();
      const isWhole = (name: string): boolean => {
        const { size = 0 } = statSync(join(carbon.whisperDirectory, fileOf(name)), { throwIfNoEntry: false }) ?? {};
        return size > 3600 * 12;
      };
      await eventually(() => (names.every(isWhole) ? true : undefined), 'the files of all series');
    },
    /** A second of load for each 20 ms. */
    async during(ms: number): Promise<void> {
      const endMs = performance.now() + ms;
      while (performance.now() < endMs) {
        this.send();
        await sleep(20);
      }
    },
    /** Resolves when each slot of each series has its value; rejects with how many have not. */
    async isStored(carbon: Carbon, withinMs = 20_000): Promise<void> {
      const untilMs = performance.now() + withinMs;
      for (;;) {
        const stored = await carbon.pointsOf(names, from, from + count - 1);
        let missing = 0;
        for (const name of names) {
          const slots = stored.get(name) ?? [];
          for (let second = 0; second < count; second++) {
            const slot = slots[second];
            if (slot?.seconds !== from + second || slot.value !== second + 1) missing += 1;
          }
        }
        if (missing === 0) return;
        if (performance.now() > untilMs) throw new Error(`${missing} of ${count * SERIES} points are not stored`);
        await sleep(200);
      }
    },
  };
}

const past = (seconds: number): number => Math.floor(Date.now() / 1000) - seconds;

const reason = carbonReason();

describe.skipIf(reason !== undefined)(
  `the carbon sink and a real Carbon${reason === undefined ? '' : ` (${reason})`}`,
  () => {
    it('has every slot of every series stored, through kills, stops, pauses and restarts under load', async () => {
      const carbon = await server();
      const { sink, of } = sinkTo([carbon]);
      const sent = load(sink, past(3000));
      await sent.create(carbon);
      for (let round = 0; round < 9; round++) {
        // It is up now, or has not been tried yet; the next end of Carbon comes at another moment of a connection's life.
        await sent.during(200 + 350 * (round % 4));
        if (round % 3 === 0) await carbon.kill();
        else if (round % 3 === 1) {
          const stopped = carbon.stop();
          await sent.during(300);
          await stopped;
        } else {
          await carbon.pause();
          await sent.during(1500);
          await carbon.kill();
        }
        await sent.during(200 + 300 * (round % 3));
        await carbon.start();
        while (of('sink:up').length <= round) await sent.during(50);
      }
      await sent.during(1000);
      await sent.isStored(carbon, 45_000);
      await eventually(() => (sink.counts().waiting?.metrics === 0 ? true : undefined), 'nothing to wait');
      await sink.close(5000);
      // Each is counted as sent once, however often it was sent again.
      expect(sink.counts().sentMetrics).toBe(SERIES * sent.count);
      expect(sink.counts().droppedMetrics.size).toBe(0);
      expect(of('sink:down')).toHaveLength(9);
      expect(of('sink:up')).toHaveLength(9);
    }, 180_000);

    it('notices a Carbon that stands still, and gives what it never read to the one that follows', async () => {
      const carbon = await server();
      // A minute is three seconds, and what was sent within a minute is sent again.
      const { sink, next, of } = sinkTo([carbon], { resend: '20m' }, hastyClock(20));
      const sent = load(sink, past(3000));
      await sent.create(carbon);
      await sent.during(1500);
      await next('sink:delivering');
      await carbon.pause();
      await sent.during(4000);
      await eventually(() => of('sink:down')[0], 'the standstill to be noticed');
      expect(of('sink:down')[0]).toMatchObject({ code: 'E_TIMEOUT' });
      await carbon.kill();
      await sent.during(500);
      await carbon.start();
      await sent.during(500);
      await sent.isStored(carbon);
      expect(of('sink:down')).toHaveLength(1);
      expect(sink.counts().droppedMetrics.size).toBe(0);
    }, 90_000);

    it('changes its connection now and then, and Carbon says by its end that it has read the old one', async () => {
      const carbon = await server();
      const { sink, names } = sinkTo([carbon], { resend: '0s' }, hastyClock(60));
      const sent = load(sink, past(3000));
      await sent.create(carbon);
      await sent.during(5000);
      await sent.isStored(carbon);
      expect(names()).toEqual(['sink:delivering']);
      expect(sink.counts()).toMatchObject({ resentMetrics: 0, waiting: { metrics: 0 } });
    }, 60_000);

    it('stores tagged series as Graphite finds them, and rates under names of their own', async () => {
      const carbon = await server();
      const { sink } = sinkTo([carbon], { tags: 'graphite', counters: 'rates' });
      const metric = counter('sent_bytes', { unit: 'bytes', labels: ['device', 'vif'], help: 'h', source: 's' });
      const labels = { device: 'eth1', vif: 'fa:16:3e' };
      const one: Point = { path: 'unused', base: 'e.htb', metric, labels, value: 50, total: 999, elapsedSeconds: 10 };
      const at = past(100);
      sink.write({ job: 'job', atMs: at * 1000, intervalMs: 1000, points: [one] });
      const series = 'e.htb.sent_bytes_per_second;device=eth1;vif=fa_16_3e';
      expect(await carbon.flushed(series, at)).toBe(5);
    });

    it('goes over to the second when the first is killed, and back when that has returned', async () => {
      const [first, second] = await Promise.all([server(), server()]);
      const { sink, next, of } = sinkTo([first, second], { mode: 'failover', resend: '20m' }, hastyClock(20));
      const sent = load(sink, past(3000));
      await sent.create(first);
      await sent.during(1000);
      await next('sink:delivering');
      await first.kill();
      await sent.during(2000);
      const beforeReturn = sent.until;
      await first.start();
      await eventually(async () => {
        sent.send();
        return of('sink:up')[0];
      }, 'the first to be in use again');
      await sent.during(1000);
      await eventually(async () => {
        const stored = await first.points('e.load.series0', sent.until, sent.until).catch(() => []);
        return stored[0]?.value ?? undefined;
      }, 'the last to be stored by the first');
      // The second has all that the first may not have kept.
      const slots = await second.points('e.load.series0', beforeReturn - 20, beforeReturn);
      expect(slots.map(({ value }) => value)).not.toContain(null);
      expect(sink.counts().droppedMetrics.size).toBe(0);
    }, 60_000);

    it('delivers after its own kill -9 what it had put on the disk while Carbon was down', async () => {
      const carbon = await server();
      await carbon.kill();
      const spool = spoolIn();
      const from = past(1000);
      const sender = (count: number) => {
        const program = new URL('../support/carbon-sender.ts', import.meta.url).pathname;
        const argv = [...endWithParent, program, String(carbon.port), spool, String(from), String(count)];
        const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
        endings.push(() => void child.kill('SIGKILL'));
        let said = '';
        child.stdout?.on('data', (text) => {
          said += text;
        });
        return { child, until: (line: string) => eventually(() => (said.includes(line) ? true : undefined), line) };
      };
      const first = sender(300);
      await first.until('waiting 300\n');
      const gone = once(first.child, 'exit');
      first.child.kill('SIGKILL');
      await gone;
      await carbon.start();
      const second = sender(0);
      await second.until('sink:replayed\n');
      await carbon.flushed('e.sender', from + 299);
      const values = (await carbon.points('e.sender', from, from + 299)).map(({ value }) => value);
      expect(values).toEqual(Array.from({ length: 300 }, (_, index) => index));
    }, 60_000);

    it('is checked: connected without a trace, and with one point where that is wanted', async () => {
      const carbon = await server();
      const { options } = sinkTo([carbon]);
      const quiet = await checkCarbon(options, 'e.hv01.edgestatd', systemClock, false);
      expect(quiet.map(({ level }) => level)).toEqual(['ok', 'ok', 'warn']);
      expect(quiet[0]?.text).toBe(`127.0.0.1:${carbon.port} takes connections, and reads`);
      expect(quiet[2]?.text).toContain('MAX_CREATES_PER_MINUTE');
      expect(carbon.series()).toEqual([]);
      const [loud] = await checkCarbon(options, 'e.hv01.edgestatd', systemClock, true);
      expect(loud).toMatchObject({ level: 'ok' });
      const now = past(0);
      await eventually(
        () => (carbon.series().includes('e.hv01.edgestatd.check_canary') ? true : undefined),
        'the point',
      );
      const [slot] = (await carbon.points('e.hv01.edgestatd.check_canary', now - 3, now)).filter(
        ({ value }) => value !== null,
      );
      expect(loud?.text).toContain(`= ${slot?.value};`);
      await carbon.kill();
      const [down] = await checkCarbon(options, 'e.hv01.edgestatd', systemClock, false);
      expect(down).toMatchObject({ level: 'fail' });
      expect(down?.text).toContain('nobody listens there; start Carbon');
    });
  },
);
