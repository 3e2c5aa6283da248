/** RabbitMQ: depth, publish and consume rates of queues, and the state of the broker, without hurting it. */
import { type Context, defineCollector, type Reading } from '../../src/collector.ts';
import { check } from './check.ts';
import { createMeasure } from './measure.ts';
import { createMemory } from './memory.ts';
import { messageMetrics } from './metrics.ts';
import { brokerMetrics } from './metrics-broker.ts';
import { options, type RabbitmqOptions } from './options.ts';
import { decide } from './own.ts';
import { readBroker } from './reading.ts';
import { tables } from './tables.ts';
import { measureChanges } from './watched.ts';

export const rabbitmq = defineCollector<RabbitmqOptions>({
  name: 'rabbitmq',
  options,
  metrics: { ...messageMetrics, ...brokerMetrics },
  tables,
  check,
  async collect(context: Context<RabbitmqOptions>): Promise<Reading> {
    const { host, options } = context;
    // The options say all that the memory depends on.
    const memory = host.keep(`rabbitmq ${JSON.stringify(options)}`, () => createMemory(options));
    memory.own ??= (await decide(host, options)).own;
    const { reading, endpoints, requests } = await readBroker(context, memory);
    const to = createMeasure();
    const labels = { cluster: options.cluster, scope: 'broker' };
    for (const [url, isUp] of endpoints)
      to.add(brokerMetrics.endpoint_up, isUp, { ...labels, endpoint: new URL(url).host });
    to.add(brokerMetrics.requests, requests, labels);
    measureChanges(to, memory, options.cluster);
    return { ...reading, samples: [...reading.samples, ...to.samples] };
  },
});
