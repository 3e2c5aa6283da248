import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { counter, derived, gauge, growth, type Metric, rate, ratio, type Sample, sample } from '../src/metric.ts';
import { createNaming } from '../src/naming.ts';
import type { Scope } from '../src/scope.ts';
import { createTotals } from '../src/totals.ts';

const about = { unit: 'messages', labels: ['queue'], help: 'h', source: 's' } as const;
const messages = gauge('messages', about);
const published = counter('published', about);
const settled = counter('settled', about);
const drain = derived('drain_seconds', {
  unit: 'seconds',
  of: { messages, published, settled },
  help: 'h',
  compute: ({ messages: waiting, published: added, settled: gone }) => {
    const perSecond = (gone.value - added.value) / gone.elapsedSeconds;
    return perSecond > 0 ? waiting.value / perSecond : undefined;
  },
});
const publishRate = rate('publish_rate', { of: published, help: 'h' });
const growthRate = growth('growth_rate', { of: messages, help: 'h' });

interface Rest {
  readonly problems?: readonly Failure[];
  readonly unread?: readonly Scope[];
  /** When it was read; default: ten seconds after the reading before. */
  readonly atSeconds?: number;
}

function job(computed: readonly Metric[] = [publishRate]) {
  const naming = createNaming('b');
  const broken: string[] = [];
  const forgotten: string[] = [];
  const refused = new Set<string>();
  const totals = createTotals(naming, {
    onForget: (path) => forgotten.push(path.slice(2)),
    mayShow: (path) => !refused.has(path.slice(2)),
    onBroken: (metric, labels, thrown) => broken.push(`${naming.path(metric, labels)}: ${(thrown as Error).message}`),
  });
  let nowMs = 0;
  return {
    ...{ totals, broken, forgotten, refused },
    run(samples: readonly Sample[], { problems = [], unread = [], atSeconds }: Rest = {}) {
      nowMs = atSeconds === undefined ? nowMs + 10_000 : atSeconds * 1000;
      const named = samples.map((one) => ({ path: naming.path(one.metric, one.labels), sample: one }));
      const points = totals.apply({ named, problems, unread, ratios: computed, readAtMs: nowMs });
      const values = Object.fromEntries(points.map(({ path, value }) => [path.slice(2), value]));
      expect(Object.keys(values), 'no series is sent twice').toHaveLength(points.length);
      return values;
    },
  };
}

const q = { queue: 'q' };
const level = (value: number, labels = q): Sample => sample(messages, value, labels);
const sent = (value: number, labels = q): Sample => sample(published, value, labels);
const gone = (value: number, labels = q): Sample => sample(settled, value, labels);

describe('a derived metric', () => {
  it('is computed from values, increments and the time that really passed', () => {
    const { run } = job([drain]);
    run([level(100), sent(1000), gone(500)], { atSeconds: 1 });
    // 40 gone and 20 added in 4 s: 5 fewer each second.
    expect(run([level(80), sent(1020), gone(540)], { atSeconds: 5 })['q.drain_seconds']).toBe(16);
  });

  it('has the labels and tags of the first that it is computed from, and says what these are', () => {
    const tagged = gauge('level', { ...about, tags: ['vhost'] });
    const sum = derived('sum', { unit: 'x', of: { tagged, messages }, help: 'h', compute: () => 1 });
    expect(sum).toMatchObject({ kind: 'derived', labels: ['queue'], tags: ['vhost'], source: 'from level, messages' });
    expect(publishRate).toMatchObject({ unit: 'messages_per_second', labels: ['queue'] });
    expect(() => rate('r', { of: messages, help: 'h' })).toThrow('metric r: messages is a gauge; expected a counter');
    expect(() => growth('g', { of: published, help: 'h' })).toThrow('expected a gauge');
  });

  it('is not sent, and gets one final 0, while the source lacks an operand', () => {
    const { run, forgotten } = job([drain]);
    run([level(100), sent(0), gone(0)]);
    expect(run([level(100), sent(0), gone(10)])).toMatchObject({ 'q.drain_seconds': 100 });
    expect(run([level(100), gone(20)])).toEqual({ 'q.messages': 100, 'q.settled': 10, 'q.drain_seconds': 0 });
    expect(forgotten).toContain('q.drain_seconds');
    expect(run([level(100), gone(20)])).not.toHaveProperty(['q.drain_seconds']);
  });

  it('gets one final 0 when there is nothing to tell any more', () => {
    const { run } = job([drain]);
    run([level(100), sent(0), gone(0)]);
    run([level(100), sent(0), gone(10)]);
    expect(run([level(100), sent(9), gone(10)])['q.drain_seconds']).toBe(0);
    expect(run([level(100), sent(18), gone(10)])).not.toHaveProperty(['q.drain_seconds']);
  });

  it('is none where it is not finite, or no number', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '7', null]) {
      const odd = derived('odd', { unit: 'x', of: { messages }, help: 'h', compute: () => value as number });
      expect(job([odd]).run([level(1)])).toEqual({ 'q.messages': 1 });
    }
  });

  it('is unknown at first sight of a counter: neither sent nor ended', () => {
    const { run } = job();
    expect(run([sent(1000)])).toEqual({ 'q.published': undefined });
    expect(run([sent(1050)])).toEqual({ 'q.published': 50, 'q.publish_rate': 5 });
  });

  it('is held while the entity is new again', () => {
    const { run } = job();
    run([sent(1000)]);
    run([sent(1050)]);
    expect(run([sent(3)])).toEqual({ 'q.published': undefined });
    expect(run([sent(13)])).toEqual({ 'q.published': 10, 'q.publish_rate': 1 });
  });

  it('is held while no time has passed', () => {
    const { run } = job();
    run([sent(0)], { atSeconds: 1 });
    run([sent(50)], { atSeconds: 11 });
    expect(run([sent(60)], { atSeconds: 11 })).toEqual({ 'q.published': 10 });
  });

  it('starts at once for what began within sight', () => {
    const { run } = job();
    run([], { atSeconds: 1 });
    expect(run([sent(50)], { atSeconds: 6 })).toEqual({ 'q.published': 50, 'q.publish_rate': 10 });
  });

  it('needs no reading before for the values of gauges alone', () => {
    const share = derived('share', {
      unit: 'x',
      of: { messages },
      help: 'h',
      compute: (all) => all.messages.value / 4,
    });
    expect(job([share]).run([level(2)])).toEqual({ 'q.messages': 2, 'q.share': 0.5 });
  });

  it('waits for a reading before where it asks for a gauge’s time', () => {
    const age = derived('age', {
      unit: 'x',
      of: { messages },
      help: 'h',
      compute: (all) => all.messages.elapsedSeconds,
    });
    const { run } = job([age]);
    expect(run([level(2)])).toEqual({ 'q.messages': 2 });
    expect(run([level(2)])['q.age']).toBe(10);
  });

  it('is as unknown as what it is computed from', () => {
    const { run } = job();
    run([sent(0)]);
    run([sent(10)]);
    const refused = new Failure('E_SAMPLE', 'x', { series: 'b.q.published' });
    expect(run([], { problems: [refused] })).toEqual({});
    expect(run([sent(50)])).toEqual({ 'q.published': 40, 'q.publish_rate': 2 });
  });

  it('ends with its entity, and with its job', () => {
    const { run, totals } = job();
    run([sent(0)]);
    run([sent(10)]);
    expect(run([])).toEqual({ 'q.publish_rate': 0 });
    expect(totals.size).toBe(0);
    run([sent(10)]);
    expect(totals.retire().map(({ path, value }) => [path, value])).toEqual([['b.q.publish_rate', 0]]);
  });

  it('is not made where another job has its series', () => {
    const { run, refused } = job();
    refused.add('q.publish_rate');
    run([sent(0)]);
    expect(run([sent(10)])).toEqual({ 'q.published': 10 });
  });

  it('that breaks is told, and ends nothing else', () => {
    const bad = derived('bad', {
      ...{ unit: 'x', of: { messages }, help: 'h' },
      compute() {
        throw new Error('oh');
      },
    });
    const { run, broken } = job([bad, publishRate]);
    run([level(1), sent(0)]);
    expect(run([level(1), sent(10)])).toEqual({ 'q.messages': 1, 'q.published': 10, 'q.publish_rate': 1 });
    expect(broken).toEqual(['b.q.bad: oh', 'b.q.bad: oh']);
  });

  it('is fed by quiet samples, which are not sent', () => {
    const { run } = job();
    run([{ ...sent(0), quiet: true }]);
    expect(run([{ ...sent(10), quiet: true }])).toEqual({ 'q.publish_rate': 1 });
  });
});

describe('the growth of a gauge', () => {
  it('is its change per second, and may be negative', () => {
    const { run } = job([growthRate]);
    expect(run([level(100)])).toEqual({ 'q.messages': 100 });
    expect(run([level(150)])['q.growth_rate']).toBe(5);
    expect(run([level(130)])['q.growth_rate']).toBe(-2);
    expect(run([level(130)])['q.growth_rate']).toBe(0);
  });

  it('spans the time in which it could not be read', () => {
    const { run } = job([growthRate]);
    run([level(100)], { atSeconds: 0 });
    run([level(100)], { atSeconds: 10 });
    expect(run([], { atSeconds: 20, problems: [new Failure('E_CONNECT', 'x')] })).toEqual({});
    expect(run([level(160)], { atSeconds: 30 })['q.growth_rate']).toBe(3);
  });

  it('is not that of a gauge which had vanished', () => {
    const { run } = job([growthRate]);
    run([level(100)]);
    run([]);
    expect(run([level(500)])).toEqual({ 'q.messages': 500 });
  });

  it('is unknown in the run in which a counter of its entity fell, before or after it in the reading', () => {
    for (const order of [(all: Sample[]) => all, (all: Sample[]) => all.toReversed()]) {
      const { run } = job([growthRate]);
      run(order([level(100), sent(50)]));
      expect(run(order([level(200), sent(60)]))['q.growth_rate']).toBe(10);
      expect(run(order([level(7), sent(3)]))).toEqual({ 'q.messages': 7, 'q.published': undefined });
      expect(run(order([level(17), sent(3)]))['q.growth_rate']).toBe(1);
    }
  });

  it('is unknown once more where the gauge was not read when the counter fell', () => {
    const { run } = job([growthRate]);
    run([level(100), sent(50)]);
    run([sent(3)], { problems: [new Failure('E_SAMPLE', 'x', { series: 'b.q.messages' })] });
    expect(run([level(500), sent(4)])).not.toHaveProperty(['q.growth_rate']);
    expect(run([level(510), sent(5)])['q.growth_rate']).toBe(1);
  });

  it('is none across two things that had one name', () => {
    const { run } = job([growthRate]);
    run([{ ...level(100), origin: '1' }]);
    run([{ ...level(200), origin: '1' }]);
    expect(run([{ ...level(900), origin: '2' }])).toEqual({ 'q.messages': 900 });
    expect(run([{ ...level(910), origin: '2' }])['q.growth_rate']).toBe(1);
  });

  it('goes on where a thing is named anew', () => {
    const { run } = job([growthRate]);
    run([{ ...level(100), origin: '1' }]);
    run([{ ...level(100), origin: '1' }]);
    const renamed = run([{ ...level(120, { queue: 'r' }), origin: '1' }]);
    expect(renamed).toEqual({ 'r.messages': 120, 'r.growth_rate': 2, 'q.messages': 0, 'q.growth_rate': 0 });
  });
});

describe('what was left unread', () => {
  const all: readonly Scope[] = [{}];
  const other = { queue: 'other' };

  it('is held however long, and no 0 is sent', () => {
    const { run, totals } = job();
    run([level(5), sent(0)]);
    run([level(5), sent(10)]);
    for (let turn = 0; turn < 200; turn++) expect(run([], { unread: all })).toEqual({});
    expect(totals.size).toBe(3);
    expect(run([])).toEqual({ 'q.messages': 0, 'q.publish_rate': 0 });
  });

  it('is what its labels cover, and nothing else', () => {
    const { run } = job();
    run([level(5), level(6, other)]);
    expect(run([], { unread: [{ queue: 'q' }] })).toEqual({ 'other.messages': 0 });
  });

  it('gives increments and derived values over the whole time at the next reading', () => {
    const { run } = job([publishRate, growthRate]);
    run([level(0), sent(0)]);
    run([], { unread: all });
    run([], { unread: all });
    expect(run([level(60), sent(300)])).toEqual({
      ...{ 'q.messages': 60, 'q.published': 300, 'q.publish_rate': 10, 'q.growth_rate': 2 },
    });
  });

  it('may still be sent where there is something of it', () => {
    const { run } = job();
    run([level(5)]);
    expect(run([level(6)], { unread: all })).toEqual({ 'q.messages': 6 });
  });

  it('and is new when it is read again began since the last run that read it', () => {
    const { run } = job();
    run([sent(0)], { atSeconds: 0 });
    run([], { atSeconds: 10, unread: all });
    run([], { atSeconds: 20, unread: all });
    expect(run([sent(0), sent(60, other)], { atSeconds: 30 })).toMatchObject({
      'other.published': 60,
      'other.publish_rate': 2,
    });
  });

  it('does not start from zero where a problem covered it in the last run that read it', () => {
    const { run } = job();
    run([sent(0)]);
    run([sent(0)], { problems: [new Failure('E_DENIED', 'x', { labels: other })] });
    run([], { unread: all });
    expect(run([sent(0), sent(60, other)])).toMatchObject({ 'other.published': undefined });
  });

  it('may have a problem in a run that did not read it, which says nothing of it', () => {
    const { run } = job();
    run([sent(0)]);
    run([], { unread: all, problems: [new Failure('E_CONNECT', 'x')] });
    expect(run([sent(0), sent(60, other)])).toMatchObject({ 'other.published': 60 });
  });

  it('does not start from zero where no run has read it yet', () => {
    const { run } = job();
    run([], { unread: all });
    expect(run([sent(9000)])).toEqual({ 'q.published': undefined });
  });

  it('does not start from zero where the options changed since', () => {
    const { run, totals } = job();
    run([sent(0)]);
    totals.rebase();
    run([], { unread: all });
    expect(run([sent(0), sent(9000, other)])).toMatchObject({ 'other.published': undefined });
  });

  it('is known by its own last reading where parts take turns', () => {
    const { run } = job();
    const [one, two] = [[{ queue: 'q' }], [{ queue: 'other' }]];
    run([], { atSeconds: 0 });
    for (let at = 10; at <= 100; at += 20) {
      run([], { atSeconds: at, unread: one });
      run([], { atSeconds: at + 10, unread: two });
    }
    // The run before left `other` unread, and the one before that read it.
    expect(run([sent(40), sent(40, other)], { atSeconds: 110 })).toEqual({
      ...{ 'q.published': 40, 'q.publish_rate': 4, 'other.published': 40, 'other.publish_rate': 2 },
    });
  });
});

it('ratios and derived metrics stand beside each other', () => {
  const share = ratio('settled_ratio', { numerator: settled, denominator: [published], help: 'h' });
  const { run } = job([share, publishRate]);
  run([sent(0), gone(0)]);
  expect(run([sent(10), gone(5)])).toMatchObject({ 'q.settled_ratio': 0.5, 'q.publish_rate': 1 });
});
