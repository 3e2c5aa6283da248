import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counter, gauge } from '../src/metric.ts';
import type { Point } from '../src/point.ts';
import { chunksOf, MAX_CHUNK_BYTES, merged } from '../src/sinks/carbon-chunk.ts';
import { carbonLine } from '../src/sinks/carbon-lines.ts';
import { carbonSinkOptions, endpointOf } from '../src/sinks/carbon-options.ts';
import { point } from './support/points.ts';

const about = { unit: 'bytes', labels: ['device', 'vif'], help: 'h', source: 's' } as const;
const plain = { tags: 'none', counters: 'totals' } as const;
const rates = { tags: 'none', counters: 'rates' } as const;

function pointOf(over: Partial<Point> = {}): Point {
  const metric = counter('sent_bytes', about);
  const labels = { device: 'eth1', vif: 'a b' };
  return { path: 'e.htb.eth1.a_b.sent_bytes', base: 'e.htb', metric, labels, value: 50, total: 700, ...over };
}

describe('the line of a point', () => {
  it('has the path, the value and whole seconds', () => {
    expect(carbonLine(point('e.up', 1), 1_700_000_000, plain)).toEqual({ line: 'e.up 1 1700000000' });
    expect(carbonLine(point('e.ratio', 0.25, 'ratio'), 5, plain)).toEqual({ line: 'e.ratio 0.25 5' });
    expect(carbonLine(point('e.tokens', -5e-9), 5, plain)).toEqual({ line: 'e.tokens -0.000000005 5' });
    // A duration is in seconds here, as its name says; only StatsD has milliseconds.
    expect(carbonLine(point('e.duration_seconds', 0.25, 'duration'), 5, plain)).toEqual({
      line: 'e.duration_seconds 0.25 5',
    });
  });

  it('has tags instead of segments where they are wanted', () => {
    const line = carbonLine(pointOf(), 5, { ...plain, tags: 'graphite' });
    expect(line).toEqual({ line: 'e.htb.sent_bytes;device=eth1;vif=a_b 700 5' });
  });

  it('of a counter has the total as it was read, also at first sight and above 2^53', () => {
    expect(carbonLine(pointOf({ value: undefined }), 5, plain)).toEqual({ line: 'e.htb.eth1.a_b.sent_bytes 700 5' });
    expect(carbonLine(pointOf({ total: 2n ** 64n - 1n }), 5, plain)).toEqual({
      line: 'e.htb.eth1.a_b.sent_bytes 18446744073709551615 5',
    });
    expect(carbonLine(pointOf({ total: undefined }), 5, plain)).toBe('none');
  });

  it('of a counter has the rate over the time in which it came about, and says so in its name', () => {
    expect(carbonLine(pointOf({ elapsedSeconds: 10 }), 5, rates)).toEqual({
      line: 'e.htb.eth1.a_b.sent_bytes_per_second 5 5',
    });
    expect(carbonLine(pointOf({ elapsedSeconds: 10 }), 5, { ...rates, tags: 'graphite' })).toEqual({
      line: 'e.htb.sent_bytes_per_second;device=eth1;vif=a_b 5 5',
    });
    // Unknown is never 0.
    expect(carbonLine(pointOf({ value: undefined, elapsedSeconds: 10 }), 5, rates)).toBe('none');
    expect(carbonLine(pointOf(), 5, rates)).toBe('none');
    expect(carbonLine(point('e.up', 1), 5, rates)).toEqual({ line: 'e.up 1 5' });
  });

  it('is none where a series ends: its 0 was never measured', () => {
    expect(carbonLine({ ...point('e.up', 0), ends: true }, 5, plain)).toBe('none');
    expect(carbonLine({ ...point('e.up', 0), ends: true, taggedOnly: true }, 5, { ...plain, tags: 'graphite' })).toBe(
      'none',
    );
    expect(carbonLine({ ...point('e.up', 0), value: undefined }, 5, plain)).toBe('none');
  });

  it('is one line of three words, whatever names and values are', () => {
    const metric = gauge('x', { unit: 'x', labels: ['l'], help: 'h', source: 's' });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), (text, value, isTagged) => {
        const one: Point = { path: `e.${text}.x`, base: `e.${text}`, metric, labels: { l: text }, value };
        const line = carbonLine(one, 5, { counters: 'totals', tags: isTagged ? 'graphite' : 'none' });
        if (typeof line === 'string') return;
        expect(line.line).toMatch(/^[!-~]+ -?[0-9]+(\.[0-9]+)? 5$/);
      }),
    );
    expect(carbonLine(point('e.a b', 1), 5, plain)).toBe('invalid');
    expect(carbonLine(point('e.a 1 1\ne.b', 1), 5, plain)).toBe('invalid');
    expect(carbonLine(point(`e.${'x'.repeat(5000)}`, 1), 5, plain)).toBe('oversize');
  });
});

describe('chunks', () => {
  it('are whole lines, as many as fit', () => {
    const lines = Array.from({ length: 10_000 }, (_, index) => `series.number.${index} ${index} 1700000000`);
    const chunks = chunksOf(lines, 3);
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.every(({ data }) => data.length <= MAX_CHUNK_BYTES && data.at(-1) === 10)).toBe(true);
    expect(chunks.reduce((sum, { metrics }) => sum + metrics, 0)).toBe(10_000);
    expect(Buffer.concat(chunks.map(({ data }) => data)).toString()).toBe(`${lines.join('\n')}\n`);
    expect(chunksOf([], 3)).toEqual([]);
  });

  it('are put together with neighbours of their kind', () => {
    const chunk = (text: string, atMs: number, sent: 'never' | 'taken' = 'never') => {
      return { data: Buffer.from(`${text}\n`), metrics: 1, atMs, sent };
    };
    const all = merged([chunk('a', 2), chunk('b', 1), chunk('c', 3, 'taken'), chunk('d', 4)]);
    expect(all.map(({ data, metrics, atMs, sent }) => [data.toString(), metrics, atMs, sent])).toEqual([
      ['a\nb\n', 2, 1, 'never'],
      ['c\n', 1, 3, 'taken'],
      ['d\n', 1, 4, 'never'],
    ]);
    const large = { ...chunk('x', 1), data: Buffer.alloc(MAX_CHUNK_BYTES, 'x\n') };
    expect(merged([chunk('a', 1), large, chunk('b', 1)])).toHaveLength(3);
  });
});

describe('options', () => {
  const parse = (over: Record<string, unknown>) => carbonSinkOptions.safeParse({ type: 'carbon', ...over });
  const complaint = (over: Record<string, unknown>): string => {
    const { error } = parse(over);
    return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') ?? 'none';
  };

  it('have defaults', () => {
    expect(parse({}).data).toMatchObject({
      destinations: ['127.0.0.1:2003'],
      ...{ mode: 'all', tls: false, tags: 'none', counters: 'totals' },
      ...{ maxBytes: 2 ** 30, maxAge: 7 * 86_400_000, resend: 60_000 },
    });
  });

  it('take names and addresses with ports', () => {
    expect(endpointOf('carbon.example:2003')).toMatchObject({ host: 'carbon.example', port: 2003 });
    expect(endpointOf('[2001:db8::1]:2003')).toMatchObject({ host: '2001:db8::1', port: 2003 });
    for (const wrong of [
      '',
      'host',
      'host:',
      ':2003',
      'host:0',
      'host:65536',
      '::1:2003',
      '[nine]:2003',
      'a b:1',
      'u@h:1',
    ])
      expect(endpointOf(wrong), wrong).toBeUndefined();
  });

  it('refuse what cannot be meant', () => {
    expect(complaint({ destinations: ['host'] })).toBe(
      'destinations.0: expected HOST:PORT, or [ADDRESS]:PORT for IPv6',
    );
    expect(complaint({ destinations: [] })).toContain('destinations');
    expect(complaint({ destinations: ['h:1', 'h:1'] })).toBe('destinations: expected each destination once');
    expect(complaint({ caFile: '/ca.pem' })).toBe('caFile: is used with "tls: true" alone');
    expect(complaint({ tls: true, certFile: '/c.pem' })).toBe(
      'keyFile: expected both certFile and keyFile, or neither',
    );
    expect(complaint({ maxBytes: '12' })).toContain('expected a size with its unit');
    expect(complaint({ resend: '2d' })).toContain('expected a duration from 0ms');
    expect(complaint({ host: 'x' })).toContain('host');
  });
});
