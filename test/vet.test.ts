import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { counter, gauge, type Metric, ratio, type Sample, sample } from '../src/metric.ts';
import { createNaming } from '../src/naming.ts';
import { createClaims, vet } from '../src/vet.ts';

const about = { unit: 'bytes', labels: ['device'], help: 'h', source: 's' } as const;
const level = gauge('backlog_bytes', about);
const sent = counter('sent_bytes', about);
const share = ratio('sent_ratio', { numerator: sent, denominator: [sent], help: 'h' });
const naming = createNaming('b');

/** A sample as a plugin makes it that no compiler has seen. */
function untyped(metric: Metric, value: unknown, labels: unknown = { device: 'd' }): Sample {
  return { metric, value, labels } as Sample;
}

function vetted(samples: readonly Sample[], claims = createClaims(), job = 'j@t') {
  const { named, problems } = vet(samples, naming, claims, job);
  for (const problem of problems) {
    expect(problem).toBeInstanceOf(Failure);
    expect(problem.code).toBe('E_SAMPLE');
  }
  return {
    paths: named.map(({ path }) => path),
    told: problems.map(({ message }) => message),
    series: problems.map(({ evidence }) => evidence.series),
    named,
    problems,
  };
}

describe('numbers', () => {
  it.each([
    [level, Number.NaN, 'b.d.backlog_bytes: NaN is not finite'],
    [level, Number.POSITIVE_INFINITY, 'b.d.backlog_bytes: Infinity is not finite'],
    [sent, Number.NEGATIVE_INFINITY, 'b.d.sent_bytes: -Infinity is not finite'],
    [sent, -1, 'b.d.sent_bytes: -1 is no total'],
    [sent, -1n, 'b.d.sent_bytes: -1 is no total'],
    [share, 0.5, 'b.d.sent_ratio: a ratio is computed, not sampled'],
    [level, '17', 'b.d.backlog_bytes: a string is not a number'],
    [level, null, 'b.d.backlog_bytes: a object is not a number'],
    [level, undefined, 'b.d.backlog_bytes: a undefined is not a number'],
  ])('of %o: %s is refused', (metric, value, message) => {
    const { paths, told, series } = vetted([untyped(metric, value), sample(level, 1, { device: 'other' })]);
    expect(told).toEqual([message]);
    expect(series).toEqual([`b.d.${metric.name}`]);
    expect(paths).toEqual(['b.other.backlog_bytes']);
  });

  it('that can be sent pass as they are', () => {
    const samples = [
      sample(level, -5, { device: 'a' }),
      sample(level, 0.25, { device: 'b' }),
      sample(sent, 2n ** 64n - 1n, { device: 'a' }),
      sample(sent, 0, { device: 'b' }),
      sample(level, -(2n ** 63n), { device: 'c' }),
    ];
    const { named, told } = vetted(samples);
    expect(named.map((one) => one.sample)).toEqual(samples);
    expect(told).toEqual([]);
  });

  it('that are refused leave their series to a sound one', () => {
    const samples = [sample(level, Number.NaN, { device: 'd' }), sample(level, 7, { device: 'd' })];
    for (const order of [samples, samples.toReversed()]) {
      const { named, told } = vetted(order);
      expect(named.map((one) => one.sample.value)).toEqual([7]);
      expect(told).toEqual(['b.d.backlog_bytes: NaN is not finite']);
    }
  });
});

describe('what an untyped plugin returns', () => {
  it('is refused when a label is no text', () => {
    const { paths, told } = vetted([
      untyped(level, 1, { device: 1.5 }),
      untyped(sent, 1, { device: { toString: 1 } }),
      sample(level, 2, { device: 'ok' }),
    ]);
    expect(told).toEqual([
      'backlog_bytes: label device is a number; expected a text',
      'sent_bytes: label device is a object; expected a text',
    ]);
    expect(paths).toEqual(['b.ok.backlog_bytes']);
  });

  it('is refused without labels, or with a metric that declares none', () => {
    const bare = { name: 'bare', kind: 'gauge', unit: 'x', help: '', source: '' } as unknown as Metric;
    const { paths, told } = vetted([untyped(level, 1, null), untyped(bare, 1)]);
    expect(told).toEqual([
      'backlog_bytes: its labels are null; make samples with sample()',
      'bare: its metric has no list of labels; make metrics with gauge() or counter()',
    ]);
    expect(paths).toEqual([]);
  });
});

describe('two claims to one series', () => {
  const dotted = sample(level, 1, { device: 'eth1.1' });
  const scored = sample(level, 2, { device: 'eth1_1' });
  const other = sample(level, 3, { device: 'eth2' });

  it('in one run drop both, whatever their order', () => {
    for (const order of [
      [dotted, scored, other],
      [scored, dotted, other],
      [other, scored, dotted],
    ]) {
      expect(vetted(order).paths).toEqual(['b.eth2.backlog_bytes']);
    }
  });

  it('are named with both their labels', () => {
    const { told, series } = vetted([dotted, other, scored]);
    expect(told).toEqual([
      'b.eth1_1.backlog_bytes: backlog_bytes{"device":"eth1.1"} and backlog_bytes{"device":"eth1_1"} ' +
        'both make this series; neither is sent',
    ]);
    expect(series).toEqual(['b.eth1_1.backlog_bytes']);
  });

  it('are one problem even when three meet', () => {
    const third = sample(level, 4, { device: 'eth1:1' });
    const { paths, told } = vetted([dotted, scored, third]);
    expect(paths).toEqual([]);
    expect(told).toHaveLength(1);
  });

  it('are none when the same job makes it again in its next run', () => {
    const claims = createClaims();
    expect(vetted([dotted], claims).told).toEqual([]);
    expect(vetted([dotted], claims).paths).toEqual(['b.eth1_1.backlog_bytes']);
    // Another sample of the same job may take it over once the first is gone.
    expect(vetted([scored], claims).paths).toEqual(['b.eth1_1.backlog_bytes']);
  });

  it('are named as they stand in the run in which they meet', () => {
    const claims = createClaims();
    vetted([dotted, other], claims);
    expect(vetted([other, dotted, scored], claims).told).toEqual([
      'b.eth1_1.backlog_bytes: backlog_bytes{"device":"eth1.1"} and backlog_bytes{"device":"eth1_1"} ' +
        'both make this series; neither is sent',
    ]);
  });

  it('end with the run in which only one is left', () => {
    const claims = createClaims();
    expect(vetted([dotted, scored], claims).paths).toEqual([]);
    expect(vetted([scored], claims).paths).toEqual(['b.eth1_1.backlog_bytes']);
  });

  it('leave no claim behind', () => {
    const claims = createClaims();
    vetted([dotted, scored, other], claims);
    expect(claims.size).toBe(1);
    expect(vetted([scored], claims, 'k@t').paths).toEqual(['b.eth1_1.backlog_bytes']);
  });
});

describe('a series of another job', () => {
  const one = sample(level, 1, { device: 'd' });

  it('stays with the job that had it first', () => {
    const claims = createClaims();
    expect(vetted([one], claims, 'a@t').paths).toEqual(['b.d.backlog_bytes']);
    const second = vetted([one, sample(level, 1, { device: 'e' })], claims, 'b@t');
    expect(second.paths).toEqual(['b.e.backlog_bytes']);
    expect(second.told).toEqual(['b.d.backlog_bytes: job a@t already sends it; give one of the jobs other options']);
    expect(vetted([one], claims, 'a@t').paths).toEqual(['b.d.backlog_bytes']);
  });

  it('is not taken by a sample that only feeds ratios', () => {
    const claims = createClaims();
    expect(vetted([{ ...one, quiet: true }], claims, 'a@t').paths).toEqual(['b.d.backlog_bytes']);
    expect(vetted([one], claims, 'b@t').paths).toEqual(['b.d.backlog_bytes']);
    expect(vetted([{ ...one, quiet: true }], claims, 'a@t').told).toEqual([]);
  });

  it('is free once its own job has released it', () => {
    const claims = createClaims();
    vetted([one], claims, 'a@t');
    expect(claims.size).toBe(1);
    claims.release('b.d.backlog_bytes', 'b@t');
    expect(claims.size).toBe(1);
    claims.release('b.d.backlog_bytes', 'a@t');
    expect(claims.size).toBe(0);
    expect(vetted([one], claims, 'b@t').paths).toEqual(['b.d.backlog_bytes']);
  });
});

describe('problems', () => {
  it('of one kind are told apart up to five, and the rest counted', () => {
    const bad = Array.from({ length: 100 }, (_, index) => sample(level, Number.NaN, { device: `d${index}` }));
    const { told, problems } = vetted(bad);
    expect(told.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((n) => `b.d${n}.backlog_bytes: NaN is not finite`));
    expect(told.slice(5)).toEqual(['95 more series are not sent for the same kind of reason']);
    // The summary names no series and no labels, so it covers all that it does not name.
    expect(problems[5]?.evidence).toEqual({ count: 95, series: '' });
  });

  it('of both kinds are bounded each', () => {
    const bad = Array.from({ length: 20 }, (_, index) => sample(sent, -1, { device: `d${index}` }));
    const twice = Array.from({ length: 20 }, (_, index) => sample(level, 1, { device: `d${index % 10}` }));
    const { paths, told } = vetted([...bad, ...twice]);
    expect(paths).toEqual([]);
    expect(told.filter((text) => text.startsWith('b.'))).toHaveLength(10);
    expect(told.filter((text) => text.includes('more series'))).toEqual([
      '15 more series are not sent for the same kind of reason',
      '5 more series are not sent for the same kind of reason',
    ]);
  });

  it('are none where there is nothing to say', () => {
    expect(vetted([]).told).toEqual([]);
  });
});

it('two things of one name are not mixed: what only one of them has is not sent either', () => {
  const one = [sample(level, 1, { device: 'a:b' })];
  const other = [sample(level, 2, { device: 'a|b' }), sample(sent, 3, { device: 'a|b' })];
  const alone = sample(sent, 4, { device: 'c' });
  for (const samples of [
    [...one, ...other, alone],
    [...[...other].reverse(), ...one, alone],
  ]) {
    const { paths, told } = vetted(samples);
    expect(paths).toEqual(['b.c.sent_bytes']);
    expect(told.join()).toContain('b.a_b.sent_bytes: sent_bytes{"device":"a|b"} and another thing have one name');
  }
  // The same sample twice is no other thing.
  const twice = vetted([
    sample(level, 1, { device: 'd' }),
    sample(level, 2, { device: 'd' }),
    sample(sent, 3, { device: 'd' }),
  ]);
  expect(twice.paths).toEqual(['b.d.sent_bytes']);
});
