/** What a job remembers, and offers, through the schedule as the daemon runs it. */
import { expect, it } from 'vitest';
import { z } from 'zod';
import { type Context, defineCollector, type Offer, type Reading } from '../src/collector.ts';
import type { JobConfig } from '../src/config.ts';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';
import type { Target } from '../src/hosts/target.ts';
import { startJob } from '../src/job.ts';
import { gauge, sample } from '../src/metric.ts';
import { createTurns } from '../src/turns.ts';
import { createClaims } from '../src/vet.ts';
import { fakeClock } from './support/fake-clock.ts';

const lines = gauge('lines', { unit: 'lines', help: 'For tests.', source: 'test' });

/** A job whose runs do as they are told; what happens, in order. */
function job(
  collect: (context: Context<unknown>, run: number) => Promise<Reading>,
  target: Target = localTarget('hv01'),
) {
  const clock = fakeClock();
  const happened: string[] = [];
  const memos = new Map<string, string>();
  let runs = 0;
  const collector = defineCollector({
    ...{ name: 'follow', options: z.strictObject({}), metrics: { lines } },
    collect: (context) => collect(context, ++runs),
  });
  const times = { when: { everyMs: 1000 }, intervalMs: 1000, splayMs: 0, timeoutMs: 800, fingerprint: '' };
  const config: JobConfig = {
    ...{ id: 'follow@hv01', name: 'follow', collector, options: {}, target: 'hv01', ...times },
  };
  const started = startJob(config, {
    ...{ prefix: 'e', target, clock, claims: createClaims(), machine: 'm', log: () => {} },
    turn: createTurns(1, clock).take,
    deliver: () => void happened.push('delivered'),
    async offer(offers: readonly Offer[]) {
      await Promise.resolve();
      happened.push(`offered ${offers.map(({ id }) => id)}`);
      return !offers.some(({ id }) => id === 'refused');
    },
    state: {
      read: (id) => memos.get(id),
      write(id, text) {
        happened.push(`wrote ${text}`);
        memos.set(id, text);
      },
    },
  });
  /** The next run, whole. */
  const run = async () => {
    const before = runs;
    while (runs === before) await clock.advance(100);
    while (started.ticking.running) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(0);
    }
    return happened.splice(0);
  };
  return { run, clock, started };
}

it('keeps what a run wrote after its reading was handed on and its offers were taken', async () => {
  const read: (string | undefined)[] = [];
  const { run, started } = job(async ({ memo }, at) => {
    read.push(memo?.read());
    memo?.write(`draft ${at}`);
    memo?.write(`place ${at}`);
    return { samples: [sample(lines, at)], offers: [{ id: `o${at}`, what: 'w', tags: [], atMs: 1 }] };
  });
  expect(await run()).toEqual(['delivered', 'offered o1', 'wrote place 1']);
  expect(await run()).toEqual(['delivered', 'offered o2', 'wrote place 2']);
  expect(read).toEqual([undefined, 'place 1']);
  started.release();
});

it('reads on from the same place when what was offered could not be taken now', async () => {
  const read: (string | undefined)[] = [];
  const { run, started } = job(async ({ memo }, at) => {
    read.push(memo?.read());
    memo?.write(`place ${at}`);
    return { samples: [], offers: [{ id: at === 2 ? 'refused' : `o${at}`, what: 'w', tags: [], atMs: 1 }] };
  });
  expect(await run()).toEqual(['delivered', 'offered o1', 'wrote place 1']);
  expect(await run()).toEqual(['delivered', 'offered refused']);
  expect(await run()).toEqual(['delivered', 'offered o3', 'wrote place 3']);
  expect(read).toEqual([undefined, 'place 1', 'place 1']);
  started.release();
});

it('forgets what a run wrote that failed, and takes none of its offers', async () => {
  const read: (string | undefined)[] = [];
  const { run, started } = job(async ({ memo }, at) => {
    read.push(memo?.read());
    memo?.write(`place ${at}`);
    if (at === 2) throw new Failure('E_PARSE', 'in the middle');
    return { samples: [] };
  });
  expect(await run()).toEqual(['delivered', 'wrote place 1']);
  expect(await run()).toEqual(['delivered']);
  expect(await run()).toEqual(['delivered', 'wrote place 3']);
  expect(read).toEqual([undefined, 'place 1', 'place 1']);
  started.release();
});

it('refuses a memo that is none, as a fault of the collector', async () => {
  const { run, started } = job(async ({ memo }) => {
    memo?.write('x'.repeat(17 * 2 ** 20));
    return { samples: [] };
  });
  expect(await run()).toEqual(['delivered']);
  started.release();
});

it('reads a machine when it was reached, and not before', async () => {
  const local = localTarget('hv01');
  const clocks: number[] = [];
  let reach = Promise.withResolvers<void>();
  const remote: Target = { ...local, reach: () => reach.promise };
  const { started, clock } = job(async ({ readAtMs, elapsedMs }) => {
    clocks.push(readAtMs, elapsedMs());
    return { samples: [] };
  }, remote);
  while (!started.ticking.running) await clock.advance(10);
  const beganMs = clock.monotonicMs();
  await clock.advance(300);
  expect(clocks).toEqual([]);
  reach.resolve();
  while (started.ticking.running) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(0);
  }
  const [readAtMs = 0, elapsedMs = 0] = clocks;
  expect(readAtMs).toBe(beganMs + 300);
  // The run began within the step in which it was noticed.
  expect(elapsedMs).toBeGreaterThanOrEqual(300);
  expect(elapsedMs).toBeLessThan(320);
  reach = Promise.withResolvers();
  started.release();
});
