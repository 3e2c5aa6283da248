import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { carbonSink } from '../src/sinks/carbon.ts';
import { carbonSinkOptions } from '../src/sinks/carbon-options.ts';
import { startCarbonReceiver } from './support/carbon-receiver.ts';
import { hastyClock } from './support/hasty-clock.ts';
import { manyPoints } from './support/points.ts';
import { keptLog } from './support/sink-log.ts';
import { eventually, freePort } from './support/statsd.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'edgestatd-carbon-chaos-'));
  endings.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const EPOCH = 1_700_000_000;

function loaded(port: number, over: Record<string, unknown>) {
  const { log, ...kept } = keptLog();
  const options = carbonSinkOptions.parse({ type: 'carbon', destinations: [`127.0.0.1:${port}`], ...over });
  const sink = carbonSink({ ...options, name: 'carbon' }, hastyClock(10), log);
  endings.push(() => sink.close(500));
  const points = manyPoints(1000);
  let count = 0;
  let read = 0;
  /** What came at least once, as `path seconds`. */
  const seen = new Set<string>();
  return {
    ...{ sink, ...kept },
    get metrics() {
      return count * points.length;
    },
    send(): void {
      sink.write({ job: 'job', atMs: (EPOCH + 10 * count) * 1000, intervalMs: 10_000, points });
      count += 1;
    },
    /** Reads only what is new, since the timeouts of a connection count while this process is busy. */
    missing(lines: readonly string[]): number {
      for (; read < lines.length; read++) seen.add((lines[read] ?? '').replace(/ [^ ]+ /, ' '));
      return count * points.length - seen.size;
    },
  };
}

describe('a carbon sink in the worst of networks', () => {
  it('gets every point there, and counts each as sent once', async () => {
    const carbon = await startCarbonReceiver();
    endings.push(() => carbon.stop());
    const load = loaded(carbon.port, { spool: join(directory(), 'spool.db'), resend: '10m' });
    const endMs = performance.now() + 8000;
    const chaos = async (): Promise<void> => {
      for (let round = 0; performance.now() < endMs; round++) {
        if (round % 4 === 0) carbon.cut('reset');
        else if (round % 4 === 1) carbon.cut('end');
        else if (round % 4 === 2) {
          carbon.pause();
          await sleep(1000 * Math.random());
          if (Math.random() < 0.5) carbon.cut('reset');
          carbon.resume();
        } else {
          await carbon.stop();
          await sleep(1000 * Math.random());
          await carbon.start();
        }
        // The last one is noticed too before it is over.
        await sleep(100 + 800 * Math.random());
      }
    };
    const done = chaos();
    while (performance.now() < endMs) {
      load.send();
      load.missing(carbon.lines);
      await sleep(30);
    }
    await done;
    // What a lost connection had is not counted as sent until it is sent again.
    const look = (): true | undefined => {
      const { waiting, sentMetrics } = load.sink.counts();
      const isUp = load.of('sink:up').length === load.of('sink:down').length;
      return isUp && waiting?.metrics === 0 && sentMetrics === load.metrics ? true : undefined;
    };
    await eventually(look, 'all to be sent', 30_000);
    await eventually(() => (load.missing(carbon.lines) === 0 ? true : undefined), 'every point', 20_000);
    await eventually(look, 'all to be sent still', 30_000);
    await load.sink.close(600_000);
    expect(load.sink.counts().sentMetrics).toBe(load.metrics);
    expect(load.sink.counts().resentMetrics).toBeGreaterThan(0);
    expect(load.sink.counts().droppedMetrics.size).toBe(0);
    expect(load.of('sink:up')).toHaveLength(load.of('sink:down').length);
  }, 90_000);

  it.skipIf(process.getuid?.() !== 0)(
    'whose disk is full too drops what has no place, and counts each point as sent or as dropped',
    async () => {
      const folder = directory();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'edgestatd-test', folder]);
      endings.push(() => execFileSync('umount', ['-l', folder]));
      const port = await freePort();
      const load = loaded(port, { spool: join(folder, 'spool.db') });
      for (let round = 0; round < 400; round++) {
        load.send();
        await sleep(5);
      }
      await eventually(() => load.of('sink:spool_failed')[0], 'the disk to be full');
      const carbon = await startCarbonReceiver({ port });
      endings.push(() => carbon.stop());
      const counted = (): number => {
        const { sentMetrics, droppedMetrics, waiting } = load.sink.counts();
        const dropped = [...droppedMetrics.values()].reduce((sum, metrics) => sum + metrics, 0);
        return waiting?.metrics === 0 ? sentMetrics + dropped : 0;
      };
      await eventually(() => (counted() === load.metrics ? true : undefined), 'all to be counted', 20_000);
      const dropped = load.sink.counts().droppedMetrics.get('unspooled') ?? 0;
      expect(dropped).toBeGreaterThan(0);
      await eventually(() => (load.missing(carbon.lines) === dropped ? true : undefined), 'the others to arrive');
      expect(load.of('sink:spool_failed')).toHaveLength(1);
      expect(load.of('sink:dropped')).toHaveLength(1);
    },
    60_000,
  );
});
