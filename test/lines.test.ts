import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gauge } from '../src/metric.ts';
import { decimal, statsdLine } from '../src/sinks/lines.ts';
import { pack } from '../src/sinks/pack.ts';
import { manyPoints, point } from './support/points.ts';

const multi = { maxBytes: 1432, single: false, tags: 'none' } as const;

describe('statsdLine', () => {
  it('writes counters as increments, gauges as they are, durations as timers in milliseconds', () => {
    expect(statsdLine(point('a.b', 3, 'counter'), 'none')).toBe('a.b:3|c');
    expect(statsdLine(point('a.b', 0.5), 'none')).toBe('a.b:0.5|g');
    expect(statsdLine(point('a.ratio', 0.25, 'ratio'), 'none')).toBe('a.ratio:0.25|g');
    expect(statsdLine(point('a.run.duration_seconds', 0.0123, 'duration'), 'none')).toBe(
      'a.run.duration_milliseconds:12.3|ms',
    );
    expect(statsdLine({ ...point('a.b', 1, 'counter'), value: undefined }, 'none')).toBeUndefined();
  });

  it('sets a negative gauge to zero first', () => {
    expect(statsdLine(point('a.tokens', -7), 'none')).toBe('a.tokens:0|g\na.tokens:-7|g');
  });

  it('writes labels as tags where tags are on', () => {
    const metric = gauge('depth', { unit: 'messages', labels: ['vhost', 'queue'], help: '', source: '' });
    const tagged = {
      path: 'e.h.q.v.x.depth',
      base: 'e.h.q',
      metric,
      labels: { vhost: '/nova', queue: undefined },
      value: -2,
    };
    expect(statsdLine(tagged, 'graphite')).toBe('e.h.q.depth;vhost=_nova:0|g\ne.h.q.depth;vhost=_nova:-2|g');
    expect(statsdLine(tagged, 'dogstatsd')).toBe('e.h.q.depth:0|g|#vhost:_nova\ne.h.q.depth:-2|g|#vhost:_nova');
  });
});

describe('decimal', () => {
  it('never writes an exponent, and keeps 12 digits of a fraction', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = decimal(value);
        expect(text).toMatch(/^-?[0-9]+(\.[0-9]+)?$/);
        expect(text).not.toBe('-0');
        expect(Math.abs(Number(text) - value)).toBeLessThanOrEqual(Math.abs(value) * 1e-11 + 1e-19);
      }),
    );
    expect(['1e21', '-1e21', '1e-7', '-0', '0.1', '9007199254740991'].map(Number).map(decimal)).toEqual([
      '1000000000000000000000',
      '-1000000000000000000000',
      '0.0000001',
      '0',
      '0.1',
      '9007199254740991',
    ]);
  });
});

describe('pack', () => {
  const anyPoint = fc.record({ length: fc.integer({ min: 1, max: 200 }), value: fc.integer({ min: -1e6, max: 1e6 }) });

  it('never goes over the limit, loses no line, doubles none, and splits none', () => {
    fc.assert(
      fc.property(fc.array(anyPoint, { maxLength: 200 }), fc.integer({ min: 64, max: 2000 }), (shapes, maxBytes) => {
        const points = shapes.map(({ length, value }, index) => point(`a.${'x'.repeat(length)}${index}`, value));
        const { datagrams, oversize } = pack(points, { ...multi, maxBytes });
        for (const { payload } of datagrams) expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(maxBytes);
        const sent = datagrams.flatMap(({ payload }) => payload.split('\n'));
        const wanted = points
          .filter((one) => !oversize.includes(one))
          .flatMap((one) => statsdLine(one, 'none')?.split('\n'));
        expect([...sent].sort()).toEqual([...wanted].sort());
        expect(datagrams.reduce((sum, { metrics }) => sum + metrics, 0)).toBe(points.length - oversize.length);
        for (const one of oversize) expect(statsdLine(one, 'none')?.length).toBeGreaterThan(maxBytes);
      }),
    );
  });

  it('keeps the two lines of a negative gauge adjacent and in one datagram', () => {
    const points = manyPoints(2000).flatMap((one, index) => [one, point(`e.tokens${index}`, -1 - index)]);
    const { datagrams } = pack(points, multi);
    let pairs = 0;
    for (const { payload } of datagrams) {
      const lines = payload.split('\n');
      for (const [index, line] of lines.entries()) {
        if (!line.includes(':-')) continue;
        pairs += 1;
        expect(lines[index - 1]).toBe(line.replace(/:-\d+/, ':0'));
      }
    }
    expect(pairs).toBe(2000);
  });

  it.each([512, 1432, 8932])('fills datagrams of %i bytes to 97 %% and more', (maxBytes) => {
    const { datagrams } = pack(manyPoints(20_000), { ...multi, maxBytes });
    const bytes = datagrams.reduce((sum, { payload }) => sum + payload.length, 0);
    expect(bytes / (datagrams.length * maxBytes)).toBeGreaterThan(0.97);
  });

  it('sends one line a datagram to receivers that read only the first', () => {
    const { datagrams } = pack([point('a', 1), point('b', -2)], { ...multi, single: true });
    expect(datagrams).toEqual([
      { payload: 'a:1|g', metrics: 1 },
      { payload: 'b:0|g', metrics: 0 },
      { payload: 'b:-2|g', metrics: 1 },
    ]);
  });
});
