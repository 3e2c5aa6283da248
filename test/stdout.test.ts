import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { packingOf } from '../src/sinks/packing.ts';
import { statsdSinkOptions } from '../src/sinks/statsd-options.ts';
import { stdoutSink } from '../src/sinks/stdout.ts';
import { stdoutSinkOptions } from '../src/sinks/stdout-options.ts';
import { manyPoints, point } from './support/points.ts';

const statsd = statsdSinkOptions.parse({ type: 'statsd', maxBytes: 64 });

function sink(overrides: Record<string, unknown>, stdout: Writable & { isTTY?: boolean } = new PassThrough()) {
  const options = stdoutSinkOptions.parse({ type: 'stdout', ...overrides });
  return stdoutSink({ ...options, name: 'stdout' }, stdout, () => packingOf([statsd]));
}

const delivery = {
  job: 'tcp@local',
  atMs: 0,
  intervalMs: 1000,
  points: [point('b.two', 2), point('a.one', 1, 'counter')],
};

describe('the stdout sink', () => {
  it.each([
    ['series', '# 1970-01-01T00:00:00.000Z tcp@local: 2 metrics\na.one 1 counter things\nb.two 2 gauge things\n\n'],
    [
      'json',
      '{"series":"a.one","metric":"one","labels":{},"value":1,"kind":"counter","unit":"things"}\n' +
        '{"series":"b.two","metric":"two","labels":{},"value":2,"kind":"gauge","unit":"things"}\n',
    ],
    ['statsd', '# 1970-01-01T00:00:00.000Z tcp@local: 19 bytes, 2 metrics\nb.two:2|g\na.one:1|c\n\n'],
  ])('writes %s', (format, text) => {
    const stdout = new PassThrough();
    const one = sink({ format }, stdout);
    one.write(delivery);
    expect(stdout.read().toString()).toBe(text);
    expect(one.counts()).toMatchObject({ sentMetrics: 2, sentBytes: text.length });
  });

  it('shows datagrams as the StatsD sink beside it packs them', () => {
    const stdout = new PassThrough();
    sink({ format: 'statsd' }, stdout).write({ ...delivery, points: manyPoints(4) });
    const sizes = [
      ...stdout
        .read()
        .toString()
        .matchAll(/: (\d+) bytes/g),
    ].map(([, bytes]) => Number(bytes));
    expect(sizes.length).toBeGreaterThan(1);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(64);
  });

  it('is silent without a terminal when it is asked to be', () => {
    const piped = new PassThrough();
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    sink({ onlyOnTerminal: true }, piped).write(delivery);
    sink({ onlyOnTerminal: true }, terminal).write(delivery);
    expect([piped.read(), terminal.read()?.length]).toEqual([null, expect.any(Number)]);
  });

  it('drops and counts what a reader that stands still does not take, and holds no more than a megabyte', () => {
    const stuck = new Writable({ write() {} });
    const one = sink({}, stuck);
    for (let round = 0; round < 100; round++) one.write({ ...delivery, points: manyPoints(1000) });
    expect(stuck.writableLength).toBeLessThan(1.2 * 1024 * 1024);
    const { sentMetrics, droppedMetrics } = one.counts();
    expect(sentMetrics + (droppedMetrics.get('overrun') ?? 0)).toBe(100_000);
    expect(droppedMetrics.get('overrun')).toBeGreaterThan(50_000);
  });

  it('survives a reader that went away', async () => {
    const broken = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })),
    });
    const one = sink({}, broken);
    one.write(delivery);
    await new Promise((resolve) => broken.once('close', resolve));
    one.write(delivery);
    expect(one.counts().droppedMetrics.get('refused')).toBe(2);
    await one.close(10);
  });
});
