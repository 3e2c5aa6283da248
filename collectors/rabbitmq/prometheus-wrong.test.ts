/** Constructed from the source of 3.10 to 3.12, which escapes nothing; the captured page has one such queue too. */
import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { createPrometheusMemory, prometheusSource } from './by-prometheus.ts';
import { options } from './options.ts';
import { ownerOf } from './prometheus-wrong.ts';

const DEPTH = 'rabbitmq_detailed_queue_messages';
const PUBLISHED = 'rabbitmq_detailed_queue_messages_published_total';
const exchanged = (queue: string, exchange: string): string =>
  `${PUBLISHED}{channel="<0.1.0>",queue_vhost="/",queue="${queue}",exchange_vhost="/",exchange="${exchange}"} 5`;

describe('whose line it is', () => {
  test.each([
    [`${DEPTH}{vhost="/",queue="a"b"} 1`, DEPTH, '/', 'a"b'],
    [`${DEPTH}{vhost="v"w",queue="q"} 1`, DEPTH, 'v"w', 'q'],
    [`${DEPTH}{vhost="/",queue="} 1"} 1`, DEPTH, '/', '} 1'],
    ['rabbitmq_x{channel="<0.1.0>",vhost="/",queue="a"b"} 1', 'rabbitmq_x', '/', 'a"b'],
    [exchanged('a"b', 'e'), PUBLISHED, '/', 'a"b'],
    [exchanged('q', 'e"f'), PUBLISHED, '/', 'q'],
  ])('%s', (line, family, vhost, name) => {
    expect(ownerOf(line)).toEqual({ family, vhost, name });
  });

  test.each([
    'auth Basic x',
    'rabbitmq_cluster_vhost_status{vhost="a"b"} 1',
    `${DEPTH}{vhost="/",queue="a`,
    'b"} 1',
    `${DEPTH}{vhost="/",queue="a"b",queue="c"} 1`,
    exchanged('a",exchange_vhost="b"', 'e'),
    `${DEPTH}{node="n",vhost="/",queue="a"b"} 1`,
  ])('is not certain of %s', (line) => {
    expect(ownerOf(line)).toBeUndefined();
  });
});

/** One node with these lines of queues. */
function node(page: () => string, more: Readonly<Record<string, unknown>> = {}) {
  const memory = createPrometheusMemory();
  const settings = options.parse({ source: 'prometheus', urls: ['http://a'], ...more });
  const head = '# TYPE rabbitmq_detailed_channel_messages_delivered_total counter\n';
  const foot = 'rabbitmq_build_info{rabbitmq_version="3.12.0"} 1\nrabbitmq_identity_info{rabbitmq_node="r@a"} 1\n';
  const host = { getText: async () => head + foot + page() } as unknown as Host;
  return { memory, list: () => prometheusSource(host, settings, memory).list() };
}

const depth = (name: string, value: number): string => `${DEPTH}{vhost="/",queue="${name}"} ${value}\n`;
const NONE = { scope: 'none' };
const labelsOf = (problems: readonly { readonly evidence: { readonly labels?: unknown } }[]) =>
  problems.map(({ evidence }) => evidence.labels);

test('a queue whose line cannot be read is unknown for itself, in every run, and the others are known', async () => {
  const { list } = node(() => depth('a', 1) + depth('x"y', 7) + depth('reply_1', 3));
  for (let run = 0; run < 3; run++) {
    const { queues, problems } = await list();
    expect(queues.map(({ name, messages }) => [name, messages])).toEqual([
      ['a', 1],
      ['x"y', undefined],
      ['reply_1', 3],
    ]);
    expect(queues[0]?.counts).toMatchObject({ published: 0 });
    expect(labelsOf(problems)).toEqual([NONE, { scope: 'queue', vhost: '/', queue: 'x"y' }]);
    expect(problems[0]?.message).toMatch(/^http:\/\/a: line 5 \(rabbitmq_detailed_queue_messages\) is no sample/);
  }
});

test('even where most queues have such names', async () => {
  const { queues, problems } = await node(
    () => depth('a', 1) + [...'bcdefghijk'].map((one) => depth(`"${one}`, 1)).join(''),
  ).list();
  expect(queues.filter(({ messages }) => messages !== undefined).map(({ name }) => name)).toEqual(['a']);
  expect(problems.filter(({ evidence }) => evidence.labels?.queue === undefined)).toHaveLength(1);
});

test('what is counted of a queue is unknown where a line of it is, and its depth is not', async () => {
  const { list } = node(() => `${depth('a', 1)}${depth('b', 2)}${exchanged('a', 'e"f')}\n${exchanged('b', 'e')}\n`);
  const { queues, problems } = await list();
  expect(queues).toMatchObject([
    { name: 'a', messages: 1, counts: undefined },
    { name: 'b', messages: 2, counts: { published: 5 } },
  ]);
  expect(labelsOf(problems)).toEqual([NONE, { scope: 'queue', vhost: '/', queue: 'a' }]);
});

test('a wrong line for ever does not let memory grow', async () => {
  let run = 0;
  const { list, memory } = node(
    () => `${depth('x"y', 1)}${depth(`job${run}`, 1)}${exchanged(`job${run}`, '')}\n${depth('a', 1)}`,
  );
  for (; run < 20; run++) await list();
  expect(memory.totals.size).toBe(2);
});

test.each([
  ['mostly wrong', 'x\n'.repeat(30)],
  ['cut off', 'rabbitmq_detailed_queue_mess'],
])('a page that is %s leaves every queue and group unknown, and begins no count anew', async (_, damage) => {
  let total = 100;
  let behind = '';
  const published = (): string => `${PUBLISHED}{channel="<0.1.0>",queue_vhost="/",queue="a"} ${total}\n`;
  const { list, memory } = node(() => depth('a', 1) + (behind === '' ? published() : behind));
  expect((await list()).queues[0]?.counts?.published).toBe(100);
  behind = damage;
  const { queues, problems } = await list();
  expect(queues[0]?.counts).toBeUndefined();
  expect(labelsOf(problems)).toEqual([{ scope: 'queue' }, { scope: 'group' }]);
  expect(memory.nodes.get('http://a')?.countsByQueue).toBe(false);
  [behind, total] = ['', 130];
  expect((await list()).queues[0]?.counts?.published).toBe(130);
});
