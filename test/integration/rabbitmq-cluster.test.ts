/** The rabbitmq collector on a real cluster of two, and on brokers that count nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, brokerReason, startBroker } from '../support/rabbitmq-broker.ts';
import { partition, startCluster } from '../support/rabbitmq-cluster.ts';
import { type RabbitmqRun, type RabbitmqRuns, rabbitmqRuns } from '../support/rabbitmq-runs.ts';
import { connect } from '../support/rabbitmq-traffic.ts';
import { eventually } from '../support/statsd.ts';

const reason = brokerReason();
const clean = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_');
const endpoint = (url: string): string => `broker.${clean(new URL(url).host)}.endpoint_up`;
const depths = (run: RabbitmqRun): (number | undefined)[] =>
  ['a', 'b'].map((name) => run.at(`queue._.on_${name}.messages`));

const opened: RabbitmqRuns[] = [];
afterEach(async () => {
  for (const runs of opened.splice(0)) await runs.close();
});
const runsOf = (broker: Broker, options: Record<string, unknown> = {}): RabbitmqRuns => {
  const runs = rabbitmqRuns(broker, options);
  opened.push(runs);
  return runs;
};

describe.skipIf(reason !== undefined)(`rabbitmq on a cluster${reason === undefined ? '' : ` (${reason})`}`, () => {
  let a: Broker;
  let b: Broker;
  beforeAll(async () => {
    [a, b] = await startCluster();
    for (const [broker, name, count] of [
      [a, 'on a', 5],
      [b, 'on b', 8],
    ] as const) {
      const traffic = await connect(broker.amqpUrl);
      await traffic.declare(name);
      await traffic.publish(name, count);
      await traffic.close();
    }
  }, 90_000);
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
  });
  const node = (broker: Broker, metric: string): string => `node.${clean(broker.node)}.${metric}`;
  const prometheusUrls = (): string[] => [a.prometheusUrl, b.prometheusUrl];

  it('puts both nodes together by prometheus, and reads the same by management of one', async () => {
    const management = runsOf(a);
    const prometheus = runsOf(a, { source: 'prometheus', urls: prometheusUrls() });
    for (const runs of [management, prometheus]) {
      const run = await runs.until((one) => depths(one).join() === '5,8' && one.at('broker.messages') === 13, 'both');
      expect(run.told).toEqual([]);
      expect(run.at('broker.queues')).toBe(2);
      for (const broker of [a, b]) {
        expect(run.at(node(broker, 'running'))).toBe(1);
        // 3.10 does not tell that by prometheus.
        if (runs === management) expect(run.at(node(broker, 'partitions'))).toBe(0);
        expect(run.at(`queue._.on_${broker === a ? 'a' : 'b'}.${clean(broker.node)}.leader`)).toBe(1);
      }
    }
  });

  it('tells of a partition, and counts it', async () => {
    const runs = runsOf(a);
    await runs.until((run) => run.at(node(b, 'partitions')) === 0, 'both nodes');
    const heal = await partition(a, b);
    await runs.until((run) => run.at(node(b, 'running')) === 0, 'the loss of a node').finally(heal);
    const split = await runs.until((run) => (run.at(node(a, 'partitions')) ?? 0) > 0, 'the partition');
    expect(split.at(node(a, 'partitions'))).toBe(1);
    expect(runs.sent('broker.partitioned.state_changes')).toBeGreaterThanOrEqual(1);
    await b.stopApp();
    await b.startApp();
    await runs.until(
      (run) => run.at(node(a, 'partitions')) === 0 && run.at(node(b, 'partitions')) === 0,
      'the end of the partition',
    );
    expect(runs.sent('broker.healed.state_changes')).toBeGreaterThanOrEqual(1);
  }, 60_000);

  it('tells that a node is down, goes on with the other, and makes no zeros of its queues', async () => {
    // The node that is asked first goes away: the other one knows.
    const runs = runsOf(a, { urls: [b.url, a.url] });
    const prometheus = runsOf(a, { source: 'prometheus', urls: prometheusUrls() });
    for (const one of [runs, prometheus]) await one.until((run) => depths(run).join() === '5,8', 'both queues');
    const changes = runs.sent('broker.node_down.state_changes');
    await b.stop();
    const down = await runs.until((run) => run.at(node(b, 'running')) === 0, 'the end of a node');
    expect(runs.history(endpoint(b.url))).toContain(0);
    expect(down.at(endpoint(a.url))).toBe(1);
    expect(runs.sent('broker.node_down.state_changes')).toBe(changes + 1);
    expect(runs.history('queue._.on_b.messages').filter((value) => value === 0)).toEqual([]);
    const told = await runs.until((run) => run.at('queue._.on_b.down.state') === 1, 'the state of its queue');
    expect(depths(told)).toEqual([5, undefined]);
    expect(told.at('broker.queues_unknown')).toBe(1);

    const half = await prometheus.read();
    expect(half.failure).toBeUndefined();
    expect(half.told).toContainEqual(expect.stringMatching(/^E_CONNECT /));
    expect(depths(half)).toEqual([5, undefined]);
    expect(half.at(endpoint(b.prometheusUrl))).toBe(0);
    // A sum without one of the nodes would be a fall that never was.
    expect(half.at('broker.messages')).toBeUndefined();

    await b.start();
    for (const one of [runs, prometheus]) {
      await one.until((run) => depths(run).join() === '5,8', 'both queues again');
      expect(one.history('queue._.on_b.messages')).not.toContain(0);
    }
    expect(runs.sent('broker.node_up.state_changes')).toBe(runs.sent('broker.node_down.state_changes'));
  }, 60_000);
});

describe.skipIf(reason !== undefined)('rabbitmq on a broker that counts nothing', () => {
  it.each([
    ['management.disable_stats', ['management.disable_stats = true']],
    ['rates_mode none', ['management.rates_mode = none']],
  ])(
    '%s: depths are told, and no rate',
    async (_, config) => {
      const broker = await startBroker({ config });
      try {
        const traffic = await connect(broker.amqpUrl);
        await traffic.declare('mute');
        await traffic.publish('mute', 30);
        const runs = runsOf(broker, { stuckAfter: '1s' });
        const run = await runs.until(({ at }) => at('queue._.mute.ready') === 30, 'the depth');
        await traffic.publish('mute', 12);
        const more = await runs.until(({ at }) => at('queue._.mute.ready') === 42, 'the new depth');
        for (const one of [run, more]) {
          expect(one.at('broker.counts_messages')).toBe(0);
          expect([...one.values.keys()].filter((series) => /_rate$|\.published$|\.acked$|drain_/.test(series))).toEqual(
            [...one.values.keys()].filter((series) => series.endsWith('.growth_rate')),
          );
        }
        expect(await runs.check()).toContainEqual(expect.stringMatching(/^warn the broker does not count messages/));
        await eventually(
          async () => (await traffic.get('mute', 'auto')) === undefined || undefined,
          'the last message',
        );
        const empty = await runs.until(({ at }) => at('queue._.mute.messages') === 0, 'the empty queue');
        expect(empty.at('queue._.mute.stuck')).toBe(0);
        await traffic.close();
      } finally {
        await broker.close();
      }
    },
    60_000,
  );
});
