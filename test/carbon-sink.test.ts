import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { sinkSamples } from '../src/self.ts';
import { carbonSink } from '../src/sinks/carbon.ts';
import { checkCarbon } from '../src/sinks/carbon-check.ts';
import { createLedger } from '../src/sinks/carbon-ledger.ts';
import { carbonSinkOptions } from '../src/sinks/carbon-options.ts';
import type { DropReason, Sink } from '../src/sinks/sink.ts';
import { type CarbonReceiver, startCarbonReceiver } from './support/carbon-receiver.ts';
import { hastyClock } from './support/hasty-clock.ts';
import { manyPoints, point } from './support/points.ts';
import { keptLog } from './support/sink-log.ts';
import { eventually, freePort } from './support/statsd.ts';

/** What takes seconds takes a fourth of them. */
const clock = hastyClock(4);
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'edgestatd-carbon-'));
  endings.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function receiver(options: Parameters<typeof startCarbonReceiver>[0] = {}): Promise<CarbonReceiver> {
  const started = await startCarbonReceiver(options);
  endings.push(() => started.stop());
  return started;
}

function sinkTo(ports: number | readonly number[], over: Record<string, unknown> = {}) {
  const { log, ...kept } = keptLog();
  const destinations = [ports].flat().map((port) => `127.0.0.1:${port}`);
  const spool = join(directory(), 'spool.db');
  const options = carbonSinkOptions.parse({ type: 'carbon', destinations, spool, ...over });
  const sink: Sink = carbonSink({ ...options, name: 'carbon' }, clock, log);
  endings.push(() => sink.close(500));
  let seconds = 1_700_000_000;
  /** One delivery, with a time stamp of its own. */
  const write = (...names: string[]): void => {
    seconds += 10;
    const points = names.map((name) => point(name, 1));
    sink.write({ job: 'job', atMs: seconds * 1000, intervalMs: 10_000, points });
  };
  return { sink, write, spool, options, ...kept };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Of buffers that are in use. What is garbage is given back beside us, some time after it was found. */
async function heldBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 4; look++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
    least = Math.min(least, process.memoryUsage().arrayBuffers);
  }
  return least;
}

const namesIn = (lines: readonly string[]): string[] => lines.map((line) => line.split(' ')[0] ?? '');
const droppedBy = (sink: Sink, reason: DropReason): number => sink.counts().droppedMetrics.get(reason) ?? 0;

describe('a carbon sink', () => {
  it('sends each point once, tells when the first were taken, and closes when all are', async () => {
    const carbon = await receiver();
    const { sink, write, next, names } = sinkTo(carbon.port);
    write('e.a', 'e.b');
    await carbon.until(() => carbon.lines.length === 2, 'the lines');
    expect(carbon.lines).toEqual(['e.a 1 1700000010', 'e.b 1 1700000010']);
    expect(await next('sink:delivering')).toMatchObject({ sink: 'carbon', to: `127.0.0.1:${carbon.port}`, metrics: 2 });
    write('e.c');
    await sink.close(5000);
    expect(carbon.lines.at(-1)).toBe('e.c 1 1700000020');
    expect(sink.counts()).toMatchObject({ sentMetrics: 3, sentBytes: 51, resentMetrics: 0 });
    // Of what it does not count it tells nothing, rather than 0.
    const told = new Map(sinkSamples([sink]).map(({ metric, value }) => [metric.name, value]));
    expect(told.get('sent_metrics')).toBe(3);
    expect(told.get('resent_metrics')).toBe(0);
    expect([...told.keys()]).not.toContain('sent_datagrams');
    expect([...told.keys()]).not.toContain('spooled_metrics');
    expect(names()).toEqual(['sink:delivering']);
    expect(carbon.open).toBe(0);
    write('e.late');
    expect(droppedBy(sink, 'stopped')).toBe(1);
  });

  it('sends again, when the connection ends, what is not known to be kept', async () => {
    for (const how of ['reset', 'end'] as const) {
      const carbon = await receiver();
      const { sink, write, next, of } = sinkTo(carbon.port);
      write('e.a');
      await next('sink:delivering');
      write('e.b');
      await carbon.until(() => carbon.lines.length === 2, 'both lines');
      carbon.cut(how);
      await next('sink:down');
      write('e.c');
      await next('sink:up');
      // The first was taken, but a moment ago only.
      await carbon.until(() => carbon.lines.length >= 5, 'all lines once more');
      expect(namesIn(carbon.lines).slice(0, 2)).toEqual(['e.a', 'e.b']);
      expect(namesIn(carbon.lines).slice(2).toSorted()).toEqual(['e.a', 'e.b', 'e.c']);
      expect(of('sink:down')).toHaveLength(1);
      expect(sink.counts()).toMatchObject({ sentMetrics: 3, resentMetrics: 2 });
      expect(sink.counts().droppedMetrics.size).toBe(0);
    }
  });

  it('does not send again what was taken longer ago than resend', async () => {
    const carbon = await receiver();
    const { write, next } = sinkTo(carbon.port, { resend: '0s' });
    write('e.a');
    await next('sink:delivering');
    write('e.b');
    await carbon.until(() => carbon.lines.length === 2, 'both lines');
    carbon.cut();
    await carbon.until(() => carbon.lines.length === 3, 'one line once more');
    expect(namesIn(carbon.lines)).toEqual(['e.a', 'e.b', 'e.b']);
  });

  it('keeps on disk what comes while nobody listens, and sends it when somebody does', async () => {
    const port = await freePort();
    const { sink, write, next, of, names } = sinkTo(port);
    write('e.a');
    expect(await next('sink:down')).toMatchObject({
      code: 'E_CONNECT',
      message: `127.0.0.1:${port}: nobody listens there; start Carbon, or correct the port`,
    });
    write('e.b');
    await eventually(() => (sink.counts().waiting?.metrics === 2 ? true : undefined), 'both to be on the disk');
    const told = new Map(sinkSamples([sink]).map(({ metric, value }) => [metric.name, value]));
    expect(told.get('spooled_metrics')).toBe(2);
    expect(told.get('spooled_bytes')).toBeGreaterThan(0);
    expect(told.get('spool_age_seconds')).toBeGreaterThan(0);
    expect(sink.counts().sentMetrics).toBe(0);
    const other = await receiverOn(port);
    await other.until(() => other.lines.length === 2, 'what waited');
    expect(namesIn(other.lines)).toEqual(['e.a', 'e.b']);
    await next('sink:up');
    expect(await next('sink:replayed')).toMatchObject({ metrics: 2 });
    expect(of('sink:down')).toHaveLength(1);
    expect(names()).toEqual(['sink:down', 'sink:up', 'sink:replayed']);
    expect(sink.counts()).toMatchObject({ sentMetrics: 2, waiting: { metrics: 0 } });
    expect(sink.counts().waiting?.oldestSeconds).toBeUndefined();
  });

  it('is not deceived by a process that stands still: its kernel takes everything, and nothing is read', async () => {
    const carbon = await receiver();
    carbon.pause();
    const { sink, write, next } = sinkTo(carbon.port);
    write('e.a');
    expect(await next('sink:down')).toMatchObject({ code: 'E_TIMEOUT' });
    await eventually(() => (sink.counts().waiting?.metrics === 1 ? true : undefined), 'the point to be on the disk');
    expect(sink.counts().sentMetrics).toBe(0);
    carbon.resume();
    await carbon.until(() => carbon.lines.length === 1, 'the line', 25_000);
  }, 40_000);

  it('keeps a connection that works when the one that is to replace it does not come about', async () => {
    const carbon = await receiver();
    const { sink, write, names, next } = sinkTo(carbon.port);
    write('e.first');
    await next('sink:delivering');
    await carbon.until(() => carbon.lines.length === 1, 'the first');
    carbon.deafen();
    const points = manyPoints(50_000);
    sink.write({ job: 'many', atMs: 1_700_000_000_000, intervalMs: 10_000, points });
    // More than is written before a new connection is to take over.
    await carbon.until(() => carbon.lines.length >= 1 + points.length, 'the many');
    write('e.last');
    await carbon.until(() => carbon.lines.some((line) => line.startsWith('e.last ')), 'the last');
    const before = carbon.connections;
    await carbon.start();
    await carbon.until(() => carbon.connections > before, 'the next connection');
    expect(names()).not.toContain('sink:down');
  });

  it('waits with bounded memory when the other side stops reading, and loses nothing', async () => {
    const carbon = await receiver();
    const { sink, write, next } = sinkTo(carbon.port);
    write('e.first');
    await next('sink:delivering');
    carbon.pause();
    const points = manyPoints(10_000);
    const lines = new Set<string>();
    const before = await heldBytes();
    let largest = 0;
    for (let round = 0; round < 40; round++) {
      const atMs = (1_700_001_000 + round * 10) * 1000;
      for (const { path } of points) lines.add(`${path} ${1_700_001_000 + round * 10}`);
      sink.write({ job: 'many', atMs, intervalMs: 10_000, points });
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (round % 5 === 4) largest = Math.max(largest, (await heldBytes()) - before);
    }
    // 24 MB were written. In use is what waits, and what the socket has not handed to the kernel.
    expect(largest).toBeLessThan(16 * 2 ** 20);
    await eventually(() => ((sink.counts().waiting?.metrics ?? 0) > 200_000 ? true : undefined), 'the disk to have it');
    carbon.resume();
    const missing = (): number => {
      const got = new Set(carbon.lines.map((line) => line.replace(/ [^ ]+ /, ' ')));
      return [...lines].filter((line) => !got.has(line)).length;
    };
    await carbon.until(() => carbon.lines.length > 400_000, 'as many lines', 20_000);
    await eventually(() => (missing() === 0 ? true : undefined), 'every single one', 10_000);
    expect(sink.counts().droppedMetrics.size).toBe(0);
    expect(sink.counts().sentMetrics).toBe(400_001);
  }, 60_000);

  it('lets go of the lines that need not be sent again', () => {
    const ledger = createLedger();
    const entries = Array.from({ length: 500 }, () => {
      const chunk = { data: Buffer.alloc(100), metrics: 1, atMs: 0, sent: 'never' as const };
      const place = { chunk, range: undefined, bytes: 0, gone: 0 };
      return { connection: 1, sentAtMs: 0, metrics: 1, sent: 'never' as const, isConfirmed: false, ...place };
    });
    for (const entry of entries) ledger.add(entry);
    expect(ledger.memoryBytes).toBe(50_000);
    ledger.confirm(1);
    ledger.settle(0);
    // The ledger may keep the entries a little longer, and not what they were about.
    expect(entries.filter(({ chunk }) => chunk !== undefined)).toEqual([]);
    expect(ledger.memoryBytes).toBe(0);
  });

  it('sends what is new before what waited, and that oldest first', async () => {
    const port = await freePort();
    const { sink, write, next } = sinkTo(port);
    for (let index = 0; index < 5; index++) {
      write(`e.old${index}`);
      await eventually(() => (sink.counts().waiting?.metrics === index + 1 ? true : undefined), 'it to be on the disk');
    }
    write('e.new');
    const carbon = await receiverOn(port);
    await carbon.until(() => carbon.lines.length === 6, 'all of it');
    const order = namesIn(carbon.lines);
    expect(order.filter((name) => name !== 'e.new')).toEqual([0, 1, 2, 3, 4].map((index) => `e.old${index}`));
    await next('sink:up');
  });

  it('gives everything to each of several destinations, each at its own pace', async () => {
    const first = await receiver();
    const port = await freePort();
    const { sink, write, next } = sinkTo([first.port, port]);
    write('e.a');
    await first.until(() => first.lines.length === 1, 'the first to have it');
    expect(await next('sink:down')).toMatchObject({ to: `127.0.0.1:${port}` });
    write('e.b');
    await first.until(() => first.lines.length === 2, 'the first to have both');
    const second = await receiverOn(port);
    await second.until(() => second.lines.length === 2, 'the second to have both');
    expect(sink.counts().sentMetrics).toBe(4);
    expect(first.lines).toHaveLength(2);
  });

  it('goes to the next destination when one fails, with what the first may not have kept', async () => {
    const [first, second] = [await receiver(), await receiver()];
    const { sink, write, next } = sinkTo([first.port, second.port], { mode: 'failover' });
    write('e.a');
    await next('sink:delivering');
    expect(second.connections).toBe(0);
    await first.stop();
    await next('sink:down');
    write('e.b');
    await second.until(() => second.lines.length === 2, 'both at the second');
    expect(namesIn(second.lines).toSorted()).toEqual(['e.a', 'e.b']);
    expect(sink.counts()).toMatchObject({ sentMetrics: 2, resentMetrics: 1 });
  });

  it('gives its spool to the next process when it closes during an outage', async () => {
    const port = await freePort();
    const { sink, write, options } = sinkTo(port);
    write('e.a', 'e.b');
    await sink.close(1000);
    expect(sink.counts().droppedMetrics.size).toBe(0);
    const carbon = await receiverOn(port);
    const { log, next } = keptLog();
    const again = carbonSink({ ...options, name: 'carbon' }, clock, log);
    endings.push(() => again.close(500));
    await carbon.until(() => carbon.lines.length === 2, 'what the first left');
    expect(await next('sink:replayed')).toMatchObject({ metrics: 2 });
    expect(carbon.lines[0]).toBe('e.a 1 1700000010');
  });

  it('gives the next process too what was taken a moment before Carbon ended', async () => {
    const carbon = await receiver();
    const { sink, write, next, options } = sinkTo(carbon.port);
    write('e.a');
    await next('sink:delivering');
    await carbon.stop();
    await next('sink:down');
    await sink.close(1000);
    expect(sink.counts()).toMatchObject({ sentMetrics: 1 });
    expect(sink.counts().droppedMetrics.size).toBe(0);
    await carbon.start();
    const again = carbonSink({ ...options, name: 'carbon' }, clock, keptLog().log);
    endings.push(() => again.close(500));
    await carbon.until(() => carbon.lines.length === 2, 'it once more');
    expect(namesIn(carbon.lines)).toEqual(['e.a', 'e.a']);
  });

  it('that is closed while it tries one destination tries no other', async () => {
    const [first, second] = [await receiver(), await receiver()];
    first.pause();
    const { sink } = sinkTo([first.port, second.port], { mode: 'failover' });
    await first.until(() => first.connections === 1, 'the first to be tried');
    await sink.close(1000);
    // Comes after what the sink may have begun.
    await new Promise((resolve) => setImmediate(resolve));
    const marker = connect(second.port, '127.0.0.1');
    endings.push(() => marker.destroy());
    marker.write('marker 1 1\n');
    await second.until(() => second.lines.length > 0, 'the marker');
    expect(second.connections).toBe(1);
  });

  it('is checked for a spool that can be no file', async () => {
    const around = directory();
    // Its lock would stand beside it.
    const folder = join(around, 'folder');
    mkdirSync(folder);
    writeFileSync(join(folder, 'wall'), '');
    for (const [spool, why] of [
      [join(folder, 'wall', 'spool.db'), 'wall is no directory; name another "spool"'],
      [folder, 'that is a directory; name another "spool"'],
    ] as const) {
      const { options } = sinkTo(await freePort(), { spool });
      const verdicts = await checkCarbon({ ...options, name: 'carbon' }, 'e', clock, false);
      expect(verdicts[1]).toMatchObject({ level: 'fail' });
      expect(verdicts[1]?.text).toContain(why);
    }
  });

  it('without a spool bridges in memory, says so, and counts what it cannot send at the end', async () => {
    const wall = join(directory(), 'wall');
    writeFileSync(wall, '');
    const port = await freePort();
    const { sink, write, of, next } = sinkTo(port, { spool: join(wall, 'spool.db') });
    write('e.a');
    expect(of('sink:spool_failed')).toHaveLength(1);
    expect(sink.counts().waiting).toBeUndefined();
    const carbon = await receiverOn(port);
    await carbon.until(() => carbon.lines.length === 1, 'the line');
    await next('sink:up');
    const downs = of('sink:down').length;
    await carbon.stop();
    await eventually(() => (of('sink:down').length > downs ? true : undefined), 'the outage');
    write('e.b');
    await sink.close(200);
    // The first was taken: that it may have to be sent again is no loss that is known.
    expect(droppedBy(sink, 'stopped')).toBe(1);
  });

  it('without a spool drops the oldest when there is too much for the memory, and says so once', async () => {
    const wall = join(directory(), 'wall');
    writeFileSync(wall, '');
    const { sink, of } = sinkTo(await freePort(), { spool: join(wall, 'spool.db') });
    for (let round = 0; round < 20; round++)
      sink.write({ job: 'job', atMs: (1_700_000_000 + round) * 1000, intervalMs: 1000, points: manyPoints(20_000) });
    expect(droppedBy(sink, 'unspooled')).toBeGreaterThan(100_000);
    expect(of('sink:dropped')).toHaveLength(1);
    await sink.close(100);
    expect(droppedBy(sink, 'unspooled') + droppedBy(sink, 'stopped')).toBe(400_000);
  });
});

/** The port must be free: it was looked for before, so that a sink could be told. */
async function receiverOn(port: number): Promise<CarbonReceiver> {
  const started = await startCarbonReceiver({ port });
  endings.push(() => started.stop());
  return started;
}
