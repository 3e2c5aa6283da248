import { expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { ctlSource } from './by-ctl.ts';
import type { Turn } from './ctl-turns.ts';
import { options } from './options.ts';
import type { QueueName } from './record.ts';

interface Settings {
  readonly vhosts: readonly string[];
  /** Of the run, and of each listing. */
  readonly leftMs?: number;
  readonly tookMs?: number;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly only?: readonly QueueName[];
}

/** A program whose listings take their time; each call is a run of its own. */
function programs({ vhosts, leftMs, tookMs = 0, options: more = {}, only }: Settings) {
  const memory: Turn = { turn: 0 };
  return async () => {
    const listed: string[] = [];
    const timeouts: string[] = [];
    let left = leftMs ?? Number.POSITIVE_INFINITY;
    const host = {
      async run([, , command, , vhost = '', , timeout = '']: readonly string[]) {
        if (command === 'list_vhosts') return JSON.stringify(vhosts.map((name) => ({ name })));
        left -= tookMs;
        listed.push(vhost);
        timeouts.push(timeout);
        return JSON.stringify([{ name: 'q', messages: 1 }]);
      },
    } as unknown as Host;
    const settings = options.parse({ source: 'rabbitmqctl', ...more });
    const source = ctlSource(host, settings, 10_000, () => left, memory, only);
    const { queues, problems } = await source.list();
    return {
      listed,
      timeouts,
      queues,
      started: source.requests,
      problems: problems.map(({ code, evidence }) => [code, evidence.labels]),
      messages: problems.map(({ message }) => message),
    };
  };
}

const many = Array.from({ length: 12 }, (_, index) => `v${String(index).padStart(2, '0')}`);

test('where the time goes out, the others are told, and are first in the next run', async () => {
  const run = programs({ vhosts: ['a', 'b', 'c', 'd', 'e'], leftMs: 3500, tookMs: 1000 });
  const first = await run();
  expect(first.listed).toEqual(['a', 'b', 'c']);
  expect(first.queues.map(({ vhost }) => vhost)).toEqual(['a', 'b', 'c']);
  expect(first.problems).toEqual([
    ['E_TIMEOUT', { vhost: 'd' }],
    ['E_TIMEOUT', { vhost: 'e' }],
  ]);
  expect(first.messages[0]).toMatch(/^vhost "d" is not asked in this run, and first in the next: no time is left/);
  expect((await run()).listed).toEqual(['d', 'e', 'a']);
  expect((await run()).listed).toEqual(['b', 'c', 'd']);
});

test('of many that are not asked, two problems cover all their queues and groups', async () => {
  const { problems, messages } = await programs({ vhosts: many, leftMs: 2500, tookMs: 1000 })();
  expect(problems).toEqual([
    ['E_TIMEOUT', { scope: 'queue' }],
    ['E_TIMEOUT', { scope: 'group' }],
  ]);
  expect(messages[0]).toContain('10 vhosts ("v02", "v03", "v04", "v05", "v06", …) are not asked');
});

test('without any time nothing is listed, and one slow listing does not stand in its own way', async () => {
  expect((await programs({ vhosts: ['a'], leftMs: 0 })()).problems).toEqual([['E_TIMEOUT', { vhost: 'a' }]]);
  const slow = programs({ vhosts: ['a', 'b'], leftMs: 5000, tookMs: 4000 });
  expect([(await slow()).listed, (await slow()).listed]).toEqual([['a'], ['b']]);
});

test('maxRequests bounds the programs of one run, in turns', async () => {
  const run = programs({ vhosts: many, options: { maxRequests: 10 } });
  const first = await run();
  expect([first.started, first.listed.length]).toEqual([10, 9]);
  expect(first.problems).toEqual(many.slice(9).map((vhost) => ['E_CONFIG', { vhost }]));
  expect(first.messages[0]).toContain('maxRequests');
  expect((await run()).listed).toEqual([...many.slice(9), ...many.slice(0, 6)]);
});

test('unresponsive queues are asked for within that bound', async () => {
  const { started } = await programs({ vhosts: many, options: { maxRequests: 10, unresponsive: true } })();
  expect(started).toBe(10);
});

test('a listing gives up before the run ends', async () => {
  const { timeouts } = await programs({ vhosts: ['a'], leftMs: 5500 })();
  expect(timeouts).toEqual(['4']);
});

test('of a machine’s own queues only their vhosts are asked, and those that nobody named need not be there', async () => {
  const only = ['/', 'nova'].map((vhost) => ({ vhost, name: 'compute.hv1' }));
  const own = await programs({ vhosts: ['/', 'other'], only })();
  expect([own.listed, own.problems]).toEqual([['/'], []]);
  const named = await programs({ vhosts: ['/', 'other'], only, options: { vhosts: ['/', 'nova'] } })();
  expect(named.problems).toEqual([['E_NOT_FOUND', { vhost: 'nova' }]]);
});
