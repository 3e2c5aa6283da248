import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { counter, duration, gauge, type Metric, ratio, type Sample, sample } from '../src/metric.ts';
import { createNaming } from '../src/naming.ts';
import type { Point } from '../src/point.ts';
import { createTotals } from '../src/totals.ts';

const about = { unit: 'x', labels: ['device'], help: 'h', source: 's' } as const;
const bytes = counter('sent_bytes', about);
const received = counter('received_bytes', about);
const packets = counter('sent_packets', { ...about, bits: 32 });
const drops = counter('dropped_packets', { ...about, bits: 32 });
const backlog = gauge('backlog_bytes', about);
const ceil = gauge('ceil_bits_per_second', about);
const took = duration('took_seconds', about);
const dropRatio = ratio('drop_ratio', { numerator: drops, denominator: [drops, packets], help: 'h' });
const utilisation = ratio('utilisation_ratio', { numerator: bytes, denominator: [ceil], factor: 8, help: 'h' });

type Values = Readonly<Record<string, number | undefined>>;

interface Rest {
  readonly problems?: readonly Failure[];
  readonly ratios?: readonly Metric[];
  /** When it was read; default: ten seconds after the reading before. */
  readonly readAtMs?: number;
}

/** A job's totals, with samples as `sample` makes them and points as `device.metric → value`. */
function job(options: { readonly startsFromZero?: boolean; readonly ratios?: readonly Metric[] } = {}) {
  const naming = createNaming('b');
  const forgotten: string[] = [];
  const totals = createTotals(naming, {
    startsFromZero: options.startsFromZero ?? false,
    onForget: (path) => forgotten.push(path),
  });
  let nowMs = 0;
  const short = (path: string): string => path.replace(/^b\./, '');
  const points = (samples: readonly Sample[], rest: Rest = {}): Point[] => {
    nowMs = rest.readAtMs ?? nowMs + 10_000;
    return totals.apply({
      named: samples.map((one) => ({ path: naming.path(one.metric, one.labels), sample: one })),
      problems: rest.problems ?? [],
      ratios: rest.ratios ?? options.ratios ?? [],
      readAtMs: nowMs,
    });
  };
  const valuesOf = (all: readonly Point[]): Values => {
    const values = Object.fromEntries(all.map(({ path, value }) => [short(path), value]));
    // No series may be sent twice in one run.
    expect(Object.keys(values)).toHaveLength(all.length);
    return values;
  };
  return {
    totals,
    points,
    run: (samples: readonly Sample[], rest?: Rest): Values => valuesOf(points(samples, rest)),
    retire: (): Values => valuesOf(totals.retire()),
    forgotten: () => forgotten.map(short),
  };
}

const on = (device: string) => ({ device });
const eth1 = on('eth1');
const problem = (evidence: ConstructorParameters<typeof Failure>[2] = {}) =>
  new Failure('E_PARSE', 'unknown', evidence);

describe('first sight', () => {
  it('of a counter sends nothing, and the next run its increment', () => {
    const { run } = job();
    expect(run([sample(bytes, 1_000_000, eth1)])).toEqual({ 'eth1.sent_bytes': undefined });
    expect(run([sample(bytes, 1_000_700, eth1)])).toEqual({ 'eth1.sent_bytes': 700 });
    expect(run([sample(bytes, 1_000_700, eth1)])).toEqual({ 'eth1.sent_bytes': 0 });
  });

  it('of a gauge and of a duration sends the value', () => {
    expect(job().run([sample(backlog, -5, eth1), sample(took, 0.25, eth1)])).toEqual({
      'eth1.backlog_bytes': -5,
      'eth1.took_seconds': 0.25,
    });
  });

  it('tells the total beside the increment, of counters alone', () => {
    const { points } = job();
    const [first, level] = points([sample(bytes, 7n, eth1), sample(backlog, 1, eth1)]);
    expect(first).toEqual({
      path: 'b.eth1.sent_bytes',
      base: 'b',
      metric: bytes,
      labels: eth1,
      value: undefined,
      total: 7n,
    });
    expect(level).toEqual({ path: 'b.eth1.backlog_bytes', base: 'b', metric: backlog, labels: eth1, value: 1 });
  });

  it('of an entity after the first run starts from zero', () => {
    const { run } = job();
    run([sample(bytes, 100, eth1)]);
    expect(run([sample(bytes, 150, eth1), sample(bytes, 30, on('tap2')), sample(packets, 3, on('tap2'))])).toEqual({
      'eth1.sent_bytes': 50,
      'tap2.sent_bytes': 30,
      'tap2.sent_packets': 3,
    });
    expect(run([sample(bytes, 150, eth1), sample(bytes, 31, on('tap2')), sample(packets, 3, on('tap2'))])).toEqual({
      'eth1.sent_bytes': 0,
      'tap2.sent_bytes': 1,
      'tap2.sent_packets': 0,
    });
  });

  it('starts from zero after a first run that was empty, because that run saw all there was', () => {
    const { run } = job();
    expect(run([])).toEqual({});
    expect(run([sample(bytes, 30, eth1)])).toEqual({ 'eth1.sent_bytes': 30 });
  });

  it('of a new metric on a known entity stays silent', () => {
    const { run } = job();
    run([sample(backlog, 0, eth1)]);
    expect(run([sample(backlog, 0, eth1), sample(bytes, 5000, eth1)])).toEqual({
      'eth1.backlog_bytes': 0,
      'eth1.sent_bytes': undefined,
    });
    expect(run([sample(backlog, 0, eth1), sample(bytes, 5001, eth1)])).toMatchObject({ 'eth1.sent_bytes': 1 });
  });

  it('of a new metric stays silent even on an entity that started from zero itself', () => {
    const { run } = job();
    run([]);
    expect(run([sample(bytes, 30, eth1)])).toEqual({ 'eth1.sent_bytes': 30 });
    expect(run([sample(bytes, 31, eth1), sample(received, 900, eth1)])).toEqual({
      'eth1.sent_bytes': 1,
      'eth1.received_bytes': undefined,
    });
  });

  it('starts from zero at once for what begins with the daemon (startsFromZero)', () => {
    const { run } = job({ startsFromZero: true });
    expect(run([sample(bytes, 30, eth1)])).toEqual({ 'eth1.sent_bytes': 30 });
  });

  it('after other options were given (rebase) stays silent, once', () => {
    const { run, totals } = job();
    run([sample(bytes, 100, eth1)]);
    totals.rebase();
    expect(run([sample(bytes, 101, eth1), sample(bytes, 8000, on('old'))])).toEqual({
      'eth1.sent_bytes': 1,
      'old.sent_bytes': undefined,
    });
    expect(run([sample(bytes, 101, eth1), sample(bytes, 8001, on('old')), sample(bytes, 9, on('new'))])).toEqual({
      'eth1.sent_bytes': 0,
      'old.sent_bytes': 1,
      'new.sent_bytes': 9,
    });
  });
});

describe('what a point tells beside its value', () => {
  it('is the time in which a counter’s increment came about, where there is one', () => {
    const { points } = job();
    const elapsed = (samples: readonly Sample[], readAtMs: number) =>
      points(samples, { readAtMs }).map(({ elapsedSeconds }) => elapsedSeconds);
    expect(elapsed([sample(bytes, 7, eth1), sample(backlog, 1, eth1)], 10_000)).toEqual([undefined, undefined]);
    expect(elapsed([sample(bytes, 9, eth1), sample(backlog, 1, eth1)], 22_500)).toEqual([12.5, undefined]);
    // Since the run in which it would have been seen.
    expect(elapsed([sample(bytes, 9, on('new'))], 30_000)[0]).toBe(7.5);
    // It was created anew: of what it counted nothing is known.
    expect(elapsed([sample(bytes, 2, on('new'))], 40_000)).toEqual([undefined]);
    expect(elapsed([sample(bytes, 3, on('new'))], 50_000)).toEqual([10]);
  });

  it('is the source’s own time where it tells, and nothing where that stood still', () => {
    const { points } = job();
    const at = (total: number, countedAtMs: number, readAtMs: number) =>
      points([{ ...sample(bytes, total, eth1), countedAtMs }], { readAtMs })[0]?.elapsedSeconds;
    expect(at(1, 5000, 10_000)).toBeUndefined();
    expect(at(2, 10_000, 20_000)).toBe(5);
    expect(at(2, 10_000, 30_000)).toBeUndefined();
  });

  it('is that the series ends, with the last 0 alone', () => {
    const { points, totals } = job();
    const ends = (all: readonly Point[]) => all.map(({ path, value, ends: isEnd }) => [path, value, isEnd]);
    expect(ends(points([sample(backlog, 0, eth1), sample(backlog, 5, on('eth2'))]))).toEqual([
      ['b.eth1.backlog_bytes', 0, undefined],
      ['b.eth2.backlog_bytes', 5, undefined],
    ]);
    expect(ends(points([sample(backlog, 0, eth1)]))).toEqual([
      ['b.eth1.backlog_bytes', 0, undefined],
      ['b.eth2.backlog_bytes', 0, true],
    ]);
    expect(ends(totals.retire())).toEqual([['b.eth1.backlog_bytes', 0, true]]);
  });
});

describe('first sight right after a problem', () => {
  it.each([
    ['without labels', {}],
    ['with its labels', { labels: { device: 'eth1' } }],
    ['with its series', { series: 'b.eth1.sent_bytes' }],
  ])('%s does not start from zero', (_, evidence) => {
    const { run } = job();
    run([sample(bytes, 1, on('other'))], { problems: [problem(evidence)] });
    expect(run([sample(bytes, 1, on('other')), sample(bytes, 7000, eth1)])).toEqual({
      'other.sent_bytes': 0,
      'eth1.sent_bytes': undefined,
    });
    expect(run([sample(bytes, 1, on('other')), sample(bytes, 7002, eth1)])).toMatchObject({ 'eth1.sent_bytes': 2 });
  });

  it('that concerned something else starts from zero', () => {
    const { run } = job();
    run([], { problems: [problem({ labels: { device: 'eth2' } }), problem({ series: 'b.eth1.received_bytes' })] });
    expect(run([sample(bytes, 7, eth1), sample(received, 7, eth1)])).toEqual({
      'eth1.sent_bytes': 7,
      'eth1.received_bytes': undefined,
    });
  });

  it('that has been gone for a run starts from zero', () => {
    const { run } = job();
    run([], { problems: [problem()] });
    run([]);
    expect(run([sample(bytes, 7, eth1)])).toEqual({ 'eth1.sent_bytes': 7 });
  });
});

describe('a 32-bit counter that went down', () => {
  const near = 2 ** 32 - 10;

  it('while a 64-bit sibling went up has wrapped', () => {
    const { run } = job();
    run([sample(packets, near, eth1), sample(bytes, 1000, eth1)]);
    expect(run([sample(packets, 5, eth1), sample(bytes, 2000, eth1)])).toEqual({
      'eth1.sent_packets': 15,
      'eth1.sent_bytes': 1000,
    });
    expect(run([sample(packets, 6, eth1), sample(bytes, 2001, eth1)])).toMatchObject({ 'eth1.sent_packets': 1 });
  });

  it('has wrapped whatever the order of the samples, and beside another that wrapped', () => {
    const { run } = job();
    run([sample(packets, near, eth1), sample(drops, near + 1, eth1), sample(bytes, 1000, eth1)]);
    expect(run([sample(drops, 0, eth1), sample(bytes, 1001, eth1), sample(packets, 0, eth1)])).toEqual({
      'eth1.dropped_packets': 9,
      'eth1.sent_packets': 10,
      'eth1.sent_bytes': 1,
    });
  });

  it('without 64-bit siblings belongs to a re-created entity', () => {
    const { run } = job();
    run([sample(packets, near, eth1), sample(drops, 5, eth1)]);
    expect(run([sample(packets, 5, eth1), sample(drops, 6, eth1)])).toEqual({
      'eth1.sent_packets': undefined,
      'eth1.dropped_packets': undefined,
    });
    expect(run([sample(packets, 7, eth1), sample(drops, 6, eth1)])).toEqual({
      'eth1.sent_packets': 2,
      'eth1.dropped_packets': 0,
    });
  });

  it('while its 64-bit siblings stood still belongs to a re-created entity', () => {
    const { run } = job();
    run([sample(packets, near, eth1), sample(bytes, 0, eth1)]);
    expect(run([sample(packets, 5, eth1), sample(bytes, 0, eth1)])).toEqual({
      'eth1.sent_packets': undefined,
      'eth1.sent_bytes': undefined,
    });
  });

  it('while a 64-bit counter of another entity went up belongs to a re-created entity', () => {
    const { run } = job();
    run([sample(packets, near, eth1), sample(bytes, 1, on('eth2'))]);
    expect(run([sample(packets, 5, eth1), sample(bytes, 9, on('eth2'))])).toEqual({
      'eth1.sent_packets': undefined,
      'eth2.sent_bytes': 8,
    });
  });

  it('while a 64-bit sibling went down too belongs to a re-created entity, whatever went up', () => {
    const { run } = job();
    run([sample(packets, near, eth1), sample(bytes, 1000, eth1), sample(received, 1, eth1)]);
    expect(run([sample(packets, 5, eth1), sample(bytes, 3, eth1), sample(received, 2, eth1)])).toEqual({
      'eth1.sent_packets': undefined,
      'eth1.sent_bytes': undefined,
      'eth1.received_bytes': undefined,
    });
  });

  it('by less than half of its range has not wrapped (more than 2^31 in one interval)', () => {
    const step = (before: number, after: number): number | undefined => {
      const { run } = job();
      run([sample(packets, before, eth1), sample(bytes, 1000, eth1)]);
      return run([sample(packets, after, eth1), sample(bytes, 2000, eth1)])['eth1.sent_packets'];
    };
    expect(step(2 ** 31 + 1, 0)).toBe(2 ** 31 - 1);
    expect(step(2 ** 31, 0)).toBeUndefined();
    expect(step(1000, 999)).toBeUndefined();
  });

  it('takes the sibling’s increment with it when it has not wrapped', () => {
    const { run } = job();
    run([sample(packets, 1000, eth1), sample(bytes, 1000, eth1)]);
    expect(run([sample(packets, 1, eth1), sample(bytes, 1500, eth1)])).toEqual({
      'eth1.sent_packets': undefined,
      'eth1.sent_bytes': undefined,
    });
  });
});

describe('a 64-bit counter that went down', () => {
  it('restarts all counters of its entity and sends nothing, and no other entity is touched', () => {
    const { run } = job();
    run([
      sample(bytes, 1000, eth1),
      sample(received, 10, eth1),
      sample(packets, 4, eth1),
      sample(bytes, 5, on('eth2')),
    ]);
    expect(
      run([
        sample(bytes, 10, eth1),
        sample(received, 500, eth1),
        sample(packets, 9, eth1),
        sample(backlog, 3, eth1),
        sample(bytes, 6, on('eth2')),
      ]),
    ).toEqual({
      'eth1.sent_bytes': undefined,
      'eth1.received_bytes': undefined,
      'eth1.sent_packets': undefined,
      'eth1.backlog_bytes': 3,
      'eth2.sent_bytes': 1,
    });
    expect(run([sample(bytes, 12, eth1), sample(received, 503, eth1), sample(packets, 13, eth1)])).toMatchObject({
      'eth1.sent_bytes': 2,
      'eth1.received_bytes': 3,
      'eth1.sent_packets': 4,
    });
  });

  it('leaves counters alone that have the same device but other labels', () => {
    const perClass = counter('class_bytes', { ...about, labels: ['device', 'class'] });
    const { run } = job();
    const labels = { device: 'eth1', class: 'c' };
    run([sample(bytes, 1000, eth1), sample(perClass, 10, labels)]);
    expect(run([sample(bytes, 0, eth1), sample(perClass, 15, labels)])).toEqual({
      'eth1.sent_bytes': undefined,
      'eth1.c.class_bytes': 5,
    });
  });

  it('by one above 2^53 is seen', () => {
    const { run } = job();
    run([sample(bytes, 2n ** 63n + 1n, eth1)]);
    expect(run([sample(bytes, 2n ** 63n, eth1)])).toEqual({ 'eth1.sent_bytes': undefined });
  });

  it('has not wrapped, even where a 32-bit counter would have', () => {
    const { run } = job();
    run([sample(bytes, 2 ** 32 - 10, eth1), sample(received, 10, eth1)]);
    expect(run([sample(bytes, 5, eth1), sample(received, 20, eth1)])).toEqual({
      'eth1.sent_bytes': undefined,
      'eth1.received_bytes': undefined,
    });
  });

  it('restarts a sibling too that could not be read in that run', () => {
    const { run } = job();
    run([sample(bytes, 1000, eth1), sample(received, 10, eth1)]);
    const refused = problem({ series: 'b.eth1.received_bytes' });
    expect(run([sample(bytes, 0, eth1)], { problems: [refused] })).toEqual({ 'eth1.sent_bytes': undefined });
    // 700 belongs to the new entity: it is no increment over the 10 of the old one.
    expect(run([sample(bytes, 5, eth1), sample(received, 700, eth1)])).toEqual({
      'eth1.sent_bytes': 5,
      'eth1.received_bytes': undefined,
    });
    expect(run([sample(bytes, 5, eth1), sample(received, 701, eth1)])).toMatchObject({ 'eth1.received_bytes': 1 });
  });

  it('restarts quiet counters too, so that no ratio is made of two entities', () => {
    const quiet = (metric: Metric, value: number): Sample => ({ metric, value, labels: eth1, quiet: true });
    const { run } = job({ ratios: [dropRatio] });
    run([sample(bytes, 1000, eth1), quiet(drops, 1), quiet(packets, 1)]);
    expect(run([sample(bytes, 0, eth1), quiet(drops, 51), quiet(packets, 51)])).toEqual({
      'eth1.sent_bytes': undefined,
    });
    expect(run([sample(bytes, 0, eth1), quiet(drops, 52), quiet(packets, 54)])).toEqual({
      'eth1.sent_bytes': 0,
      'eth1.drop_ratio': 0.25,
    });
  });
});

describe('increments', () => {
  it('are never negative, whatever the totals', () => {
    const total = fc.oneof(
      fc.nat(),
      fc.double({ min: 0, max: 2 ** 60, noNaN: true }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    );
    const reading = fc.record({ bytes: total, packets: total, drops: total }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 20 }), (readings) => {
        const { points } = job({ ratios: [dropRatio] });
        for (const one of readings) {
          const samples = [
            ...(one.packets === undefined ? [] : [sample(packets, one.packets, eth1)]),
            ...(one.bytes === undefined ? [] : [sample(bytes, one.bytes, eth1)]),
            ...(one.drops === undefined ? [] : [sample(drops, one.drops, eth1)]),
          ];
          for (const { value } of points(samples)) {
            expect(value === undefined || (value >= 0 && Number.isFinite(value))).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('of totals above 2^53 are exact', () => {
    const start = fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n });
    const steps = fc.array(fc.nat({ max: 1_000_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(start, steps, (first, all) => {
        const { run } = job();
        let total = first;
        run([sample(bytes, total, eth1)]);
        for (const step of all) {
          total += BigInt(step);
          expect(run([sample(bytes, total, eth1)])).toEqual({ 'eth1.sent_bytes': step });
        }
      }),
    );
  });

  it('are exact where a total passes 2^53', () => {
    const { run } = job();
    run([sample(bytes, 2 ** 53 - 1, eth1)]);
    expect(run([sample(bytes, 2n ** 53n + 4n, eth1)])).toEqual({ 'eth1.sent_bytes': 5 });
  });

  it('add up to what was counted, however it was read', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { minLength: 2 }), (steps) => {
        const { run } = job();
        run([]);
        let total = 0;
        let sent = 0;
        for (const step of steps) {
          total += step;
          // The 64-bit sibling goes up, so each fall of the 32-bit counter is a wrap.
          const seen = run([sample(bytes, 1 + total * 100, eth1), sample(packets, total % 2 ** 32, eth1)]);
          sent += seen['eth1.sent_packets'] ?? Number.NaN;
          expect(sent).toBe(total);
        }
      }),
    );
  });
});

describe('a series that vanished', () => {
  it('gets exactly one final 0 when it is a gauge, and is forgotten', () => {
    const { run, totals, forgotten } = job();
    run([sample(backlog, 9, eth1), sample(backlog, 1, on('eth2'))]);
    expect(run([sample(backlog, 1, on('eth2'))])).toEqual({ 'eth1.backlog_bytes': 0, 'eth2.backlog_bytes': 1 });
    expect(totals.size).toBe(1);
    expect(forgotten()).toEqual(['eth1.backlog_bytes']);
    expect(run([sample(backlog, 1, on('eth2'))])).toEqual({ 'eth2.backlog_bytes': 1 });
    expect(forgotten()).toEqual(['eth1.backlog_bytes']);
  });

  it('gets nothing more when it is a counter or a duration, and is forgotten', () => {
    const { run, totals, forgotten } = job();
    run([sample(bytes, 9, eth1), sample(took, 1, eth1)]);
    run([sample(bytes, 10, eth1), sample(took, 1, eth1)]);
    expect(run([])).toEqual({});
    expect(totals.size).toBe(0);
    expect(forgotten().toSorted()).toEqual(['eth1.sent_bytes', 'eth1.took_seconds']);
  });

  it('starts again when it comes back, as a new entity', () => {
    const { run } = job();
    run([sample(bytes, 900, eth1), sample(backlog, 4, eth1)]);
    run([]);
    expect(run([sample(bytes, 30, eth1), sample(backlog, 5, eth1)])).toEqual({
      'eth1.sent_bytes': 30,
      'eth1.backlog_bytes': 5,
    });
  });

  it('leaves nothing behind, however many come and go', () => {
    const { run, totals, forgotten } = job({ ratios: [dropRatio, utilisation] });
    for (let turn = 0; turn < 200; turn++) {
      const device = on(`tap${turn}`);
      run([
        sample(bytes, turn, device),
        sample(ceil, 1000, device),
        sample(drops, 1, device),
        sample(packets, 9, device),
      ]);
      expect(totals.size).toBeLessThanOrEqual(6);
    }
    run([]);
    expect(totals.size).toBe(0);
    expect(new Set(forgotten()).size).toBe(forgotten().length);
  });
});

describe('behind a problem, what is missing is unknown and not vanished', () => {
  const both = [sample(backlog, 9, eth1), sample(bytes, 100, eth1), sample(backlog, 9, on('eth2'))];

  it('for everything, when the problem has no labels', () => {
    const { run, totals, forgotten } = job();
    run(both);
    expect(run([], { problems: [problem()] })).toEqual({});
    expect(run([], { problems: [problem({ labels: {} })] })).toEqual({});
    expect(totals.size).toBe(3);
    expect(forgotten()).toEqual([]);
    expect(run([sample(bytes, 150, eth1), ...both.filter(({ metric }) => metric === backlog)])).toEqual({
      'eth1.sent_bytes': 50,
      'eth1.backlog_bytes': 9,
      'eth2.backlog_bytes': 9,
    });
  });

  it('for the entities alone that have its labels', () => {
    const { run, forgotten } = job();
    run(both);
    expect(run([], { problems: [problem({ labels: { device: 'eth1' } })] })).toEqual({ 'eth2.backlog_bytes': 0 });
    expect(forgotten()).toEqual(['eth2.backlog_bytes']);
    expect(run([], { problems: [problem({ labels: { device: 'eth9' } })] })).toEqual({ 'eth1.backlog_bytes': 0 });
  });

  it('for the one series alone that it names, whatever its labels', () => {
    const { run, forgotten } = job();
    run(both);
    const told = problem({ series: 'b.eth1.sent_bytes', labels: {} });
    expect(run([], { problems: [told] })).toEqual({ 'eth1.backlog_bytes': 0, 'eth2.backlog_bytes': 0 });
    expect(forgotten().toSorted()).toEqual(['eth1.backlog_bytes', 'eth2.backlog_bytes']);
    expect(run([sample(bytes, 101, eth1)])).toEqual({ 'eth1.sent_bytes': 1 });
  });

  it('for 60 runs, and no longer', () => {
    const { run, totals } = job();
    run([sample(backlog, 9, eth1)]);
    for (let turn = 1; turn <= 60; turn++) expect(run([], { problems: [problem()] })).toEqual({});
    expect(totals.size).toBe(1);
    expect(run([], { problems: [problem()] })).toEqual({ 'eth1.backlog_bytes': 0 });
    expect(totals.size).toBe(0);
    expect(run([], { problems: [problem()] })).toEqual({});
  });

  it('for 60 runs again, once it has been seen in between', () => {
    const { run, totals } = job();
    for (let turn = 0; turn < 3; turn++) {
      run([sample(backlog, 9, eth1)]);
      for (let held = 0; held < 60; held++) expect(run([], { problems: [problem()] })).toEqual({});
    }
    expect(totals.size).toBe(1);
  });

  it('and what is there is sent all the same', () => {
    const { run } = job();
    run(both);
    expect(run([sample(bytes, 101, eth1)], { problems: [problem()] })).toEqual({ 'eth1.sent_bytes': 1 });
  });

  it('and what was held longer than that does not start from zero when it is back', () => {
    const { run } = job();
    run([sample(bytes, 500, eth1)]);
    for (let turn = 0; turn < 70; turn++) run([], { problems: [problem()] });
    expect(run([sample(bytes, 900, eth1)])).toEqual({ 'eth1.sent_bytes': undefined });
  });

  it('for a ratio too, when it is an operand that could not be had', () => {
    const { run } = job({ ratios: [dropRatio] });
    run([sample(drops, 0, eth1), sample(packets, 0, eth1)]);
    expect(run([sample(drops, 1, eth1), sample(packets, 3, eth1)])['eth1.drop_ratio']).toBe(0.25);
    const refused = { problems: [problem({ series: 'b.eth1.sent_packets' })] };
    expect(run([sample(drops, 2, eth1)], refused)).toEqual({ 'eth1.dropped_packets': 1 });
    expect(run([sample(drops, 3, eth1), sample(packets, 6, eth1)])['eth1.drop_ratio']).toBe(0.25);
  });
});

describe('a run that failed', () => {
  it('is not applied, so the next increment spans the gap', () => {
    const { run } = job();
    run([sample(bytes, 100, eth1)], { readAtMs: 0 });
    expect(run([sample(bytes, 400, eth1)], { readAtMs: 30_000 })).toEqual({ 'eth1.sent_bytes': 300 });
  });
});

describe('a job that ends (retire)', () => {
  it('sends a final 0 for gauges and ratios that were sent, and forgets all', () => {
    const { run, retire, totals, forgotten } = job({ ratios: [dropRatio] });
    run([sample(backlog, 9, eth1), sample(drops, 0, eth1), sample(packets, 0, eth1), sample(took, 1, eth1)]);
    run([sample(backlog, 9, eth1), sample(drops, 1, eth1), sample(packets, 1, eth1), sample(took, 1, eth1)]);
    expect(retire()).toEqual({ 'eth1.backlog_bytes': 0, 'eth1.drop_ratio': 0 });
    expect(totals.size).toBe(0);
    expect(forgotten().toSorted()).toEqual([
      'eth1.backlog_bytes',
      'eth1.drop_ratio',
      'eth1.dropped_packets',
      'eth1.sent_packets',
      'eth1.took_seconds',
    ]);
    expect(retire()).toEqual({});
  });
});

describe('ratios', () => {
  const two = (dropped: number, sent: number, device = 'eth1') => [
    sample(drops, dropped, on(device)),
    sample(packets, sent, on(device)),
  ];

  it('of increments divide by the sum of the denominator', () => {
    const { run } = job({ ratios: [dropRatio] });
    expect(run(two(1000, 5000))).not.toHaveProperty(['eth1.drop_ratio']);
    expect(run(two(1001, 5003))['eth1.drop_ratio']).toBe(0.25);
    expect(run(two(1001, 5010))['eth1.drop_ratio']).toBe(0);
  });

  it('are computed for each entity by itself', () => {
    const { run } = job({ ratios: [dropRatio] });
    run([...two(0, 0), ...two(0, 0, 'eth2')]);
    expect(run([...two(1, 1), ...two(1, 9, 'eth2')])).toMatchObject({ 'eth1.drop_ratio': 0.5, 'eth2.drop_ratio': 0.1 });
  });

  it('are computed only when they are wanted', () => {
    const { run } = job();
    run(two(0, 0));
    expect(run(two(1, 1))).not.toHaveProperty(['eth1.drop_ratio']);
    expect(run(two(2, 2), { ratios: [dropRatio] })['eth1.drop_ratio']).toBe(0.5);
  });

  it('of 0 by 0 get one final 0, and then nothing', () => {
    const { run, totals, forgotten } = job({ ratios: [dropRatio] });
    run(two(0, 0));
    expect(run(two(1, 1))['eth1.drop_ratio']).toBe(0.5);
    expect(run(two(1, 1))['eth1.drop_ratio']).toBe(0);
    expect(forgotten()).toEqual(['eth1.drop_ratio']);
    expect(totals.size).toBe(2);
    expect(run(two(1, 1))).not.toHaveProperty(['eth1.drop_ratio']);
    expect(run(two(2, 4))['eth1.drop_ratio']).toBe(0.25);
  });

  it('of 0 by 0 get nothing when they were never sent', () => {
    const { run } = job({ ratios: [dropRatio] });
    run(two(0, 0));
    expect(run(two(0, 0))).not.toHaveProperty(['eth1.drop_ratio']);
  });

  it('that vanish with their entity get one final 0, and are forgotten', () => {
    const { run, totals } = job({ ratios: [dropRatio] });
    run(two(0, 0));
    run(two(1, 1));
    expect(run([])).toEqual({ 'eth1.drop_ratio': 0 });
    expect(totals.size).toBe(0);
    expect(run([])).toEqual({});
  });

  it('that lack an operand get one final 0', () => {
    const { run } = job({ ratios: [dropRatio] });
    run(two(0, 0));
    run(two(1, 1));
    expect(run([sample(drops, 2, eth1)])).toEqual({ 'eth1.dropped_packets': 1, 'eth1.drop_ratio': 0 });
  });

  it('are not made of a numerator that is no longer there', () => {
    const share = ratio('drop_share_ratio', { numerator: drops, denominator: [packets], help: 'h' });
    const { run } = job({ ratios: [share] });
    run(two(0, 0));
    expect(run(two(1, 4))['eth1.drop_share_ratio']).toBe(0.25);
    const refused = { problems: [problem({ series: 'b.eth1.dropped_packets' })] };
    expect(run([sample(packets, 8, eth1)], refused)).toEqual({ 'eth1.sent_packets': 4 });
    expect(run([sample(packets, 12, eth1)])).toEqual({ 'eth1.sent_packets': 4, 'eth1.drop_share_ratio': 0 });
  });

  it('are unknown while their entity is new again, and neither sent nor ended', () => {
    const { run } = job({ ratios: [dropRatio] });
    run(two(10, 10));
    run(two(11, 11));
    expect(run(two(0, 0))).toEqual({ 'eth1.dropped_packets': undefined, 'eth1.sent_packets': undefined });
    expect(run(two(1, 3))['eth1.drop_ratio']).toBe(0.25);
  });

  it('start at once for an entity that started from zero', () => {
    const { run } = job({ ratios: [dropRatio] });
    run([]);
    expect(run(two(1, 3))['eth1.drop_ratio']).toBe(0.25);
  });

  it('are fed by quiet samples, which are not sent', () => {
    const quiet = (one: Sample): Sample => ({ ...one, quiet: true });
    const { run, totals, retire } = job({ ratios: [dropRatio] });
    expect(run(two(0, 0).map(quiet))).toEqual({});
    expect(run(two(1, 3).map(quiet))).toEqual({ 'eth1.drop_ratio': 0.25 });
    expect(totals.size).toBe(3);
    expect(retire()).toEqual({ 'eth1.drop_ratio': 0 });
  });

  it('of quiet gauges leave no final 0 for the gauge', () => {
    const { run } = job({ ratios: [utilisation] });
    const limit: Sample = { ...sample(ceil, 8000, eth1), quiet: true };
    run([sample(bytes, 0, eth1), limit]);
    expect(run([sample(bytes, 5000, eth1), limit])).toEqual({ 'eth1.sent_bytes': 5000, 'eth1.utilisation_ratio': 0.5 });
    expect(run([])).toEqual({ 'eth1.utilisation_ratio': 0 });
  });
});

describe('a rate over a gauge', () => {
  const both = (total: number, limit: number) => [sample(bytes, total, eth1), sample(ceil, limit, eth1)];

  it('takes the factor and the time that really passed between the two readings', () => {
    const { run } = job({ ratios: [utilisation] });
    run(both(1_000_000, 1_000_000), { readAtMs: 500 });
    // 250 000 bytes in 4 s are 500 000 bits per second: half of the limit.
    expect(run(both(1_250_000, 1_000_000), { readAtMs: 4500 })['eth1.utilisation_ratio']).toBe(0.5);
    // The same bytes in 8 s.
    expect(run(both(1_500_000, 1_000_000), { readAtMs: 12_500 })['eth1.utilisation_ratio']).toBe(0.25);
    // The same again, of a limit that was halved.
    expect(run(both(1_750_000, 500_000), { readAtMs: 20_500 })['eth1.utilisation_ratio']).toBe(0.5);
  });

  it('spans the runs in which the counter was unknown', () => {
    const { run } = job({ ratios: [utilisation] });
    run(both(0, 1000), { readAtMs: 0 });
    run([], { readAtMs: 10_000, problems: [problem()] });
    expect(run(both(1000, 1000), { readAtMs: 20_000 })['eth1.utilisation_ratio']).toBe(0.4);
  });

  it('takes the time since the run before for an entity that started from zero', () => {
    const { run } = job({ ratios: [utilisation] });
    run([], { readAtMs: 0 });
    expect(run(both(1000, 1000), { readAtMs: 10_000 })['eth1.utilisation_ratio']).toBe(0.8);
  });

  it('is unknown where no time passed, or none is known', () => {
    const { run } = job({ ratios: [utilisation] });
    run(both(0, 1000), { readAtMs: 100 });
    expect(run(both(10, 1000), { readAtMs: 100 })).not.toHaveProperty(['eth1.utilisation_ratio']);
    const fresh = job({ ratios: [utilisation], startsFromZero: true });
    expect(fresh.run(both(10, 1000))).toEqual({ 'eth1.sent_bytes': 10, 'eth1.ceil_bits_per_second': 1000 });
  });

  it('is not made of a limit of 0', () => {
    const { run } = job({ ratios: [utilisation] });
    run(both(0, 0));
    expect(run(both(10, 0))).not.toHaveProperty(['eth1.utilisation_ratio']);
  });
});

it('begins anew where a name is declared as another kind, as by a reload', () => {
  const asGauge = gauge('requests', about);
  const asCounter = counter('requests', about);
  const { run } = job();
  const at = { device: 'eth0' };
  expect(run([sample(asCounter, 100, at)])).toEqual({ 'eth0.requests': undefined });
  expect(run([sample(asCounter, 150, at)])).toEqual({ 'eth0.requests': 50 });
  expect(run([sample(asGauge, 9, at)])).toEqual({ 'eth0.requests': 9 });
  expect(run([])).toEqual({ 'eth0.requests': 0 });
});

it('ends a gauge that is declared as a counter, since StatsD would repeat it beside the counter', () => {
  const totals = createTotals(createNaming('edge'));
  const apply = (one: Sample) => {
    const path = totals.naming.path(one.metric, one.labels);
    return totals.apply({ named: [{ path, sample: one }], problems: [], ratios: [], readAtMs: 0 });
  };
  apply(sample(gauge('requests', about), 7, { device: 'eth0' }));
  expect(apply(sample(counter('requests', about), 100, { device: 'eth0' }))).toMatchObject([
    { path: 'edge.eth0.requests', metric: { kind: 'gauge' }, value: 0, ends: true },
    { path: 'edge.eth0.requests', metric: { kind: 'counter' }, value: undefined, total: 100 },
  ]);
  expect(apply(sample(counter('requests', about), 150, { device: 'eth0' }))).toMatchObject([{ value: 50 }]);
  expect(totals.size).toBe(1);
});
