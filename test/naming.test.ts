import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counter, duration, gauge } from '../src/metric.ts';
import { basePath, createNaming, prefixPath, segment, tagged, timerName } from '../src/naming.ts';

const about = { unit: 'bytes', help: 'h', source: 's' };
const sent = counter('sent_bytes', { ...about, labels: ['device', 'class'] });
const plain = gauge('rss_bytes', about);

/** Any text at all, with what breaks StatsD and Graphite lines in most of them. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...':|\n.@#;,=/ \t\r\0~aZ0_-\u2028😀') }),
);

describe('segment', () => {
  it('keeps what is clean', () => {
    expect(segment('vif2_1-A')).toBe('vif2_1-A');
  });

  it('replaces each other character', () => {
    expect(segment('eth1.100')).toBe('eth1_100');
    expect(segment('1:10')).toBe('1_10');
    expect(segment('a b/c|d')).toBe('a_b_c_d');
    expect(segment('\n')).toBe('_');
  });

  it('makes an empty text one underscore', () => {
    expect(segment('')).toBe('_');
  });

  it('is always a clean segment of the same length, over any text', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(segment(text)).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(segment(text)).toHaveLength(Math.max(1, text.length));
        expect(segment(segment(text))).toBe(segment(text));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('paths', () => {
  it('are prefix, target, collector', () => {
    expect(basePath('edge', 'hv01', 'htb')).toBe('edge.hv01.htb');
    expect(basePath('edge.dc1', 'hv01.example.org', 'htb')).toBe('edge.dc1.hv01_example_org.htb');
  });

  it('have no prefix when it is empty', () => {
    expect(prefixPath('')).toBe('');
    expect(basePath('', 'hv01', 'htb')).toBe('hv01.htb');
  });

  it('have a clean prefix', () => {
    expect(prefixPath('a..b c')).toBe('a._.b_c');
  });

  it('have the label values in the order of the catalogue', () => {
    const naming = createNaming('edge.hv01.htb');
    expect(naming.path(sent, { class: 'vif2_1', device: 'eth1' })).toBe('edge.hv01.htb.eth1.vif2_1.sent_bytes');
    expect(naming.entityPath(sent.labels, { class: 'vif2_1', device: 'eth1' })).toBe('edge.hv01.htb.eth1.vif2_1');
    expect(naming.path(plain, {})).toBe('edge.hv01.htb.rss_bytes');
  });

  it('leave a label without value out, and make an empty one an underscore', () => {
    const { path } = createNaming('b');
    expect(path(sent, { device: undefined, class: '1:1' })).toBe('b.1_1.sent_bytes');
    expect(path(sent, { device: 'eth1', class: undefined })).toBe('b.eth1.sent_bytes');
    expect(path(sent, { device: '', class: '' })).toBe('b._._.sent_bytes');
  });

  it('leave labels out that the metric does not declare', () => {
    expect(createNaming('b').path(plain, { device: 'eth1' })).toBe('b.rss_bytes');
  });

  it('do not confuse one labels object with other label names', () => {
    const { path } = createNaming('b');
    const labels = { device: 'eth1', class: 'c1' };
    const byDevice = gauge('up', { ...about, labels: ['device'] });
    expect([path(sent, labels), path(byDevice, labels), path(sent, labels)]).toEqual([
      'b.eth1.c1.sent_bytes',
      'b.eth1.up',
      'b.eth1.c1.sent_bytes',
    ]);
    expect(path(sent, { device: 'eth2', class: 'c1' })).toBe('b.eth2.c1.sent_bytes');
  });

  it('cannot be broken into by a label value', () => {
    fc.assert(
      fc.property(hostile, hostile, (device, name) => {
        const path = createNaming(basePath('edge', name, 'htb')).path(sent, { device, class: name });
        expect(path).toMatch(/^edge(\.[A-Za-z0-9_-]+){4}\.sent_bytes$/);
      }),
    );
  });
});

describe('tags', () => {
  const labels = { device: 'eth1.100', class: '1:10' };

  it('stand behind the name for Graphite', () => {
    expect(tagged('edge.hv01.htb', sent, labels, 'graphite')).toEqual({
      name: 'edge.hv01.htb.sent_bytes;device=eth1_100;class=1_10',
      suffix: '',
    });
  });

  it('stand behind the type for DogStatsD', () => {
    expect(tagged('edge.hv01.htb', sent, labels, 'dogstatsd')).toEqual({
      name: 'edge.hv01.htb.sent_bytes',
      suffix: '|#device:eth1_100,class:1_10',
    });
  });

  it('are left out without value, and none leaves nothing behind', () => {
    const none = { device: undefined, class: undefined };
    expect(tagged('b', sent, none, 'graphite')).toEqual({ name: 'b.sent_bytes', suffix: '' });
    expect(tagged('b', sent, none, 'dogstatsd')).toEqual({ name: 'b.sent_bytes', suffix: '' });
    expect(tagged('b', sent, { device: undefined, class: '' }, 'dogstatsd').suffix).toBe('|#class:_');
    expect(tagged('b', sent, { device: undefined, class: '' }, 'graphite').name).toBe('b.sent_bytes;class=_');
  });

  it('has what identifies nothing in tags alone', () => {
    const metric = counter('sent_bytes', { ...about, labels: ['device'], tags: ['vif', 'ip'] });
    const values = { device: 'eth1', vif: 'vif 2.1', ip: undefined };
    expect(createNaming('b').path(metric, values)).toBe('b.eth1.sent_bytes');
    expect(tagged('b', metric, values, 'graphite').name).toBe('b.sent_bytes;device=eth1;vif=vif_2_1');
    expect(tagged('b', metric, values, 'dogstatsd').suffix).toBe('|#device:eth1,vif:vif_2_1');
  });

  it('cannot be broken into by a label value', () => {
    fc.assert(
      fc.property(hostile, hostile, (device, name) => {
        const values = { device, class: name };
        expect(tagged('b', sent, values, 'graphite').name).toMatch(
          /^b\.sent_bytes;device=[A-Za-z0-9_-]+;class=[A-Za-z0-9_-]+$/,
        );
        expect(tagged('b', sent, values, 'dogstatsd').suffix).toMatch(
          /^\|#device:[A-Za-z0-9_-]+,class:[A-Za-z0-9_-]+$/,
        );
      }),
    );
  });
});

describe('timerName', () => {
  it('says milliseconds, because a StatsD timer is in milliseconds', () => {
    expect(timerName('b.duration_seconds')).toBe('b.duration_milliseconds');
  });

  it('leaves tags and other names alone', () => {
    const took = duration('duration_seconds', { labels: ['job'], help: 'h', source: 's' });
    const { name } = tagged('b', took, { job: 'a_seconds' }, 'graphite');
    expect(timerName(name)).toBe('b.duration_milliseconds;job=a_seconds');
    expect(timerName('b.seconds_ago')).toBe('b.seconds_ago');
    expect(timerName('b_seconds.latency')).toBe('b_seconds.latency');
  });
});
