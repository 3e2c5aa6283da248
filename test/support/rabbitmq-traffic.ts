/** Drives a broker over AMQP: what its counters count, one by one. */
import { once } from 'node:events';
import { AMQPClient } from '@cloudamqp/amqp-client';

type Channel = Awaited<ReturnType<AMQPClient['channel']>>;

export interface QueueOptions {
  /** True if not given. */
  readonly durable?: boolean;
  readonly autoDelete?: boolean;
  /** Gone with the connection, and for it alone. */
  readonly exclusive?: boolean;
  readonly type?: 'classic' | 'quorum';
  /** `x-…`, for example `x-max-length`. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

export type ConsumeOptions =
  /** Acknowledges each message as it comes, or so many per second: then the others wait unacknowledged. */
  | { readonly ack: 'manual'; readonly perSecond?: number; readonly prefetch?: number }
  /** The broker forgets each message as it sends it. */
  | { readonly ack: 'auto' }
  /** Takes messages and keeps them unacknowledged. */
  | { readonly ack: 'never'; readonly prefetch?: number };

export interface Consumer {
  /** Messages that came; with `manual`, those that were acknowledged. */
  readonly count: number;
  /** Ends the consumer's connection in good order; resolves with the count. */
  stop(): Promise<number>;
  /** Cuts the connection: what was not acknowledged goes back to the queue. */
  kill(): void;
}

export interface Traffic {
  declare(queue: string, options?: QueueOptions): Promise<void>;
  remove(queue: string): Promise<void>;
  purge(queue: string): Promise<void>;
  /** Persistent messages; resolved when all are confirmed. Rejects when the connection ends before. */
  publish(queue: string, count: number): Promise<void>;
  /** Messages that no queue is there for; resolves with how many came back. */
  publishMandatory(count: number): Promise<number>;
  /** At a pace, until stopped; that resolves with how many were confirmed in all. */
  publishAtRate(queue: string, perSecond: number): { stop(): Promise<number> };
  /** With a connection of its own. */
  consume(queue: string, options: ConsumeOptions): Promise<Consumer>;
  /** basic.get, acknowledged by hand or by the broker; undefined when the queue is empty. */
  get(queue: string, ack?: 'manual' | 'auto'): Promise<string | undefined>;
  /**
   * Gets a message, gives it back, gets it again and acknowledges it, `count` times or until there is none; resolves with
   * how many came marked as redelivered.
   */
  redeliver(queue: string, count: number): Promise<number>;
  /** Ends all connections in good order, also those of consumers. */
  close(): Promise<void>;
}

/** Connections that end are seen by what waits for them; the library would also write about them. */
async function open(amqpUrl: string, vhost: string): Promise<AMQPClient> {
  const client = new AMQPClient(amqpUrl);
  client.vhost = vhost;
  client.onerror = () => {};
  await client.connect();
  return client;
}

/** Also of a connection that ends by itself meanwhile: for that the library's own `close` would wait for ever. */
const end = async (client: AMQPClient): Promise<void> => {
  const { socket } = client;
  if (client.closed || socket === undefined) return;
  const ended = once(socket, 'close');
  client.close().catch(() => socket.destroy());
  await ended;
};

/** What is due at a pace: calls `work` so often since now, until stopped. */
function pace(perSecond: number, work: () => void): { stop(): void } {
  const startedMs = performance.now();
  let done = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) * perSecond) / 1000);
    for (; done < due; done++) work();
  }, 10);
  return { stop: () => clearInterval(timer) };
}

/** One connection to publish and to ask; it does not come back after a restart of the broker: connect anew. */
export async function connect(amqpUrl: string, { vhost = '/' } = {}): Promise<Traffic> {
  const client = await open(amqpUrl, vhost);
  // When a message cannot be sent, the library leaves the promise of its confirm to nobody, and Node would end the
  // process for that. The connection's end rejects it all the same.
  const send = client.send.bind(client);
  client.send = (bytes) => send(bytes).catch(() => {});
  const consumers = new Set<AMQPClient>();
  const channels = new Map<string, Channel>();
  /** A channel for each purpose, opened anew after one that the broker has closed because of an error. */
  const channel = async (purpose: 'ask' | 'publish'): Promise<Channel> => {
    const known = channels.get(purpose);
    if (known !== undefined && !known.closed) return known;
    const opened = await client.channel();
    opened.onerror = () => {};
    if (purpose === 'publish') await opened.confirmSelect();
    channels.set(purpose, opened);
    return opened;
  };
  /** Resolves when the broker has confirmed it, as the channel is in confirm mode. */
  const publishOne = (on: Channel, queue: string, mandatory = false): Promise<unknown> =>
    on.basicPublish('', queue, 'x', { deliveryMode: 2 }, mandatory);

  return {
    async declare(queue, { durable = true, autoDelete = false, exclusive = false, type, arguments: more } = {}) {
      const args = { ...more, ...(type === undefined ? {} : { 'x-queue-type': type }) };
      await (await channel('ask')).queueDeclare(queue, { durable, autoDelete, exclusive }, args);
    },
    async remove(queue) {
      await (await channel('ask')).queueDelete(queue);
    },
    async purge(queue) {
      await (await channel('ask')).queuePurge(queue);
    },
    async publish(queue, count) {
      const on = await channel('publish');
      await Promise.all(Array.from({ length: count }, () => publishOne(on, queue)));
    },
    async publishMandatory(count) {
      const on = await channel('publish');
      let returned = 0;
      on.onReturn = () => {
        returned += 1;
      };
      // The broker sends a message back before it confirms it.
      const nowhere = `edgestatd-nowhere-${crypto.randomUUID()}`;
      await Promise.all(Array.from({ length: count }, () => publishOne(on, nowhere, true)));
      return returned;
    },
    publishAtRate(queue, perSecond) {
      const opening = channel('publish');
      const sent: Promise<boolean>[] = [];
      const publishing = pace(perSecond, () => {
        const confirmed = opening
          .then((on) => publishOne(on, queue))
          .then(
            () => true,
            () => false,
          );
        sent.push(confirmed);
      });
      return {
        async stop() {
          publishing.stop();
          return (await Promise.all(sent)).filter(Boolean).length;
        },
      };
    },
    async consume(queue, options) {
      const own = await open(amqpUrl, vhost);
      consumers.add(own);
      const on = await own.channel();
      on.onerror = () => {};
      const prefetch = options.ack === 'auto' ? undefined : options.prefetch;
      if (prefetch !== undefined) await on.basicQos(prefetch);
      const held: number[] = [];
      let count = 0;
      // A connection that was cut takes the message back, and is no fault of ours.
      const acknowledge = (tag: number): void => {
        on.basicAck(tag).then(
          () => {
            count += 1;
          },
          () => {},
        );
      };
      const perSecond = options.ack === 'manual' ? options.perSecond : undefined;
      const acknowledging =
        perSecond === undefined
          ? undefined
          : pace(perSecond, () => {
              const tag = held.shift();
              if (tag !== undefined) acknowledge(tag);
            });
      own.ondisconnect = () => acknowledging?.stop();
      await on.basicConsume(queue, { noAck: options.ack === 'auto' }, ({ deliveryTag }) => {
        if (options.ack !== 'manual') count += 1;
        else if (perSecond === undefined) acknowledge(deliveryTag);
        else held.push(deliveryTag);
      });
      return {
        get count() {
          return count;
        },
        async stop() {
          acknowledging?.stop();
          await end(own);
          return count;
        },
        kill() {
          acknowledging?.stop();
          own.socket?.destroy();
        },
      };
    },
    async get(queue, ack = 'manual') {
      const message = await (await channel('ask')).basicGet(queue, { noAck: ack === 'auto' });
      if (message === null) return undefined;
      if (ack === 'manual') await message.ack();
      return message.bodyString() ?? '';
    },
    async redeliver(queue, count) {
      const on = await channel('ask');
      let redelivered = 0;
      for (let each = 0; each < count; each++) {
        const first = await on.basicGet(queue, { noAck: false });
        if (first === null) break;
        await first.reject(true);
        const again = await on.basicGet(queue, { noAck: false });
        if (again === null) break;
        if (again.redelivered) redelivered += 1;
        await again.ack();
      }
      return redelivered;
    },
    async close() {
      await Promise.all([client, ...consumers].map(end));
    },
  };
}
