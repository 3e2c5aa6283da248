import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Point } from '../../src/point.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { statsdSink } from '../../src/sinks/statsd.ts';
import { statsdSinkOptions } from '../../src/sinks/statsd-options.ts';
import { manyPoints, point } from '../support/points.ts';
import { keptLog } from '../support/sink-log.ts';
import { eventually, freePort, type StatsdServer, startStatsd } from '../support/statsd.ts';
import { listenUdp } from '../support/udp-listener.ts';

const opened: { close?: (ms: number) => Promise<void>; stop?: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await (one.stop?.() ?? one.close?.(1000));
});

async function server(ports?: { port: number; adminPort: number }): Promise<StatsdServer> {
  const started = await startStatsd(ports);
  opened.push(started);
  return started;
}

function sinkTo(port: number, overrides: Record<string, unknown> = {}) {
  const { log, ...kept } = keptLog();
  const options = statsdSinkOptions.parse({ type: 'statsd', port, ...overrides });
  const sink: Sink = statsdSink({ ...options, name: 'statsd' }, systemClock, log);
  opened.push(sink);
  const write = (points: readonly Point[], intervalMs = 1000, job = 'job'): void =>
    sink.write({ job, atMs: Date.now(), intervalMs, points });
  return { sink, write, ...kept };
}

const dropped = (sink: Sink, reason: 'refused' | 'overrun' | 'oversize' | 'unreachable' | 'stopped' | 'send'): number =>
  sink.counts().droppedMetrics.get(reason) ?? 0;

describe('the statsd sink and a real StatsD server', () => {
  it('sends one datagram of many metrics that the server reads whole: counters, gauges, timers, negatives', async () => {
    const statsd = await server();
    const { write, sink, next } = sinkTo(statsd.port);
    const received = async () => ({
      packets: (await statsd.counter('statsd.packets_received')) ?? 0,
      metrics: (await statsd.counter('statsd.metrics_received')) ?? 0,
    });
    const before = await received();
    write([
      point('e.up', 1),
      point('e.tokens', 5),
      point('e.packets', 7, 'counter'),
      point('e.duration_seconds', 0.25, 'duration'),
    ]);
    await next('sink:delivering');
    await eventually(async () => (await statsd.gauge('e.tokens')) === 5 || undefined, 'the gauge');
    expect(await received()).toEqual({ packets: before.packets + 1, metrics: before.metrics + 4 });
    expect(await statsd.counter('e.packets')).toBe(7);
    expect(await statsd.ask('timers')).toContain("'e.duration_milliseconds': [ 250 ]");
    // A negative gauge over a positive one: StatsD alone would subtract.
    write([point('e.tokens', -9)]);
    await eventually(async () => (await statsd.gauge('e.tokens')) === -9 || undefined, 'the negative gauge');
    write([point('e.tokens', -2)]);
    await eventually(async () => (await statsd.gauge('e.tokens')) === -2 || undefined, 'the next negative gauge');
    expect(await statsd.badLines()).toBe(0);
    expect(sink.counts()).toMatchObject({ sentMetrics: 6, sentDatagrams: 3, paceOverruns: 0 });
  });

  it('delivers 30,000 metrics without losing one', async () => {
    const statsd = await server();
    const { write, sink } = sinkTo(statsd.port);
    const before = (await statsd.counter('statsd.metrics_received')) ?? 0;
    write(manyPoints(30_000), 4000);
    const metrics = await eventually(async () => {
      const now = (await statsd.counter('statsd.metrics_received')) ?? 0;
      return now - before >= 30_000 ? now - before : undefined;
    }, '30,000 metrics');
    expect(metrics).toBe(30_000);
    expect(statsd.kernelDrops()).toBe(0);
    expect(sink.counts()).toMatchObject({ sentMetrics: 30_000, paceOverruns: 0 });
    expect(await statsd.badLines()).toBe(0);
  });

  it('keeps the environment of other agents out of the lines', async () => {
    const listener = await listenUdp();
    opened.push(listener);
    const before = { ...process.env };
    Object.assign(process.env, {
      DD_ENV: 'prod',
      DD_ENTITY_ID: 'x',
      DD_AGENT_HOST: '192.0.2.1',
      DD_DOGSTATSD_PORT: '9',
    });
    try {
      const { write } = sinkTo(listener.port);
      write([point('a', 1)]);
      await listener.until((lines) => lines.length > 0, 'the line');
      expect(listener.datagrams).toEqual(['a:1|g']);
    } finally {
      process.env = before;
    }
  });

  it('notices that nobody listens, counts what is lost, and delivers again when the server returns', async () => {
    const ports = { port: await freePort(), adminPort: await freePort() };
    const { write, sink, names, next, of } = sinkTo(ports.port);
    write(manyPoints(500));
    await next('sink:down');
    expect(of('sink:down')[0]).toMatchObject({ code: 'E_CONNECT', to: `127.0.0.1:${ports.port}` });
    await eventually(() => (dropped(sink, 'refused') === 500 ? true : undefined), 'all 500 to be counted as dropped');
    for (let round = 1; round <= 3; round++) {
      write(manyPoints(500));
      await eventually(
        () => (dropped(sink, 'refused') === 500 + 500 * round ? true : undefined),
        `round ${round} to be counted`,
      );
    }
    expect(sink.counts().sentMetrics).toBe(0);
    expect(names()).toEqual(['sink:down']);

    const statsd = await server(ports);
    write(manyPoints(500));
    expect(await next('sink:up')).toMatchObject({ droppedMetrics: 2000 });
    await eventually(
      async () => ((await statsd.counter('statsd.metrics_received')) === 500 ? true : undefined),
      'the metrics',
    );
    await next('sink:delivering');
    expect(names()).toEqual(['sink:down', 'sink:up', 'sink:delivering']);

    await statsd.stop();
    write(manyPoints(100));
    write(manyPoints(100), 1000, 'other');
    await eventually(
      () => (names().filter((name) => name === 'sink:down').length === 2 ? true : undefined),
      'the second outage',
    );
    await eventually(() => (dropped(sink, 'refused') === 2200 ? true : undefined), 'all to be counted as dropped');
    expect(sink.counts().sentMetrics).toBe(500);
  });

  it('reaches a host by name and by IPv6 address, and counts what has no address', async () => {
    const six = await listenUdp({ address: '::1' });
    const four = await listenUdp();
    opened.push(six, four);
    sinkTo(six.port, { host: '::1' }).write([point('six', 6)]);
    await six.until((lines) => lines.includes('six:6|g'), 'the line over IPv6');
    // Whichever address of localhost comes first: the second batch goes where somebody listens.
    const local = sinkTo(four.port, { host: 'localhost' });
    local.write([point('four', 3)]);
    await eventually(() => {
      if (four.lines().length > 0) return true;
      local.write([point('four', 4)]);
      return undefined;
    }, 'a line to localhost');
    const { write, sink, next } = sinkTo(8125, { host: 'no-such-host.invalid' });
    write([point('lost', 1), point('lost2', 1)]);
    expect((await next('sink:down')).message).toContain('no-such-host.invalid port 8125 cannot be reached');
    await eventually(() => (dropped(sink, 'unreachable') === 2 ? true : undefined), 'the drops to be counted');
  });

  it('drops and counts a line that is longer than a datagram, and says so once', async () => {
    const listener = await listenUdp();
    opened.push(listener);
    const { write, sink, of } = sinkTo(listener.port, { maxBytes: 100 });
    const long = point(`a.${'x'.repeat(100)}`, 1);
    write([long, point('short', 1)]);
    await listener.until((lines) => lines.length === 1, 'the first short one');
    write([long, point('short', 2)]);
    await listener.until((lines) => lines.length === 2, 'the short ones');
    expect(listener.lines()).toEqual(['short:1|g', 'short:2|g']);
    expect(dropped(sink, 'oversize')).toBe(2);
    expect(of('sink:dropped')).toHaveLength(1);
  });

  it('hurries what is still on its way when the next batch of its job comes early, and drops nothing', async () => {
    const listener = await listenUdp();
    opened.push(listener);
    const { write, sink, names } = sinkTo(listener.port);
    write(manyPoints(20_000), 10_000);
    await eventually(() => (sink.counts().sentMetrics > 0 ? true : undefined), 'the first datagrams');
    expect(sink.counts().sentMetrics).toBeLessThan(20_000);
    write(manyPoints(20_000), 10_000);
    await eventually(() => (sink.counts().sentMetrics === 40_000 ? true : undefined), 'all metrics of both to be sent');
    expect(sink.counts()).toMatchObject({ sentMetrics: 40_000, paceOverruns: 0 });
    expect(sink.counts().droppedMetrics.size).toBe(0);
    expect(names()).not.toContain('sink:overrun');
  });

  it('says when batches do not fit into their interval, and gives up the oldest so that what waits is bounded', async () => {
    const listener = await listenUdp();
    opened.push(listener);
    const { write, sink, of } = sinkTo(listener.port, { burst: 1, maxBytes: 512 });
    for (let round = 0; round < 4; round++) write(manyPoints(2000), 10);
    await eventually(
      () => (sink.counts().sentMetrics + dropped(sink, 'overrun') === 8000 ? true : undefined),
      'all to be counted',
    );
    // Of four at once two were given up; the others were sent, late.
    expect(dropped(sink, 'overrun')).toBeGreaterThan(3000);
    expect(sink.counts().sentMetrics).toBeGreaterThanOrEqual(4000);
    expect(sink.counts().paceOverruns).toBe(4);
    expect(of('sink:overrun')).toHaveLength(1);
  });

  it('sends what waits before it closes, and counts what comes later', async () => {
    const statsd = await server();
    const { write, sink } = sinkTo(statsd.port);
    write(manyPoints(5000), 60_000);
    await sink.close(5000);
    expect(sink.counts().sentMetrics).toBe(5000);
    await eventually(
      async () => ((await statsd.counter('statsd.metrics_received')) === 5000 ? true : undefined),
      'all of them',
    );
    write([point('late', 1)]);
    expect(dropped(sink, 'stopped')).toBe(1);
  });

  it('does not wait longer than it may when it closes, and counts the rest', async () => {
    const listener = await listenUdp();
    opened.push(listener);
    const { write, sink } = sinkTo(listener.port, { burst: 1, maxBytes: 512 });
    write(manyPoints(50_000), 60_000);
    await sink.close(50);
    await eventually(
      () => (sink.counts().sentMetrics + dropped(sink, 'stopped') === 50_000 ? true : undefined),
      'all to be counted',
    );
    expect(dropped(sink, 'stopped')).toBeGreaterThan(40_000);
  });
});
