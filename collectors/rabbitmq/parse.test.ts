/** What the management plugin of any age says, and what it leaves out. Shapes: its source, 2.8.7 to 4.0. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countsOf, exchangeOf, federationOf, nodeOf, overviewOf, queueOf, shovelOf, vhostOf } from './parse.ts';

const named = { vhost: '/', name: 'compute.hv01' };
/** As in `*_details` of an answer to msg_rates_age and lengths_age: the newest comes first. */
const sampled = (newest: number, atMs: number) => ({
  rate: 0,
  samples: [
    { sample: newest, timestamp: atMs },
    { sample: 0, timestamp: atMs - 5000 },
  ],
});

describe('message_stats', () => {
  test.each([
    ['absent: nothing happened yet', {}],
    ['an empty object', { message_stats: {} }],
    ['an empty list, as of 2.x', { message_stats: [] }],
    ['null', { message_stats: null }],
    ['rates_mode none: the disk alone', { message_stats: { disk_reads: 3, disk_writes: 4 } }],
    ['numbers that are none', { message_stats: { publish: '7', ack: null, deliver: -1, get: Number.NaN } }],
  ])('%s: no counts', (_, fields) => {
    expect(countsOf(fields)).toBeUndefined();
    expect(queueOf({ ...named, ...fields })?.counts).toBeUndefined();
  });

  test('what the broker leaves out did not happen', () => {
    expect(countsOf({ message_stats: { publish: 7 } })).toEqual({
      ...{ published: 7, delivered: 0, acked: 0, redelivered: 0, got: 0, returned: 0, confirmed: 0, settled: 0 },
      countedAtMs: undefined,
    });
  });

  test('delivered, got and settled are sums, and deliver_get is not added to them', () => {
    const message_stats = {
      ...{
        publish: 100,
        deliver: 10,
        deliver_no_ack: 20,
        get: 3,
        get_no_ack: 4,
        deliver_get: 37,
        ack: 8,
        redeliver: 2,
      },
      ...{ return_unroutable: 5, confirm: 6 },
    };
    expect(countsOf({ message_stats })).toMatchObject({
      ...{ published: 100, delivered: 30, got: 7, acked: 8, settled: 32, redelivered: 2, returned: 5, confirmed: 6 },
    });
  });

  test('a queue never tells what is returned or confirmed', () => {
    const message_stats = { publish: 1, return_unroutable: 5, confirm: 6 };
    expect(queueOf({ ...named, message_stats })?.counts).toMatchObject({
      ...{ published: 1, returned: undefined, confirmed: undefined },
    });
  });

  test('with samples, the newest one is taken, with its time, also where the total is newer', () => {
    const message_stats = {
      publish: 120,
      publish_details: sampled(100, 50_000),
      ack: 90,
      ack_details: sampled(80, 50_000),
    };
    expect(countsOf({ message_stats })).toMatchObject({ published: 100, acked: 80, settled: 80, countedAtMs: 50_000 });
  });

  test.each([
    ['no samples', { rate: 1.5 }],
    ['an empty list of samples', { rate: 1, samples: [] }],
    ['a sample without time', { samples: [{ sample: 3 }] }],
    ['a list for an object', []],
  ])('%s: the total, at no known time', (_, publish_details) => {
    expect(countsOf({ message_stats: { publish: 120, publish_details } })).toMatchObject({
      ...{ published: 120, countedAtMs: undefined },
    });
  });
});

describe('queues', () => {
  test('one that was just declared, or is on a node that is down, has its name alone, and no 0', () => {
    expect(queueOf(named)).toEqual({
      ...{ ...named, messages: undefined, ready: undefined, unacked: undefined, countedAtMs: undefined },
      ...{ consumers: undefined, consumerUtilisation: undefined, memoryBytes: undefined, state: undefined },
      ...{ type: undefined, leader: undefined, counts: undefined },
    });
    expect(queueOf({ ...named, state: 'down', node: 'rabbit@broker2' })).toMatchObject({
      ...{ state: 'down', leader: 'rabbit@broker2', messages: undefined },
    });
  });

  test.each([
    ['""', ''],
    ['null', null],
    ['absent', undefined],
  ])('consumer_utilisation %s is unknown', (_, consumer_utilisation) => {
    expect(queueOf({ ...named, consumers: 1, consumer_utilisation })?.consumerUtilisation).toBeUndefined();
  });

  test('consumer_utilisation without consumers says nothing', () => {
    expect(queueOf({ ...named, consumers: 0, consumer_utilisation: 0 })?.consumerUtilisation).toBeUndefined();
    expect(queueOf({ ...named, consumers: 2, consumer_utilisation: 0 })?.consumerUtilisation).toBe(0);
    expect(queueOf({ ...named, consumer_utilisation: 0.5 })?.consumerUtilisation).toBe(0.5);
  });

  describe('its depth, of which the newest sample is dated at a time that is not come yet', () => {
    const depth = (messages: number, ...samples: readonly number[]) => {
      const dated = samples.map((sample, at) => ({ sample, timestamp: 50_000 - 5000 * at }));
      return queueOf({ ...named, messages, messages_details: { rate: 0, samples: dated } });
    };

    test('is that of the one before, with its time', () => {
      expect(depth(30, 30, 20, 10)).toMatchObject({ messages: 20, countedAtMs: 45_000 });
    });

    test('is what the queue says now, where there is none before', () => {
      expect(depth(30, 30)).toMatchObject({ messages: 30, countedAtMs: undefined });
      expect(depth(30)).toMatchObject({ messages: 30, countedAtMs: undefined });
    });

    test('is what the queue says now, where the one before is 0 and may stand for nothing known', () => {
      expect(depth(30, 30, 0)).toMatchObject({ messages: 30, countedAtMs: undefined });
      expect(depth(0, 0, 0)).toMatchObject({ messages: 0, countedAtMs: 45_000 });
    });
  });

  test('a quorum queue says leader, a classic queue node', () => {
    expect(queueOf({ ...named, node: 'a@x', leader: 'b@x' })?.leader).toBe('b@x');
    expect(queueOf({ ...named, node: 'a@x' })?.leader).toBe('a@x');
  });

  test.each([null, 7, 'x', [], {}, { name: 'a' }, { vhost: '/' }, { vhost: '', name: 'a' }, { vhost: '/', name: 7 }])(
    '%j is no queue',
    (value) => {
      expect(queueOf(value)).toBeUndefined();
    },
  );

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is a name as any other', (name) => {
    const text = JSON.stringify({ vhost: name, name, messages: 3 });
    expect(queueOf(JSON.parse(text))).toMatchObject({ vhost: name, name, messages: 3 });
  });

  test('the keys of an object’s prototype are no fields of the answer', () => {
    const hostile = JSON.parse(
      '{"vhost":"/","name":"q","__proto__":{"messages":9,"state":"running"},"constructor":{}}',
    );
    expect(queueOf(hostile)).toMatchObject({ messages: undefined, state: undefined });
    expect(countsOf(JSON.parse('{"message_stats":{"__proto__":{"publish":9}}}'))).toBeUndefined();
    expect(countsOf(JSON.parse('{"__proto__":{"message_stats":{"publish":9}}}'))).toBeUndefined();
  });

  test('of two values of one key (3.4) the last one is what the queue itself said, and is taken', () => {
    // What is computed over samples is put before what the queue reported (rabbit_mgmt_db, merge_stats).
    const text = '{"messages":4,"messages_details":{"rate":0.0},"memory":9,"messages":5,"name":"q","vhost":"/"}';
    expect(queueOf(JSON.parse(text))?.messages).toBe(5);
  });
});

describe('nodes', () => {
  test('one that does not run has its name alone, and no 0', () => {
    const stopped = nodeOf({ name: 'rabbit@broker2', type: 'disc', running: false });
    const { node, running, peers, ...others } = stopped ?? {};
    expect([node, running, peers]).toEqual(['rabbit@broker2', false, []]);
    expect(new Set(Object.values(others))).toEqual(new Set([undefined]));
  });

  test('words where a number is expected are unknown', () => {
    const words = {
      disk_free: 'disk_free_monitoring_disabled',
      disk_free_limit: 'nan',
      fd_used: 'unknown',
      mem_limit: '',
    };
    expect(nodeOf({ name: 'n', running: true, ...words })).toMatchObject({
      ...{ diskFreeBytes: undefined, diskFreeLimitBytes: undefined, fdUsed: undefined, memoryLimitBytes: undefined },
    });
  });

  test('0 sockets of 0 (4.x) are not told, 0 of 100 are', () => {
    const of = (sockets_total: number) => nodeOf({ name: 'n', sockets_used: 0, sockets_total });
    expect(of(0)).toMatchObject({ socketsUsed: undefined, socketsTotal: undefined });
    expect(of(100)).toMatchObject({ socketsUsed: 0, socketsTotal: 100 });
  });

  test('partitions are counted, and unknown where there is no list of them', () => {
    expect(nodeOf({ name: 'n', partitions: [] })?.partitions).toBe(0);
    expect(nodeOf({ name: 'n', partitions: ['rabbit@broker2', 'rabbit@broker3'] })?.partitions).toBe(2);
    expect(nodeOf({ name: 'n' })?.partitions).toBeUndefined();
    expect(nodeOf({ name: 'n', partitions: 'none' })?.partitions).toBeUndefined();
  });

  test('uptime is in milliseconds; links without a name are left out', () => {
    const stats = { send_bytes: 1, recv_bytes: 2 };
    const links = [{ name: 'rabbit@broker2', stats }, { stats }, null, { name: 'rabbit@broker3', stats: [] }];
    expect(nodeOf({ name: 'n', uptime: 1500, cluster_links: links })).toMatchObject({
      uptimeSeconds: 1.5,
      peers: [
        { peer: 'rabbit@broker2', sentBytes: 1, receivedBytes: 2 },
        { peer: 'rabbit@broker3', sentBytes: undefined, receivedBytes: undefined },
      ],
    });
  });
});

describe('overview', () => {
  test.each([
    ['2.8: [] for what is empty', { message_stats: [], queue_totals: [] }],
    ['3.x and 4.x: {}', { message_stats: {}, queue_totals: {}, churn_rates: {}, object_totals: {} }],
    ['without statistics: missing', {}],
  ])('%s: nothing is known, and nothing is 0', (_, fields) => {
    const { alarm, ...others } = overviewOf({ ...fields }, false);
    expect(alarm).toBe(false);
    expect(new Set(Object.values(others))).toEqual(new Set([undefined]));
  });

  test('whether messages are counted by queue', () => {
    const of = (fields: object) => overviewOf(fields, undefined).countsMessages;
    expect(of({})).toBeUndefined();
    expect(of({ rates_mode: 'basic', disable_stats: false })).toBe(true);
    expect(of({ rates_mode: 'detailed' })).toBe(true);
    expect(of({ rates_mode: 'none' })).toBe(false);
    expect(of({ rates_mode: 'basic', disable_stats: true })).toBe(false);
  });

  test('churn: what an old one lacks is unknown', () => {
    const churn_rates = { connection_created: 4, connection_closed: 3 };
    expect(overviewOf({ churn_rates }, undefined).churn).toMatchObject({
      ...{ connectionsOpened: 4, connectionsClosed: 3, queuesDeleted: undefined },
    });
  });

  test('depths that were counted at different times: those of the newest time are told as of it', () => {
    const queue_totals = {
      ...{ messages: 9, messages_details: sampled(8, 10_000) },
      ...{ messages_ready: 7, messages_ready_details: sampled(6, 10_000) },
    };
    expect(overviewOf({ queue_totals }, undefined)).toMatchObject({ messages: 8, ready: 6, countedAtMs: 10_000 });
  });
});

test('a vhost runs where it does on each node; without a word of it that is unknown', () => {
  const of = (cluster_state: unknown) => vhostOf({ name: 'nova', cluster_state })?.running;
  expect(of({ 'rabbit@broker1': 'running', 'rabbit@broker2': 'running' })).toBe(true);
  expect(of({ 'rabbit@broker1': 'running', 'rabbit@broker2': 'stopped' })).toBe(false);
  expect([of({}), of([]), of(undefined)]).toEqual([undefined, undefined, undefined]);
});

test('the default exchange has an empty name, and one that was never used has no counts', () => {
  expect(exchangeOf({ vhost: '/', name: '', message_stats: { publish_in: 3 } })).toEqual({
    ...{ vhost: '/', exchange: '', publishedIn: 3, publishedOut: undefined },
  });
  expect(exchangeOf({ vhost: '/', name: 'nova', message_stats: [] })).toMatchObject({ publishedIn: undefined });
  expect(exchangeOf({ name: 'nova' })).toBeUndefined();
});

test('links: of exchanges and queues, and shovels without vhost', () => {
  const link = { vhost: '/', upstream: 'dc2' };
  expect(federationOf({ ...link, exchange: 'nova', status: 'running' })).toMatchObject({
    name: 'dc2 nova',
    running: true,
  });
  expect(federationOf({ ...link, queue: 'orders', status: 'error' })).toMatchObject({
    name: 'dc2 orders',
    running: false,
  });
  expect(federationOf(link)).toBeUndefined();
  expect(shovelOf({ name: 'move', state: 'running' })).toMatchObject({ vhost: '', name: 'move', running: true });
  expect(shovelOf({ name: 'move', vhost: '/', state: 'starting' })).toMatchObject({ vhost: '/', running: false });
  expect(shovelOf({ name: 'move' })).toBeUndefined();
});

test('whatever JSON there is, nothing throws, and every number is finite and not negative', () => {
  const keys = ['message_stats', 'publish', 'publish_details', 'samples', 'messages', 'name', 'vhost', 'churn_rates'];
  const more = ['queue_totals', 'cluster_links', 'cluster_state', 'partitions', 'running', 'uptime', '__proto__'];
  const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
    leaf: fc.jsonValue({ maxDepth: 1 }),
    tree: fc.oneof(
      { maxDepth: 4 },
      tie('leaf'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys, ...more), tie('tree'), { maxKeys: 6 }),
    ),
  }));
  const numbersIn = (value: unknown): number[] => {
    if (typeof value === 'number') return [value];
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [];
  };
  let records = 0;
  fc.assert(
    fc.property(tree, fc.boolean(), (value, isNamed) => {
      // Most trees are no record, for want of a name.
      const named = isNamed && typeof value === 'object' ? { ...value, vhost: '/', name: 'q' } : value;
      const parsed: unknown = JSON.parse(JSON.stringify(named));
      const found = [queueOf, vhostOf, nodeOf, exchangeOf, federationOf, shovelOf].map((recordOf) => recordOf(parsed));
      records += found.filter((one) => one !== undefined).length;
      const numbers = numbersIn([...found, overviewOf(parsed, undefined)]);
      expect(numbers.filter((one) => !(Number.isFinite(one) && one >= 0))).toEqual([]);
    }),
  );
  expect(records).toBeGreaterThan(0);
});
