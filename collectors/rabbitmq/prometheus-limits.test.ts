/** What hangs is a problem of what it would have told, and leaves the run the time for the rest. */
import { describe, expect, test } from 'vitest';
import type { Host, HttpOptions } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { createPrometheusMemory, prometheusSource } from './by-prometheus.ts';
import { options } from './options.ts';
import type { QueueName } from './record.ts';

const HANGS = Symbol('hangs');
type Page = string | typeof HANGS | Failure;

const identity = (version: string): string =>
  `rabbitmq_build_info{rabbitmq_version="${version}"} 1\nrabbitmq_identity_info{rabbitmq_node="r@a"} 1\n`;

interface Settings {
  readonly metrics?: Page;
  readonly detailed?: Page;
  readonly leftMs?: number;
  readonly version?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly only?: readonly QueueName[];
}

/** A node on a clock of its own: what hangs takes all the time that it is given. */
function node({ metrics = '', detailed = '', leftMs = 8000, version = '3.12.0', options: more, only }: Settings) {
  const asked: [path: string, timeoutMs: number | undefined][] = [];
  let left = leftMs;
  const host = {
    async getText(text: string, { timeoutMs }: HttpOptions) {
      const { pathname, search } = new URL(text);
      asked.push([pathname + search, timeoutMs]);
      const page = pathname === '/metrics' ? metrics : detailed;
      if (page instanceof Failure) throw page;
      if (typeof page === 'string') return page + identity(version);
      if (timeoutMs === undefined) throw new Error('it would hang for ever');
      left -= timeoutMs;
      throw new Failure('E_TIMEOUT', 'did not answer', { url: text });
    },
  } as unknown as Host;
  const settings = options.parse({ source: 'prometheus', urls: ['http://a'], ...more });
  const source = prometheusSource(host, settings, createPrometheusMemory(), () => left, only);
  return { asked, source, left: () => left };
}

const labelsOf = (problems: readonly Failure[]) => problems.map(({ code, evidence }) => [code, evidence.labels]);
const QUEUE = 'rabbitmq_detailed_queue_messages{vhost="/",queue="q"} 1\nrabbitmq_cluster_vhost_status{vhost="/"} 1\n';

test('/metrics/detailed hangs: the node is known, its vhosts, queues and groups are not', async () => {
  const { source, asked, left } = node({ metrics: 'rabbitmq_queues 3\n', detailed: HANGS });
  const { broker, problems } = await source.status();
  expect(broker?.queues).toBe(3);
  expect(labelsOf(problems)).toEqual([['E_TIMEOUT', { scope: 'vhost' }]]);
  expect(labelsOf((await source.list()).problems)).toEqual([
    ['E_TIMEOUT', { scope: 'queue' }],
    ['E_TIMEOUT', { scope: 'group' }],
  ]);
  // Once in a run.
  expect(asked).toHaveLength(2);
  expect(left()).toBeGreaterThan(4000);
  expect([...source.endpoints]).toEqual([['http://a', false]]);
});

test.each<[string, Page, string]>([
  ['hangs', HANGS, 'E_TIMEOUT'],
  ['breaks', new Failure('E_HTTP_STATUS', 'answered with status 500', { status: 500 }), 'E_HTTP_STATUS'],
])('/metrics %s: the queues and vhosts are known, the node and the broker are not', async (_, metrics, code) => {
  const { source } = node({ metrics, detailed: QUEUE });
  const { broker, nodes, vhosts, problems } = await source.status();
  expect(broker).toMatchObject({ queues: undefined, alarm: undefined, version: '3.12.0' });
  expect(nodes).toMatchObject([{ node: 'r@a', memoryAlarm: undefined }]);
  expect(vhosts).toMatchObject([{ vhost: '/', running: true }]);
  expect(labelsOf(problems)).toEqual([
    [code, { scope: 'node', node: 'r@a' }],
    [code, { scope: 'broker' }],
  ]);
  const listing = await source.list();
  expect(listing.queues).toMatchObject([{ name: 'q', messages: 1 }]);
  expect(listing.problems).toEqual([]);
});

test('all hangs: the run fails, with time left', async () => {
  const { source, left } = node({ metrics: HANGS, detailed: HANGS });
  await expect(source.status()).rejects.toMatchObject({ code: 'E_TIMEOUT' });
  expect(left()).toBeGreaterThan(0);
});

test('each request has a limit, and without time left none is made', async () => {
  const { source, asked } = node({ detailed: QUEUE, leftMs: 6000 });
  await source.status();
  await source.list();
  expect(asked.map(([, timeoutMs]) => timeoutMs)).toEqual([3000, 2000, 6000, 6000]);
  const late = node({ leftMs: 0 });
  await expect(late.source.status()).rejects.toMatchObject({ code: 'E_TIMEOUT' });
  expect(labelsOf((await late.source.list()).problems)[0]).toEqual(['E_TIMEOUT', { scope: 'queue' }]);
  expect(late.asked).toEqual([]);
});

test('nobody ends the run: no limit for one URL, patience with each of several', async () => {
  const one = node({ detailed: QUEUE, leftMs: Number.POSITIVE_INFINITY });
  await one.source.list();
  expect(one.asked[0]?.[1]).toBeUndefined();
  const urls = ['http://a', 'http://b', 'http://c', 'http://d', 'http://e'];
  const several = node({ detailed: QUEUE, leftMs: Number.POSITIVE_INFINITY, options: { urls } });
  await several.source.list();
  expect(several.asked[0]?.[1]).toBe(8000);
  // Four at once, and then the fifth.
  const bounded = node({ detailed: QUEUE, options: { urls } });
  await bounded.source.list();
  expect(bounded.asked[0]?.[1]).toBe(4000);
});

describe('the queues of one machine', () => {
  const only = ['/', 'nova'].map((vhost) => ({ vhost, name: 'compute.hv1(a)' }));

  test('are asked for in their vhosts alone, which need not be there', async () => {
    const { source, asked } = node({ detailed: QUEUE, only });
    expect((await source.list()).problems).toEqual([]);
    expect(asked[0]?.[0]).toMatch(/&vhost=%2F&vhost=nova$/);
    const named = node({ detailed: QUEUE, only, options: { vhosts: ['/', 'nova'] } });
    expect(labelsOf((await named.source.list()).problems)).toEqual([['E_NOT_FOUND', { vhost: 'nova' }]]);
  });

  test('are told apart by the server from 4.3 on', async () => {
    const filterOf = async (version: string, queues = only) => {
      const { source, asked } = node({ detailed: QUEUE, version, only: queues });
      await source.status();
      await source.list();
      return new URLSearchParams(asked.at(-1)?.[0].split('?')[1]).get('queue');
    };
    for (const version of ['3.13.7', '4.2.9', 'unknown']) expect(await filterOf(version), version).toBeNull();
    for (const version of ['4.3.0', '4.10.1', '5.0.0'])
      expect(await filterOf(version), version).toBe('^(?:compute\\.hv1\\(a\\))$');
    // The server refuses what is longer.
    expect(await filterOf('4.3.0', [{ vhost: '/', name: 'é'.repeat(600) }])).toBeNull();
  });

  test('no other queue’s problem is theirs', async () => {
    const line = (name: string): string => `rabbitmq_detailed_queue_messages{vhost="/",queue="${name}"} 1\n`;
    const { source } = node({ detailed: QUEUE + line('x"y'), only });
    expect(labelsOf((await source.list()).problems)).toEqual([['E_PARSE', { scope: 'none' }]]);
  });
});
