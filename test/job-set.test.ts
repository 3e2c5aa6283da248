/** What a reload changes of what a job has counted. */
import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineCollector } from '../src/collector.ts';
import type { Config, JobConfig } from '../src/config.ts';
import { localTarget } from '../src/hosts/local.ts';
import { createJobSet } from '../src/job-set.ts';
import { counter, sample } from '../src/metric.ts';
import { createClaims } from '../src/vet.ts';
import { fakeClock } from './support/fake-clock.ts';

const bytes = counter('bytes', { unit: 'bytes', labels: ['device'], help: 'For tests.', source: 'test' });

it.each([
  { what: 'the interval alone', change: { when: { everyMs: 2000 }, intervalMs: 2000 }, increment: 7 },
  { what: 'options', change: { options: { devices: '*' } }, increment: undefined },
])('after a reload that changes $what, a new device began at zero or is not known to have', async (example) => {
  const clock = fakeClock();
  const target = localTarget('hv01');
  const totals = new Map([['eth0', 100]]);
  const sent = new Map<string, number | undefined>();
  let runs = 0;
  const collector = defineCollector({
    ...{ name: 'probe', options: z.unknown(), metrics: { bytes } },
    async collect() {
      runs += 1;
      return { samples: [...totals].map(([device, total]) => sample(bytes, total, { device })) };
    },
  });
  const job: JobConfig = {
    ...{ id: 'probe@local', name: 'probe', collector, options: {}, target: 'local', fingerprint: 'one' },
    ...{ when: { everyMs: 1000 }, intervalMs: 1000, splayMs: 0, timeoutMs: 800 },
  };
  const jobs = createJobSet({
    ...{ clock, claims: createClaims(), log: () => {}, machine: 'm', retired() {}, turn: undefined },
    offer: async () => true,
    state: { read: () => undefined, write() {} },
    deliver({ points }) {
      for (const { path, value, labels } of points) if (path.endsWith('bytes')) sent.set(labels.device ?? '', value);
    },
  });
  const arrange = (one: JobConfig) =>
    jobs.arrange({ prefix: 'e', jobs: [one] } as unknown as Config, new Map([['local', target]]));
  const run = async () => {
    for (const before = runs; runs === before; ) await clock.advance(100);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(0);
  };
  await arrange(job);
  await run();
  await run();
  expect(await arrange({ ...job, ...example.change, fingerprint: 'two' })).toMatchObject({ changed: 1 });
  totals.set('eth1', 7);
  totals.set('eth0', 105);
  await run();
  expect([...sent]).toEqual([
    ['eth0', 5],
    ['eth1', example.increment],
  ]);
  await jobs.stop(0);
});
