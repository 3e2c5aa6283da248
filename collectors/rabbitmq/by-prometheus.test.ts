import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { createPrometheusMemory, prometheusSource } from './by-prometheus.ts';
import { options } from './options.ts';

const captured = (name: string): string => readFileSync(join(import.meta.dirname, 'captures/rmq3.10.8', name), 'utf8');

type Answer = string | Failure;
const down = new Failure('E_CONNECT', 'nothing listens there');
const notFound = new Failure('E_NOT_FOUND', 'there is no such page', { status: 404 });

/** Nodes by the host of their URL; each answers `/metrics` and `/metrics/detailed` (with the families asked for). */
type Node = (page: 'metrics' | 'detailed', query: URLSearchParams) => Answer;

function broker(nodes: Readonly<Record<string, Node>>, more: Readonly<Record<string, unknown>> = {}) {
  const asked: string[] = [];
  const memory = createPrometheusMemory();
  const settings = options.parse({ urls: Object.keys(nodes).map((name) => `http://${name}`), ...more });
  const host = {
    async getText(text: string) {
      asked.push(text);
      const url = new URL(text);
      const answer = nodes[url.host]?.(url.pathname === '/metrics' ? 'metrics' : 'detailed', url.searchParams) ?? down;
      if (answer instanceof Failure) throw answer;
      return answer;
    },
  } as unknown as Host;
  return { asked, memory, run: () => prometheusSource(host, settings, memory) };
}

const identity = (node: string, version = '3.10.8'): string =>
  `rabbitmq_build_info{rabbitmq_version="${version}"} 1\nrabbitmq_identity_info{rabbitmq_node="${node}"} 1\n`;

/** Constructed from the source of the plugin, 3.10: TYPE lines stand for families without rows, too. */
const BY_CHANNEL = '# TYPE rabbitmq_detailed_channel_messages_delivered_total counter\n';
/** And 4.0 and later. */
const BY_QUEUE = '# TYPE rabbitmq_detailed_queue_messages_delivered_total counter\n';
const queue = (name: string, ready: number): string =>
  `rabbitmq_detailed_queue_messages_ready{vhost="/",queue="${name}"} ${ready}\n`;
const published = (channel: string, name: string, value: number, exchange = ''): string =>
  `rabbitmq_detailed_queue_messages_published_total{channel="${channel}",queue_vhost="/",queue="${name}",exchange_vhost="/",exchange="${exchange}"} ${value}\n`;

/** A node of 3.10, whose page of queues may change between runs. */
const old =
  (name: string, page: () => Answer, metrics = ''): Node =>
  (kind) => {
    if (kind === 'metrics') return metrics + identity(name);
    const answer = page();
    return answer instanceof Failure ? answer : BY_CHANNEL + answer + identity(name);
  };

describe('3.10.8, captured', () => {
  const node: Node = (page) => captured(page === 'metrics' ? 'metrics.txt' : 'detailed.txt');

  test('status', async () => {
    const source = broker({ a: node }).run();
    const { broker: sums, nodes, vhosts, problems } = await source.status();
    expect(sums).toMatchObject({ version: '3.10.8', queues: 10_003, consumers: 200, connections: 2, alarm: false });
    expect(sums?.counts).toMatchObject({
      delivered: expect.any(Number),
      redelivered: 0,
      got: 1,
      returned: 0,
      confirmed: 3,
    });
    expect(sums?.churn).toMatchObject({ queuesDeleted: 0, connectionsClosed: expect.any(Number) });
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({
      node: 'rabbit@localhost',
      fdTotal: 20_000,
      memoryAlarm: false,
      partitions: undefined,
    });
    expect(vhosts.map(({ vhost, running }) => [vhost, running])).toEqual([
      ['nova', true],
      ['/', true],
      ['c-test', true],
    ]);
    expect(problems).toEqual([]);
    expect([...source.endpoints]).toEqual([['http://a', true]]);
    expect(source.requests).toBe(2);
  });

  test('queues; one whose name has a quote is not escaped by this version, and unknown for itself', async () => {
    const { queues, problems } = await broker({ a: node }).run().list();
    const strange = 'c-"q\\u\\n\tx';
    expect(queues.map(({ name, messages, consumers, leader }) => [name, messages, consumers, leader])).toEqual([
      ['c-quorum', 0, 0, 'rabbit@localhost'],
      [strange, undefined, undefined, 'rabbit@localhost'],
      ['c-one', 2, 0, 'rabbit@localhost'],
    ]);
    expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([
      ['E_PARSE', { scope: 'none' }],
      ['E_PARSE', { scope: 'queue', vhost: 'c-test', queue: strange }],
    ]);
  });
});

test('totals of channels are added up, and outlive the channel', async () => {
  let page = published('<0.1.0>', 'q', 100) + published('<0.1.0>', 'q', 5, 'e') + published('<0.2.0>', 'q', 10);
  const { run } = broker({ a: old('r@a', () => queue('q', 0) + page) });
  const total = async () => (await run().list()).queues[0]?.counts?.published;
  expect(await total()).toBe(115);
  page = published('<0.1.0>', 'q', 110) + published('<0.1.0>', 'q', 5, 'e');
  expect(await total()).toBe(125);
  page = published('<0.3.0>', 'q', 7);
  expect(await total()).toBe(132);
  page = '';
  expect(await total()).toBe(132);
  page = published('<0.3.0>', 'q', 2);
  expect(await total()).toBe(134);
});

test('a queue that never had a row had no event; one that is gone is forgotten', async () => {
  let page = queue('q', 0) + queue('idle', 3) + published('<0.1.0>', 'q', 5);
  const { run, memory } = broker({ a: old('r@a', () => page) });
  const { queues } = await run().list();
  expect(queues[1]).toMatchObject({
    name: 'idle',
    ready: 3,
    counts: { published: 0, settled: 0, returned: undefined },
  });
  expect(memory.totals.size).toBe(2);
  page = queue('idle', 3);
  await run().list();
  expect(memory.totals.size).toBe(0);
});

test('queues that nobody sends by name take no memory', async () => {
  const { run, memory } = broker({ a: old('r@a', () => published('<0.1.0>', 'reply_1', 5) + queue('q', 0)) });
  await run().list(({ name }) => !name.startsWith('reply_'));
  expect(memory.totals.size).toBe(0);
});

test('4.x counts by queue: no channels are asked for, types are told, and a follower lists nothing', async () => {
  const v4 =
    (node: string, text: string): Node =>
    (page) =>
      page === 'metrics'
        ? `rabbitmq_unreachable_cluster_peers_count 1\nrabbitmq_process_max_fds 9\n${identity(node, '4.3.5')}`
        : BY_QUEUE + text + identity(node, '4.3.5');
  const info = (name: string, type: string, membership: string): string =>
    `rabbitmq_detailed_queue_info{vhost="/",queue="${name}",queue_type="rabbit_${type}_queue",membership="${membership}"} 1\n`;
  const counted = (value: number): string =>
    `rabbitmq_detailed_queue_messages_delivered_total{vhost="/",queue="q"} ${value}\n` +
    `rabbitmq_detailed_queue_exchange_messages_published_total{vhost="/",exchange="e",queue="q"} ${value}\n`;
  const a = queue('q', 1) + counted(3) + info('q', 'quorum', 'follower');
  const b = queue('q', 2) + counted(4) + info('q', 'quorum', 'leader') + info('far', 'classic', 'follower');
  const { run, asked } = broker({ a: v4('r@a', a), b: v4('r@b', b) });
  const { queues } = await run().list();
  expect(queues).toMatchObject([
    { name: 'q', ready: 2, type: 'quorum', leader: 'r@b', counts: { published: 7, delivered: 7, settled: 7 } },
  ]);
  expect(queues).toHaveLength(1);
  expect(asked.filter((url) => url.includes('channel_'))).toEqual([]);
  const { nodes } = await run().status();
  expect(nodes[0]).toMatchObject({ partitions: 1, fdTotal: 9, socketsTotal: undefined, runQueue: undefined });
});

test('which way a node counts is found out once', async () => {
  const { run, asked } = broker({
    a: (page, query) => {
      const isByChannel = query.getAll('family').includes('channel_queue_metrics');
      return page === 'metrics'
        ? identity('r@a')
        : `${isByChannel ? BY_CHANNEL : ''}${queue('q', 1)}${identity('r@a')}`;
    },
  });
  expect((await run().list()).queues[0]?.counts).toBeDefined();
  expect(asked).toHaveLength(2);
  expect((await run().list()).queues[0]?.counts).toBeDefined();
  expect(asked).toHaveLength(3);
});

describe('a node that does not answer', () => {
  let isUp = true;
  const b = old('r@b', () => (isUp ? queue('two', 2) + published('<0.1.0>', 'one', 50) : down), 'rabbitmq_queues 1\n');
  const { run, asked } = broker({
    a: old('r@a', () => queue('one', 1) + published('<0.1.0>', 'one', 100), 'rabbitmq_queues 1\n'),
    b: (page, query) => (isUp ? b(page, query) : down),
  });

  test('is asked once in a run, its name is known from before, and no sum is told without it', async () => {
    isUp = true;
    expect((await run().status()).broker?.queues).toBe(2);
    expect((await run().list()).queues.map(({ counts }) => counts?.published)).toEqual([150, 0]);
    isUp = false;
    asked.length = 0;
    const source = run();
    const { broker: sums, nodes, problems } = await source.status();
    expect(sums?.queues).toBeUndefined();
    expect(nodes.map(({ node }) => node)).toEqual(['r@a']);
    expect(problems.map(({ evidence }) => evidence.labels)).toEqual([
      { scope: 'node', node: 'r@b' },
      { scope: 'broker' },
    ]);
    expect(problems[0]?.message).toBe('http://b: nothing listens there');
    const listing = await source.list();
    expect(listing.queues).toMatchObject([{ name: 'one', ready: 1, counts: undefined }]);
    expect(listing.problems.map(({ evidence }) => evidence.labels)).toEqual([{ scope: 'queue' }, { scope: 'group' }]);
    expect([...source.endpoints]).toEqual([
      ['http://a', true],
      ['http://b', false],
    ]);
    expect(asked.filter((url) => url.startsWith('http://b'))).toHaveLength(1);
  });

  test('goes on where it was when it is back', async () => {
    isUp = true;
    expect((await run().list()).queues.map(({ counts }) => counts?.published)).toEqual([150, 0]);
  });

  test('ends the status only where no other answers', async () => {
    await expect(
      broker({ a: () => down, b: () => down })
        .run()
        .status(),
    ).rejects.toMatchObject({ code: 'E_CONNECT' });
  });
});

test('a node that is first read later begins to count there, and its history is no burst', async () => {
  let isUp = false;
  const { run } = broker({
    a: old('r@a', () => queue('q', 0) + published('<0.1.0>', 'q', 5)),
    b: (page, query) => (isUp ? old('r@b', () => published('<0.9.0>', 'q', 1_000_000))(page, query) : down),
  });
  expect((await run().list()).queues[0]?.counts).toBeUndefined();
  isUp = true;
  expect((await run().list()).queues[0]?.counts?.published).toBe(5);
});

test('two URLs of one node are a wrong configuration, and counted once', async () => {
  const node = old('r@a', () => queue('q', 1) + published('<0.1.0>', 'q', 5), 'rabbitmq_queues 1\n');
  const { run } = broker({ a: node, b: node });
  const { queues, problems } = await run().list();
  expect(queues).toMatchObject([{ counts: { published: 5 } }]);
  expect(problems.map(({ code, message }) => [code, message])).toEqual([
    ['E_CONFIG', 'http://b and http://a are the same node "r@a": give one URL for each node'],
  ]);
  expect((await run().status()).broker?.queues).toBe(1);
});

test('vhosts are asked for by name, and one that does not exist is told', async () => {
  const page = `rabbitmq_cluster_vhost_status{vhost="/"} 1\n${queue('q', 1)}${published('<0.1.0>', 'q', 1)}`;
  const { run, asked } = broker({ a: old('r@a', () => page) }, { vhosts: ['/', 'no va'] });
  const { queues, problems } = await run().list();
  expect(asked[0]).toContain('&vhost=%2F&vhost=no%20va');
  expect(queues).toHaveLength(1);
  expect(problems).toMatchObject([{ code: 'E_NOT_FOUND', evidence: { labels: { vhost: 'no va' } } }]);
  const globs = broker({ a: old('r@a', () => page) }, { vhosts: ['n*'] });
  expect((await globs.run().list()).queues).toEqual([]);
  expect(globs.asked[0]).not.toContain('vhost=');
});

test('before 3.10 there is a status, and no queues', async () => {
  const { run } = broker({
    a: (page) => (page === 'metrics' ? `rabbitmq_queues 3\n${identity('r@a', '3.8.9')}` : notFound),
  });
  const source = run();
  const { broker: sums, vhosts, problems } = await source.status();
  expect(sums).toMatchObject({ queues: 3, counts: undefined, version: '3.8.9' });
  expect([vhosts, problems]).toEqual([[], []]);
  expect((await source.list()).problems[0]?.message).toMatch(/^http:\/\/a: there is no \/metrics\/detailed.*3\.10/);
  expect([...source.endpoints]).toEqual([['http://a', true]]);
});

test.each([
  ['another exporter', 'node_load1 0.5\n', /does not say which node/],
  ['an empty page', '', /no sample/],
])('%s is no broker', async (_, text, message) => {
  await expect(
    broker({ a: () => text })
      .run()
      .status(),
  ).rejects.toMatchObject({ code: 'E_PARSE', message });
});

test('alarms: one is enough for the broker, and all nodes must say that there is none', async () => {
  const page = (value: number): string =>
    `rabbitmq_alarms_memory_used_watermark ${value}\nrabbitmq_alarms_free_disk_space_watermark 0\n`;
  const alarm = async (...nodes: readonly Node[]) => {
    const named = Object.fromEntries(nodes.map((node, index) => [`n${index}`, node]));
    return (await broker(named).run().status()).broker?.alarm;
  };
  const quiet = old('r@a', () => '', page(0));
  expect(await alarm(quiet)).toBe(false);
  expect(
    await alarm(
      quiet,
      old('r@b', () => '', page(1)),
    ),
  ).toBe(true);
  expect(await alarm(quiet, () => down)).toBeUndefined();
  expect(await alarm(old('r@a', () => ''))).toBeUndefined();
  expect(
    await alarm(
      old('r@a', () => '', page(1)),
      () => down,
    ),
  ).toBe(true);
});

test('lines that a queue’s name forges leave the queue unknown', async () => {
  const { run } = broker({ a: old('r@a', () => queue('q', 1) + queue('x"} 0\n', 7) + queue('q', 99)) });
  const { queues, problems } = await run().list();
  expect(queues.find(({ name }) => name === 'q')?.ready).toBeUndefined();
  expect(problems.find(({ evidence }) => evidence.labels?.queue === 'q')?.message).toContain(
    'two samples of one number',
  );
});

test('a wrong line leaves its node and the sums of the broker unknown', async () => {
  const { run } = broker({
    a: old('r@a', () => '', 'rabbitmq_queues 1\nrabbitmq_queues{x="a"b"} 2\nrabbitmq_process_max_fds 9\n'),
  });
  const { broker: sums, nodes, problems } = await run().status();
  expect([sums?.queues, nodes[0]?.fdTotal]).toEqual([undefined, 9]);
  expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([
    ['E_PARSE', { scope: 'node', node: 'r@a' }],
    ['E_PARSE', { scope: 'broker' }],
  ]);
});

test('links to other nodes', async () => {
  const page =
    'erlang_vm_dist_recv_bytes{peer="r@b"} 7\nerlang_vm_dist_send_bytes{peer="r@b"} 8\nerlang_vm_dist_recv_cnt{peer="r@b"} 1\n';
  const { nodes } = await broker({ a: old('r@a', () => '', page) })
    .run()
    .status();
  expect(nodes[0]?.peers).toEqual([{ peer: 'r@b', sentBytes: 8, receivedBytes: 7 }]);
});

test('a node that was upgraded is asked anew how it counts', async () => {
  let version = '3.13.7';
  const { run, asked } = broker({
    a: (page) => {
      if (page === 'metrics') return identity('r@a', version);
      return (version === '3.13.7' ? BY_CHANNEL : BY_QUEUE) + queue('q', 0) + identity('r@a', version);
    },
  });
  await run().list();
  version = '4.1.0';
  const source = run();
  await source.status();
  asked.length = 0;
  expect((await source.list()).queues[0]?.counts).toBeDefined();
  expect(asked).toHaveLength(1);
  expect(asked[0]).toContain('queue_delivery_metrics');
});

test('the totals of a broker are summed over protocols, types and nodes', async () => {
  const page = (count: number): string =>
    ['acknowledged', 'delivered_consume_manual_ack', 'delivered_consume_auto_ack', 'delivered_get_manual_ack']
      .concat('delivered_get_auto_ack', 'redelivered')
      .map(
        (name) =>
          `rabbitmq_global_messages_${name}_total{protocol="amqp091",queue_type="rabbit_classic_queue"} ${count}\nrabbitmq_global_messages_${name}_total{protocol="amqp10",queue_type="rabbit_quorum_queue"} 1\n`,
      )
      .join('');
  const { run } = broker({ a: old('r@a', () => '', page(10)), b: old('r@b', () => '', page(20)) });
  expect((await run().status()).broker?.counts).toMatchObject({
    ...{ acked: 32, delivered: 64, got: 64, redelivered: 32, settled: 96, published: undefined },
  });
});
