import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { tcp } from '../collectors/tcp/index.ts';
import { systemClock } from '../src/clock.ts';
import { type Collector, defineCollector, type Reading } from '../src/collector.ts';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';
import { gauge, sample } from '../src/metric.ts';
import { run } from '../src/run.ts';
import { fakeClock } from './support/fake-clock.ts';

const one = gauge('one', { unit: 'things', help: 'One.', source: 'test' });

function collector(collect: Collector['collect']): Collector {
  return defineCollector({ name: 'probe', options: z.strictObject({}), metrics: { one }, collect });
}

const plan = (collect: Collector['collect'], timeoutMs = 1000) => ({
  job: 'probe',
  collector: collector(collect),
  options: {},
  target: localTarget('here'),
  timeoutMs,
});

describe('run', () => {
  it('gives a batch with identity, time and reading', async () => {
    const clock = fakeClock(1_700_000_000_000);
    const batch = await run(
      plan(async ({ atMs }) => {
        await clock.advance(250);
        return { samples: [sample(one, atMs)] };
      }),
      clock,
    );
    expect(batch).toMatchObject({ job: 'probe', target: 'here', atMs: 1_700_000_000_000, durationMs: 250 });
    expect(batch.reading.samples[0]?.value).toBe(1_700_000_000_000);
    expect(batch.failure).toBeUndefined();
    expect(clock.timers).toBe(0);
  });

  it('tells the collector when it began, on the clock that nobody sets too', async () => {
    const clock = fakeClock(1_700_000_000_000);
    await clock.advance(5000);
    const batch = await run(
      plan(async ({ readAtMs }) => ({ samples: [sample(one, readAtMs)] })),
      clock,
    );
    expect(batch.reading.samples[0]?.value).toBe(batch.readAtMs);
    expect(batch.readAtMs).toBe(clock.monotonicMs());
  });

  it.each([[{}], [[null]], [['all']]])(
    'refuses an unread of %j, which would break what looks at it',
    async (unread) => {
      const reading = { samples: [], unread } as unknown as Reading;
      const { failure } = await run(
        plan(async () => reading),
        fakeClock(),
      );
      expect(failure).toMatchObject({ code: 'E_BUG', message: expect.stringContaining('"unread" that is no list') });
    },
  );

  it('ends a collector that never comes back, and measures until the deadline', async () => {
    const clock = fakeClock();
    const batch = run(
      plan(() => new Promise(() => {}), 5000),
      clock,
    );
    await clock.advance(5000);
    expect(await batch).toMatchObject({
      failure: { code: 'E_TIMEOUT', message: 'the deadline of 5 s passed' },
      durationMs: 5000,
    });
    expect(clock.timers).toBe(0);
  });

  it('keeps the first reason: what breaks because of the deadline is the deadline', async () => {
    const batch = await run(
      plan(({ host }) => host.run(['sleep', '60']).then(() => ({ samples: [] })), 100),
      systemClock,
    );
    expect(batch.failure?.code).toBe('E_TIMEOUT');
  });

  it('ends the tcp collector whose file hangs, and leaves nothing behind', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'edgestatd-run-'));
    try {
      expect(spawnSync('mkfifo', [join(directory, 'snmp')]).status).toBe(0);
      writeFileSync(join(directory, 'netstat'), 'TcpExt: ListenDrops\nTcpExt: 3\n');
      const options = tcp.options.parse({ proc: directory });
      const batch = await run({ ...plan(async () => ({ samples: [] }), 150), collector: tcp, options }, systemClock);
      expect(batch.failure?.code).toBe('E_TIMEOUT');
      expect(spawnSync('ls', ['-l', `/proc/${process.pid}/fd`], { encoding: 'utf8' }).stdout).not.toContain(directory);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('contains what a collector throws or returns by mistake', async () => {
    const failing = [
      () => Promise.reject(new Failure('E_PARSE', 'not mine')),
      () => Promise.reject(new TypeError('x is not a function')),
      () => {
        throw 'a text';
      },
      async () => undefined as never,
      async () => ({ samples: [{ value: 1 }] }) as never,
      async () => ({ samples: [sample({ ...one, name: 'x:1|c\nevil' }, 1)] }),
      async () => ({ samples: [{ ...sample(one, 1), metric: { ...one, labels: ['a;b'] } }] }),
    ];
    const codes = [];
    for (const collect of failing) codes.push((await run(plan(collect), fakeClock())).failure?.code);
    expect(codes).toEqual(['E_PARSE', 'E_BUG', 'E_BUG', 'E_BUG', 'E_BUG', 'E_BUG', 'E_BUG']);
  });

  it('ends early when it is told to, with the reason that it was given', async () => {
    const stop = new AbortController();
    const batch = run(
      plan(() => new Promise(() => {})),
      fakeClock(),
      stop.signal,
    );
    stop.abort(new Failure('E_ABORTED', 'the daemon is stopping'));
    expect((await batch).failure?.code).toBe('E_ABORTED');
  });

  it('kills the host with the run: a collector that keeps it gets nothing more', async () => {
    let kept: { readFile(path: string): Promise<string> } | undefined;
    await run(
      plan(async ({ host }) => {
        kept = host;
        return { samples: [] };
      }),
      fakeClock(),
    );
    await expect(kept?.readFile('/proc/self/stat')).rejects.toMatchObject({ code: 'E_ABORTED' });
  });
});
