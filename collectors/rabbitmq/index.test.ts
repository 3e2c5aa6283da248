/** What is unknown is not 0, and what is old is no increment: the rules over several runs. */
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/errors.ts';
import { noSuch, scripted } from '../../test/support/rabbitmq-scripted.ts';

const counted = (publish: number, ack = publish) => ({
  message_stats: { publish, deliver: ack, deliver_get: ack, ack, get: 0 },
});
const queue = (name: string, messages: number, more: object = {}): Record<string, unknown> => ({
  ...{ vhost: '/', name, messages, messages_ready: messages, messages_unacknowledged: 0 },
  ...{ consumers: 1, memory: 1000, state: 'running', type: 'classic', node: 'rabbit@a' },
  ...more,
});
const refused = () => new Failure('E_AUTH', 'refused', { status: 401 });
const all = { host: 'all' };

describe('what was there before we saw it is no increment', () => {
  test('a queue that comes in by maxQueues', async () => {
    const run = scripted({ ...all, maxQueues: 1 });
    const b = (messages: number, publish: number) => queue('b', messages, counted(publish));
    const a = queue('a', 10, counted(100));
    await run({ queues: [a, b(1, 1_000_000)] });
    const { values } = await run({ queues: [a, b(1000, 1_000_060)] });
    expect(values['queue._.b.messages']).toBe(1000);
    expect(values['queue._.b.published']).toBeUndefined();
    expect(values['queue._.b.publish_rate']).toBeUndefined();
    const next = await run({ queues: [a, b(1000, 1_000_120)] });
    expect(next.values).toMatchObject({ 'queue._.b.published': 60, 'queue._.b.publish_rate': 2 });
  });

  test('a vhost that may be read from now on', async () => {
    const run = scripted(all);
    const hidden = queue('q', 5, { vhost: 'nova', ...counted(5_000_000) });
    await run({ queues: [queue('a', 1, counted(1))] });
    const { values } = await run({ queues: [queue('a', 1, counted(1)), hidden] });
    expect(values['queue.nova.q.messages']).toBe(5);
    expect(values['queue.nova.q.published']).toBeUndefined();
  });

  test('counts that a queue has only after a while', async () => {
    const run = scripted(all);
    await run({ queues: [queue('a', 1)] });
    const { values } = await run({ queues: [queue('a', 1, counted(1_000_001))] });
    expect(values['queue._.a.published']).toBeUndefined();
  });

  test('sums that lack a node for one run', async () => {
    const run = scripted(all);
    const [a, b] = [{ name: 'rabbit@a' }, { name: 'rabbit@b' }].map((node) => ({
      ...{ ...node, running: true, mem_used: 1, uptime: 1000 },
    }));
    const silent = { name: 'rabbit@b', running: true };
    const broker = (publish: number, ...nodes: unknown[]) => ({
      overview: counted(publish),
      nodes: nodes as Record<string, unknown>[],
    });
    await run(broker(3_000_001, a, b));
    const without = await run(broker(2_000_002, a, silent));
    const back = await run(broker(3_000_003, a, b));
    const later = await run(broker(3_000_063, a, b));
    expect([without, back, later].map(({ values }) => values['broker.published'])).toEqual([undefined, undefined, 60]);
  });
});

describe('what is missing is unknown, and not 0', () => {
  test('consumers, memory, counts and all that follows, while a queue has its depth alone', async () => {
    const run = scripted(all);
    for (const publish of [0, 30, 60]) await run({ queues: [queue('a', 5000, counted(publish))] });
    const lagging = { vhost: '/', name: 'a', messages: 5000, messages_ready: 5000, messages_unacknowledged: 0 };
    const { values } = await run({ queues: [lagging] });
    expect(values['queue._.a.messages']).toBe(5000);
    for (const name of ['consumers', 'memory_bytes', 'publish_rate', 'ack_rate', 'running.state'])
      expect(values, name).not.toHaveProperty([`queue._.a.${name}`]);
  });

  test('a running node without statistics', async () => {
    const run = scripted(all);
    const whole = { name: 'rabbit@a', running: true, mem_used: 1, uptime: 1000, disk_free: 7, partitions: [] };
    await run({ nodes: [whole] });
    const { values } = await run({ nodes: [{ name: 'rabbit@a', running: true }] });
    expect(values['node.rabbit_a.running']).toBe(1);
    expect(Object.keys(values).filter((path) => /^node\.(?!.*running)/.test(path))).toEqual([]);
  });

  test('an alarm that the broker does not tell any more', async () => {
    const run = scripted({ host: 'own', hostName: 'hv07', vhosts: ['/'] });
    const queues = [queue('compute.hv07', 0)];
    expect((await run({ queues })).values['broker.alarm']).toBe(0);
    const { values } = await run({ queues, failing: { '/api/health': noSuch() } });
    expect(values).not.toHaveProperty(['broker.alarm']);
  });

  test('the sum of a group of which one is on a node that is down', async () => {
    const run = scripted(all);
    const reply = (name: string, messages: number) => queue(`reply_${name}`, messages);
    const { messages: _, messages_ready: __, ...down } = reply('b', 90);
    expect((await run({ queues: [reply('a', 10), reply('b', 90)] })).values['group._.reply.messages']).toBe(100);
    const { values } = await run({ queues: [reply('a', 10), { ...down, state: 'down' }] });
    expect(values).not.toHaveProperty(['group._.reply.messages']);
    expect(values['group._.reply.queues']).toBe(2);
    expect(values['broker.queues_unknown']).toBe(1);
  });

  test('queues of a vhost in which this user lost its permission, also between two lists', async () => {
    const run = scripted(all);
    const [mine, nova] = [queue('a', 1, counted(1)), queue('conductor', 9, { vhost: 'nova', ...counted(1) })];
    await run({ queues: [mine, nova] });
    for (let times = 0; times < 12; times++) {
      const { values, problems } = await run({ queues: [mine], failing: { '/api/queues/nova': refused() } });
      expect(Object.keys(values).filter((path) => path.startsWith('queue.nova'))).toEqual([]);
      expect(problems.join()).toContain('set_permissions');
      expect(values['queue._.a.messages']).toBe(1);
    }
  });
});

test('of some vhosts there is no sum of the broker’s messages, and of own queues none at all', async () => {
  const queues = [queue('compute.hv07', 3, { vhost: 'nova' }), queue('b', 4, { vhost: 'nova' })];
  const some = await scripted({ ...all, vhosts: ['nova'] })({ queues, vhosts: [{ name: '/' }, { name: 'nova' }] });
  expect(some.values['vhost.nova.messages']).toBe(7);
  expect(some.values).not.toHaveProperty(['broker.messages']);
  const own = await scripted({ host: 'own', hostName: 'hv07' })({ queues });
  expect(Object.keys(own.values).filter((path) => /^(?:vhost|group)\./.test(path))).toEqual([]);
});

test('own: a queue that was deleted and made anew is not stuck at once', async () => {
  const run = scripted({ host: 'own', hostName: 'hv07', vhosts: ['/'] });
  const waiting = queue('compute.hv07', 5, { consumers: 0 });
  const stuck = async (queues: readonly Record<string, unknown>[]) =>
    (await run({ queues })).values['queue._.compute_hv07.stuck'];
  expect([await stuck([waiting]), await stuck([waiting]), await stuck([waiting])]).toEqual([0, 0, 1]);
  await run({});
  await run({});
  expect(await stuck([waiting])).toBe(0);
});

describe('what was away is compared with what was there before', () => {
  test('a key of the counts that is left out for one run, and totals that lack a node: no spike', async () => {
    for (const options of [all, { host: 'own', hostName: 'hv07', vhosts: ['/'] }]) {
      const run = scripted(options);
      const of = (counts: object) => ({ queues: [queue('compute.hv07', 1, counts)] });
      await run(of(counted(3_000_001)));
      await run(of(counted(2_000_002)));
      const back = await run(of(counted(3_000_003)));
      expect(back.values['queue._.compute_hv07.published']).toBeUndefined();
      await run(of({ message_stats: { publish: 3_000_010, deliver_get: 1 } }));
      const { values } = await run(of(counted(3_000_020)));
      expect(values['queue._.compute_hv07.acked']).toBeUndefined();
      const later = await run(of(counted(3_000_050)));
      expect(later.values).toMatchObject({ 'queue._.compute_hv07.acked': 30, 'queue._.compute_hv07.published': 30 });
    }
  });

  test('a queue whose counts are away for a while is not stuck for that, and its rates end at last', async () => {
    const run = scripted(all);
    for (const publish of [0, 30, 60]) await run({ queues: [queue('a', 5, counted(publish))] });
    const seen = [];
    for (let times = 0; times < 12; times++) seen.push((await run({ queues: [queue('a', 5)] })).values);
    const stuck = seen.slice(0, 10).map((values) => values['queue._.a.stuck']);
    expect(stuck.filter((value) => value === 1)).toEqual([]);
    const rates = seen.map((values) => values['queue._.a.publish_rate']);
    expect(rates.slice(0, 10)).toEqual(rates.slice(0, 10).map(() => undefined));
    expect(rates).toContain(0);
  });
});

describe('a problem covers what it is about, and no more', () => {
  const states = (values: Readonly<Record<string, number | undefined>>) => ({
    running: values['queue._.a.running.state'],
    idle: values['queue._.a.idle.state'],
  });

  test('two queues of one name', async () => {
    const run = scripted(all);
    const pair = ['x.y', 'x_y'].map((name) => queue(name, 1, counted(1)));
    await run({ queues: [...pair, queue('a', 1, counted(1))] });
    const { values, problems } = await run({ queues: [...pair, queue('a', 1, { ...counted(1), state: 'idle' })] });
    expect(states(values)).toEqual({ running: 0, idle: 1 });
    expect(Object.keys(values).filter((path) => path.startsWith('queue._.x_y.'))).toEqual([]);
    expect(problems.join()).toContain('neither is sent');
    // One of the two is gone: the other is told, and counts from what it shows.
    const alone = await run({ queues: [queue('x_y', 7, counted(1_000_000)), queue('a', 1, counted(1))] });
    expect(alone.values['queue._.x_y.messages']).toBe(7);
    expect(alone.values['queue._.x_y.published']).toBeUndefined();
  });

  test('a list that failed, while the details are read', async () => {
    const run = scripted(all);
    const a = (state: string) => [queue('a', 1, { ...counted(1), state })];
    await run({ queues: a('running') });
    const failed = new Failure('E_HTTP_STATUS', 'it answered with status 500', { status: 500 });
    const { values, problems } = await run({ queues: a('idle'), failingList: failed });
    expect(states(values)).toEqual({ running: 0, idle: 1 });
    expect(problems.join()).toContain('status 500');
  });

  test('some vhosts alone: the broker’s own series still end', async () => {
    const run = scripted({ ...all, vhosts: ['nova'] });
    const scene = (version: string) => ({
      vhosts: [{ name: 'nova' }],
      overview: { rabbitmq_version: version, queue_totals: { messages: 1 } },
    });
    await run(scene('3.10.8'));
    const { values } = await run(scene('3.11.1'));
    expect(values).toMatchObject({ 'broker.3_10_8.version_info': 0, 'broker.3_11_1.version_info': 1 });
  });
});
