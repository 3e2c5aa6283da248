/** The rabbitmq collector on a real broker: what it counts and how fast, beside what was really published. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, brokerReason, startBroker } from '../support/rabbitmq-broker.ts';
import { type RabbitmqRun, type RabbitmqRuns, rabbitmqRuns } from '../support/rabbitmq-runs.ts';
import { type Consumer, connect, type Traffic } from '../support/rabbitmq-traffic.ts';
import { eventually } from '../support/statsd.ts';

const reason = brokerReason();
const COUNTERS = ['published', 'delivered', 'acked', 'redelivered', 'got'];

describe.skipIf(reason !== undefined)(`rabbitmq${reason === undefined ? '' : ` (${reason})`}`, () => {
  let broker: Broker;
  let traffic: Traffic;
  const opened: RabbitmqRuns[] = [];
  beforeAll(async () => {
    broker = await startBroker();
    traffic = await connect(broker.amqpUrl);
  });
  afterAll(async () => {
    for (const runs of opened) await runs.close();
    await traffic?.close();
    await broker?.close();
  });

  const runsOf = (options: Record<string, unknown> = {}): RabbitmqRuns => {
    const runs = rabbitmqRuns(broker, options);
    opened.push(runs);
    return runs;
  };
  const counts = (runs: RabbitmqRuns, entity: string): Record<string, number> =>
    Object.fromEntries(COUNTERS.map((name) => [name, runs.sent(`${entity}.${name}`)]));
  const isWithin = (value: number | undefined, wanted: number, share: number): void => {
    expect(value ?? Number.NaN).toBeGreaterThan(wanted * (1 - share));
    expect(value ?? Number.NaN).toBeLessThan(wanted * (1 + share));
  };

  it('counts exactly what was published, delivered, acknowledged, redelivered, got, returned and confirmed', async () => {
    // A vhost and the broker have no counts before the first message.
    await traffic.publishMandatory(1);
    const counted = ({ at }: RabbitmqRun): boolean => at('broker.confirmed') === 1 && at('vhost._.confirmed') === 1;
    await runsOf().until(counted, 'the first count');
    const runs = runsOf();
    await runs.read();
    await traffic.declare('exact');
    await runs.until(({ at }) => at('queue._.exact.published') === 0, 'the queue');
    await traffic.publish('exact', 120);
    await traffic.get('exact');
    await traffic.get('exact', 'auto');
    expect(await traffic.redeliver('exact', 3)).toBe(3);
    expect(await traffic.publishMandatory(4)).toBe(4);
    const [byHand, auto] = [115, 30];
    const consumer = await traffic.consume('exact', { ack: 'manual' });
    await eventually(() => consumer.count === byHand || undefined, 'the messages');
    await consumer.stop();
    const forgetful = await traffic.consume('exact', { ack: 'auto' });
    await traffic.publish('exact', auto);
    await eventually(() => forgetful.count === auto || undefined, 'the messages');
    await forgetful.stop();
    const queue = { published: 150, delivered: 145, acked: 119, redelivered: 3, got: 8 };
    await runs.until(({ at }) => {
      const same = (entity: string): boolean =>
        COUNTERS.every((name) => at(`${entity}.${name}`) === queue[name as 'got']);
      return same('queue._.exact') && at('broker.confirmed') === 155 && at('vhost._.confirmed') === 155;
    }, 'the counts');
    expect(counts(runs, 'queue._.exact')).toEqual(queue);
    // What no queue wanted came in, too.
    expect(counts(runs, 'vhost._')).toEqual({ ...queue, published: 154 });
    expect(counts(runs, 'broker')).toEqual({ ...queue, published: 154 });
    for (const entity of ['vhost._', 'broker']) {
      expect(runs.sent(`${entity}.returned`)).toBe(4);
      expect(runs.sent(`${entity}.confirmed`)).toBe(154);
    }
    await traffic.remove('exact');
    const gone = await runs.until(({ at }) => at('queue._.exact.messages') === undefined, 'its end');
    expect(gone.told).toEqual([]);
  }, 60_000);

  it.concurrent('tells rates within 5 %, how fast a queue grows, and when it will be empty', async () => {
    await traffic.declare('busy');
    await traffic.publish('busy', 8000);
    const counted = ({ at }: RabbitmqRun): boolean => at('queue._.busy.published') === 8000;
    await runsOf({ include: ['busy'] }).until(counted, 'the backlog');
    const watch = runsOf({ include: ['busy'] });
    expect(counted(await watch.read())).toBe(true);
    const consumers: Consumer[] = [await traffic.consume('busy', { ack: 'manual', perSecond: 60, prefetch: 200 })];
    const publishing = traffic.publishAtRate('busy', 200);
    /** One reading, and another one when so many messages more were published; and what was acknowledged meanwhile. */
    const over = async (messages: number): Promise<{ run: RabbitmqRun; ackedPerSecond: number }> => {
      const runs = runsOf({ include: ['busy'] });
      await watch.until(({ values }) => (values.get('queue._.busy.publish_rate') ?? 0) > 150, 'a steady rate');
      const from = watch.sent('queue._.busy.published');
      const acked = (): number => consumers.reduce((sum, { count }) => sum + count, 0);
      const [startedMs, before] = [performance.now(), acked()];
      await runs.read();
      await watch.until(() => watch.sent('queue._.busy.published') - from >= messages, 'the messages');
      const ackedPerSecond = ((acked() - before) * 1000) / (performance.now() - startedMs);
      return { run: await runs.read(), ackedPerSecond };
    };
    // The broker tells what it counted in steps of 5 s, each up to half a second late.
    const slow = await over(2900);
    for (const entity of ['queue._.busy', 'vhost._', 'broker']) {
      const { values } = slow.run;
      isWithin(values.get(`${entity}.publish_rate`), 200, 0.05);
      isWithin(values.get(`${entity}.consume_rate`), 60, 0.05);
      isWithin(values.get(`${entity}.ack_rate`), 60, 0.05);
      // Depth and counts are dated apart, and the traffic of a busy machine is not quite even.
      isWithin(values.get(`${entity}.growth_rate`), 140, 0.15);
      isWithin(values.get(`${entity}.imbalance_ratio`), 200 / 60, 0.1);
      expect(values.has(`${entity}.drain_seconds`)).toBe(false);
    }
    isWithin(slow.ackedPerSecond, 60, 0.1);

    consumers.push(await traffic.consume('busy', { ack: 'manual', perSecond: 340, prefetch: 1000 }));
    await watch.until(({ values }) => (values.get('queue._.busy.ack_rate') ?? 0) > 300, 'the faster consumer');
    const { run: fast, ackedPerSecond } = await over(1900);
    const net = ackedPerSecond - 200;
    expect(ackedPerSecond).toBeGreaterThan(300);
    isWithin(fast.values.get('queue._.busy.ack_rate'), ackedPerSecond, 0.1);
    isWithin(-(fast.values.get('queue._.busy.growth_rate') ?? Number.NaN), net, 0.2);
    isWithin(fast.values.get('queue._.busy.imbalance_ratio'), 200 / ackedPerSecond, 0.15);
    isWithin(
      fast.values.get('queue._.busy.drain_seconds'),
      (fast.at('queue._.busy.messages') ?? Number.NaN) / net,
      0.25,
    );

    const published = await publishing.stop();
    consumers.push(await traffic.consume('busy', { ack: 'manual' }));
    await watch.until(({ at }) => at('queue._.busy.messages') === 0, 'the end of the backlog');
    let acked = 0;
    for (const consumer of consumers) acked += await consumer.stop();
    expect(acked).toBe(published + 8000);
    const all = await watch.until(({ at }) => at('queue._.busy.acked') === acked, 'what was acknowledged last');
    expect(all.at('queue._.busy.published')).toBe(acked);
    expect(watch.sent('queue._.busy.acked')).toBe(acked);
    expect(watch.sent('queue._.busy.published')).toBe(published);
    await traffic.remove('busy');
  }, 90_000);

  it.concurrent('says that a queue is stuck whose consumer died, and that it is not when one is back', async () => {
    await traffic.declare('work');
    const runs = runsOf({ stuckAfter: '1s', include: ['work'] });
    const first = await traffic.consume('work', { ack: 'manual' });
    await traffic.publish('work', 10);
    const well = await runs.until(({ at }) => at('queue._.work.acked') === 10, 'the consumer at work');
    expect(well.at('queue._.work.stuck')).toBe(0);
    expect(well.at('broker.queue_stuck.state_changes')).toBe(0);
    first.kill();
    await traffic.publish('work', 5);
    const dead = await runs.until(({ at }) => at('queue._.work.no_consumer.stuck_reason') === 1, 'a stuck queue');
    expect(dead.at('queue._.work.stuck')).toBe(1);
    expect(dead.at('queue._.work.ready')).toBe(5);
    expect(dead.at('queue._.work.consumers')).toBe(0);
    expect(runs.sent('broker.queue_stuck.state_changes')).toBe(1);
    const second = await traffic.consume('work', { ack: 'manual' });
    await eventually(() => second.count === 5 || undefined, 'the rest');
    const back = await runs.until(({ at }) => at('queue._.work.stuck') === 0, 'the end of that');
    expect(back.values.get('broker.queue_unstuck.state_changes')).toBe(1);
    const reasons = (reason: string): number | undefined =>
      runs.history(`queue._.work.${reason}.stuck_reason`).findLast((one) => one !== undefined);
    expect(reasons('no_consumer')).toBe(0);
    expect(reasons('not_acked') ?? 0).toBe(0);
    await second.stop();

    const hanging = await traffic.consume('work', { ack: 'never', prefetch: 1 });
    await traffic.publish('work', 5);
    const held = await runs.until(({ at }) => at('queue._.work.not_acked.stuck_reason') === 1, 'a consumer that hangs');
    expect(held.at('queue._.work.stuck')).toBe(1);
    expect(held.at('queue._.work.consumers')).toBe(1);
    expect(held.at('queue._.work.unacked')).toBe(1);
    expect(runs.sent('broker.queue_stuck.state_changes')).toBe(2);
    await hanging.stop();
    await traffic.remove('work');
  }, 60_000);

  it.concurrent('sends no spike, and nothing negative, for a durable queue that is made anew between two runs', async () => {
    await traffic.declare('anew');
    const runs = runsOf({ include: ['anew'] });
    await runs.until(({ at }) => at('queue._.anew.published') === 0, 'the queue');
    await traffic.publish('anew', 20);
    await runs.until(({ at }) => at('queue._.anew.published') === 20, 'its counts');
    expect(runs.sent('queue._.anew.published')).toBe(20);
    await traffic.remove('anew');
    await traffic.declare('anew');
    await traffic.publish('anew', 7);
    await runs.until(({ at }) => at('queue._.anew.published') === 7, 'the counts of the new one');
    // Whether a run saw that it was gone is chance: then the new one counts from 0, and otherwise from what it shows.
    const sent = runs.sent('queue._.anew.published');
    expect([20, 27]).toContain(sent);
    await traffic.publish('anew', 3);
    const last = await runs.until(({ at }) => at('queue._.anew.published') === 10, 'what came later');
    expect(last.values.get('queue._.anew.published')).toBe(3);
    expect(Math.max(...runs.history('queue._.anew.publish_rate').map((rate) => rate ?? 0))).toBeLessThan(21);
    await traffic.remove('anew');
  }, 60_000);
});
