/** Queues as OpenStack makes them: 9,800 that come and go, and 200 of hypervisors with messages. */
import type { Broker } from '../test/support/rabbitmq-broker.ts';
import { connect } from '../test/support/rabbitmq-traffic.ts';

const EPHEMERAL = 9800;
const BUSY = 200;
const PER_SECOND = 5;

export interface Load {
  stop(): Promise<void>;
}

export async function startLoad(broker: Broker): Promise<Load> {
  const traffic = await connect(broker.amqpUrl);
  for (let index = 0; index < EPHEMERAL; index++) {
    const id = (index * 2_654_435_761).toString(16).padStart(32, '0');
    await traffic.declare(index % 2 === 0 ? `reply_${id}` : `scheduler_fanout_${id}`, { durable: false });
  }
  const names = Array.from({ length: BUSY }, (_, index) => `compute.hv${index}`);
  for (const name of names) {
    await traffic.declare(name, { durable: true });
    await traffic.consume(name, { ack: 'manual' });
  }
  const publishing = names.map((name) => traffic.publishAtRate(name, PER_SECOND));
  return {
    async stop() {
      await Promise.all(publishing.map((one) => one.stop()));
      await traffic.close();
    },
  };
}
