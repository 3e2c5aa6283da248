import { expect, it } from 'vitest';
import { z } from 'zod';
import { type Collector, defineCollector, type Reading } from '../src/collector.ts';
import type { JobConfig } from '../src/config.ts';
import { localTarget } from '../src/hosts/local.ts';
import { deliveryOf, freshMemory } from '../src/job.ts';
import { counter, derived, rate, ratio, type Sample, sample } from '../src/metric.ts';
import { createClaims } from '../src/vet.ts';

const about = { unit: 'things', help: 'For tests.', source: 'test' };
const bad = counter('bad', about);
const all = counter('all', about);
const share = ratio('bad_ratio', { numerator: bad, denominator: [all], help: 'For tests.' });
const collector: Collector = defineCollector({
  name: 'probe',
  options: z.strictObject({}),
  metrics: { bad, all, share },
  collect: async () => ({ samples: [] }),
});

it('gives a ratio to the first job that computes it; the other sends neither it nor its final zero', () => {
  const claims = createClaims();
  const around = { prefix: 'e', target: localTarget('h'), claims };
  const job = (name: string) => {
    const times = { when: { everyMs: 1000 }, intervalMs: 1000, splayMs: 0, timeoutMs: 800, fingerprint: '' };
    const config: JobConfig = { id: `${name}@local`, name, collector, options: {}, target: 'local', ...times };
    const memory = freshMemory(config, around);
    let run = 0;
    return (...totals: [number, number] | []) => {
      run += 1;
      const [above, below] = totals;
      const samples: Sample[] = [];
      if (above !== undefined && below !== undefined) {
        samples.push({ ...sample(bad, above), quiet: true }, { ...sample(all, below), quiet: true });
      }
      const times = { atMs: run * 1000, readAtMs: run * 1000, durationMs: 1 };
      const batch = { job: name, target: 'h', reading: { samples }, ...times };
      const { delivery, problems } = deliveryOf(batch, config, around, memory);
      const ratios = delivery.points.filter(({ path }) => path === 'e.h.probe.bad_ratio').map(({ value }) => value);
      return { ratios, told: problems.map(({ message }) => message) };
    };
  };
  const first = job('first');
  const second = job('second');
  first(0, 0);
  second(0, 0);
  expect(first(1, 4)).toEqual({ ratios: [0.25], told: [] });
  const why = 'e.h.probe.bad_ratio: job first@local already sends it; give one of the jobs other options';
  expect(second(1, 2)).toEqual({ ratios: [], told: [why] });
  expect(second()).toEqual({ ratios: [], told: [] });
  expect(first()).toEqual({ ratios: [0], told: [] });
  expect(claims.size).toBe(0);
  // Free again, it is whose job comes first.
  second(0, 0);
  expect(second(2, 4)).toEqual({ ratios: [0.5], told: [] });
});

it('computes the derived metrics that are wanted, holds what was left unread, and tells which function broke', () => {
  const around = { prefix: 'e', target: localTarget('h'), claims: createClaims() };
  const perSecond = rate('bad_rate', { of: bad, help: 'For tests.' });
  const broken = derived('broken', {
    ...{ unit: 'things', of: { all }, help: 'For tests.' },
    compute: () => {
      throw new TypeError('oh');
    },
  });
  const whole = defineCollector({ ...collector, metrics: { bad, all, perSecond, broken } });
  const times = { when: { everyMs: 1000 }, intervalMs: 1000, splayMs: 0, timeoutMs: 800, fingerprint: '' };
  const config: JobConfig = {
    ...{ id: 'one@local', name: 'one', collector: whole, options: {}, target: 'local', ...times },
  };
  const memory = freshMemory(config, around);
  let run = 0;
  const send = (reading: Reading) => {
    run += 1;
    const at = { atMs: run * 1000, readAtMs: run * 1000, durationMs: 1 };
    const { delivery, problems } = deliveryOf({ job: 'one', target: 'h', reading, ...at }, config, around, memory);
    const own = delivery.points.filter(({ path }) => path.startsWith('e.h.probe.'));
    return {
      sent: Object.fromEntries(own.map(({ path, value }) => [path.slice(10), value])),
      told: problems.map(({ code, message }) => `${code} ${message}`),
    };
  };
  const samples = (total: number): Sample[] => [sample(bad, total), sample(all, total)];
  send({ samples: samples(0) });
  const why = 'E_SAMPLE e.h.probe.broken: its compute() broke: TypeError: oh';
  expect(send({ samples: samples(5) })).toEqual({ sent: { bad: 5, all: 5, bad_rate: 5 }, told: [why] });
  expect(send({ samples: [], unread: [{}] })).toEqual({ sent: {}, told: [] });
  expect(send({ samples: samples(9), ratios: ['bad_rate'] })).toEqual({
    sent: { bad: 4, all: 4, bad_rate: 2 },
    told: [],
  });
  expect(send({ samples: samples(9), ratios: [] }).sent).toEqual({ bad: 0, all: 0, bad_rate: 0 });
});
