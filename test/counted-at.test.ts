import { expect, it } from 'vitest';
import { counter, gauge, growth, type Metric, rate, ratio, type Sample, sample } from '../src/metric.ts';
import { createNaming } from '../src/naming.ts';
import { createTotals } from '../src/totals.ts';

const about = { unit: 'messages', help: 'h', source: 's' } as const;
const messages = gauge('messages', about);
const published = counter('published', about);
const acked = counter('acked', about);
const computed: readonly Metric[] = [
  rate('publish_rate', { of: published, help: 'h' }),
  growth('growth_rate', { of: messages, help: 'h' }),
  ratio('imbalance_ratio', { numerator: published, denominator: [acked], help: 'h' }),
];

/** A broker that counts every five seconds by its own clock, read at any moment. */
function broker() {
  const naming = createNaming('b');
  const totals = createTotals(naming);
  return (readAtSeconds: number, countedAtSeconds: number | undefined, values: Readonly<Record<string, number>>) => {
    const countedAtMs = countedAtSeconds === undefined ? undefined : countedAtSeconds * 1000;
    const all = { messages, published, acked };
    const samples = Object.entries(all).flatMap(([name, metric]): Sample[] => {
      const value = values[name];
      return value === undefined ? [] : [{ ...sample(metric, value), countedAtMs }];
    });
    const named = samples.map((one) => ({ path: naming.path(one.metric, one.labels), sample: one }));
    const points = totals.apply({ named, problems: [], ratios: computed, readAtMs: readAtSeconds * 1000 });
    return Object.fromEntries(points.map(({ path, value }) => [path.slice(2), value]));
  };
}

it('a rate spans what the source counted, and not what lies between two readings', () => {
  const read = broker();
  read(0, 1000, { published: 100, messages: 10 });
  // Seven seconds later the source has counted two rounds.
  expect(read(7, 1010, { published: 200, messages: 30 })).toMatchObject({ publish_rate: 10, growth_rate: 2 });
  expect(read(14, 1015, { published: 250, messages: 20 })).toMatchObject({ publish_rate: 10, growth_rate: -2 });
});

it('says nothing new while the source has counted nothing new, and nothing vanishes', () => {
  const read = broker();
  read(0, 1000, { published: 100, acked: 100, messages: 10 });
  read(5, 1005, { published: 150, acked: 150, messages: 10 });
  const same = read(7, 1005, { published: 150, acked: 150, messages: 10 });
  expect(same).toMatchObject({ published: 0, acked: 0, messages: 10 });
  for (const name of ['publish_rate', 'growth_rate', 'imbalance_ratio']) expect(same).not.toHaveProperty(name);
  expect(read(12, 1010, { published: 200, acked: 175, messages: 10 })).toMatchObject({
    ...{ publish_rate: 10, growth_rate: 0, imbalance_ratio: 2 },
  });
});

it('a clock of the source that is set back gives no rate, and no negative one', () => {
  const read = broker();
  read(0, 1000, { published: 100 });
  const back = read(10, 900, { published: 200 });
  expect(back).toMatchObject({ published: 100 });
  expect(back).not.toHaveProperty('publish_rate');
  expect(read(20, 910, { published: 300 })).toMatchObject({ publish_rate: 10 });
});

it('where the source stops telling, the time between the readings is what there is', () => {
  const read = broker();
  read(0, 1000, { published: 100 });
  expect(read(10, undefined, { published: 200 })).toMatchObject({ publish_rate: 10 });
  expect(read(30, 5000, { published: 600 })).toMatchObject({ publish_rate: 20 });
});
