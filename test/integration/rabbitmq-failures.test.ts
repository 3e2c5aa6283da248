/** The rabbitmq collector while its broker is in trouble: an alarm, an end in good order, an end with SIGKILL. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, brokerReason, startBroker } from '../support/rabbitmq-broker.ts';
import { type RabbitmqRun, type RabbitmqRuns, rabbitmqRuns } from '../support/rabbitmq-runs.ts';
import { connect, type Traffic } from '../support/rabbitmq-traffic.ts';

const reason = brokerReason();
const QUEUE = 'queue._.kept';

describe.skipIf(reason !== undefined)(`rabbitmq in trouble${reason === undefined ? '' : ` (${reason})`}`, () => {
  let broker: Broker;
  let traffic: Traffic;
  const opened: RabbitmqRuns[] = [];
  beforeAll(async () => {
    broker = await startBroker();
    traffic = await connect(broker.amqpUrl);
    await traffic.declare('kept');
    await traffic.publish('kept', 40);
  });
  afterEach(async () => {
    for (const runs of opened.splice(0)) await runs.close();
  });
  afterAll(async () => {
    await traffic?.close();
    await broker?.close();
  });

  const runsOf = (options: Record<string, unknown> = {}): RabbitmqRuns => {
    const runs = rabbitmqRuns(broker, options);
    opened.push(runs);
    return runs;
  };
  const endpoint = (): string => `broker.${new URL(broker.url).host.replace(/\W/g, '_')}.endpoint_up`;
  const node = (): string => `node.${broker.node.replace(/[^\w-]/g, '_')}`;

  it('tells of an alarm while it is in force, counts it, and calls the endpoint up all the same', async () => {
    const runs = runsOf();
    const own = runsOf({ host: 'own', hostName: 'hv', hostQueues: ['{host}', 'kept{host}'] });
    const before = await runs.until(({ at }) => at(`${QUEUE}.published`) === 40, 'the counts');
    expect(before.at('broker.alarm')).toBe(0);
    expect(before.at(`${node()}.memory_alarm`)).toBe(0);
    expect((await own.read()).at('broker.alarm')).toBe(0);
    try {
      await broker.alarm(true);
      const during = await runs.until(({ at }) => at(`${node()}.memory_alarm`) === 1, 'the alarm');
      expect(during.at('broker.alarm')).toBe(1);
      expect(runs.sent('broker.alarm_raised.state_changes')).toBe(1);
      expect(during.at(endpoint())).toBe(1);
      expect(during.at(`${node()}.running`)).toBe(1);
      expect(during.at(`${node()}.memory_ratio`)).toBeGreaterThan(1);
      expect(during.at(`${QUEUE}.messages`)).toBe(40);
      expect((await own.read()).values.get('broker.alarm_raised.state_changes')).toBe(1);
    } finally {
      await broker.alarm(false);
    }
    const after = await runs.until(({ at }) => at(`${node()}.memory_alarm`) === 0, 'its end');
    expect(after.at('broker.alarm')).toBe(0);
    expect(runs.sent('broker.alarm_raised.state_changes')).toBe(1);
    expect(runs.sent('broker.alarm_cleared.state_changes')).toBe(1);
    expect((await own.read()).values.get('broker.alarm_cleared.state_changes')).toBe(1);
  });

  it.each([
    ['stopped in good order', 'stop', 40],
    ['killed', 'kill', 42],
  ] as const)(
    'fails with E_CONNECT while the broker is %s, and sends no spike when it is back',
    async (_, how, depth) => {
      const counted = ({ at }: RabbitmqRun): boolean =>
        at(`${QUEUE}.messages`) === depth && at('broker.messages') === depth;
      await runsOf().until(counted, 'the counts');
      const runs = runsOf();
      expect(counted(await runs.read())).toBe(true);
      await broker[how]();
      const down = [await runs.read(), await runs.read()];
      for (const { failure, lines } of down) {
        expect(failure?.code).toBe('E_CONNECT');
        expect(lines).toEqual([]);
      }
      await broker.start();
      const up = await runs.read();
      expect(up.failure).toBeUndefined();
      await runs.until(counted, 'the depth again');
      traffic = await connect(broker.amqpUrl);
      await traffic.publish('kept', 2);
      await runs.until(({ at }) => at(`${QUEUE}.published`) === 2 && at('broker.published') === 2, 'new counts');
      for (const entity of [QUEUE, 'vhost._', 'broker']) {
        // It counts anew: the first messages may be seen, the old ones are not counted again.
        expect([0, 2], entity).toContain(runs.sent(`${entity}.published`));
        const rates = runs.history(`${entity}.publish_rate`).map((rate) => rate ?? 0);
        expect(Math.max(...rates), entity).toBeLessThanOrEqual(2);
      }
      // What waits in the queue was there all the time.
      for (const entity of [QUEUE, 'vhost._', 'broker']) {
        expect(runs.history(`${entity}.messages`), entity).not.toContain(0);
        // Two messages between two runs, and not forty.
        const growth = runs.history(`${entity}.growth_rate`).map((rate) => Math.abs(rate ?? 0));
        expect(Math.max(...growth), entity).toBeLessThan(30);
      }
      await traffic.close();
      traffic = await connect(broker.amqpUrl);
    },
    60_000,
  );
});
