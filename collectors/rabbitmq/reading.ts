/** One run's reading of the broker, by whichever source, and what asking it took. */
import type { Context, Reading } from '../../src/collector.ts';
import { ctlSource } from './by-ctl.ts';
import { managementSource } from './by-management.ts';
import { prometheusSource } from './by-prometheus.ts';
import { createClient } from './management-client.ts';
import type { Memory } from './memory.ts';
import type { RabbitmqOptions } from './options.ts';
import { hostNameOf, ownQueues } from './own.ts';
import type { QueueName, Source } from './record.ts';
import { queueKey } from './stuck.ts';
import { watchAll } from './watch-all.ts';
import { watchOwn } from './watch-own.ts';

export interface Asked {
  readonly reading: Reading;
  /** Of the URLs that were asked. */
  readonly endpoints: ReadonlyMap<string, boolean>;
  readonly requests: number;
}

/** What lists many queues may take so much of an interval, and so long at most. */
const PATIENCE_SHARE = 0.5;
const PATIENCE_MS = 20_000;

export async function readBroker(context: Context<RabbitmqOptions>, memory: Memory): Promise<Asked> {
  const { host, options, readAtMs, intervalMs } = context;
  if (options.source === 'management') {
    const client = createClient(host, options, memory.endpoints);
    const patienceMs = Math.min(PATIENCE_SHARE * (intervalMs ?? Number.POSITIVE_INFINITY), PATIENCE_MS);
    const source = managementSource(client, options, memory, { readAtMs, intervalMs, patienceMs });
    const reading =
      memory.own === true ? await watchOwn(context, client, memory) : await watchAll(context, source, memory);
    const problems = memory.own === true ? reading.problems : [...client.problems, ...(reading.problems ?? [])];
    return { reading: { ...reading, ...(problems && { problems }) }, endpoints: client.up, requests: client.requests };
  }
  const asked =
    options.source === 'prometheus'
      ? prometheusSource(host, options, memory.prometheus)
      : ctlSource(host, options, intervalMs);
  const source = memory.own === true ? await ownOf(context, asked) : asked;
  const reading = await watchAll(context, source, memory);
  return { reading, endpoints: asked.endpoints, requests: asked.requests };
}

/** A source that lists this machine's queues alone, where the server cannot be asked for just them. */
async function ownOf({ host, options }: Context<RabbitmqOptions>, source: Source): Promise<Source> {
  const names = new Set(ownQueues(await hostNameOf(host, options), options).map(queueKey));
  const isOwn = (queue: QueueName): boolean => names.has(queueKey(queue));
  return {
    status: () => source.status(),
    async list() {
      const { queues, problems } = await source.list(isOwn);
      return { queues: queues.filter(isOwn), problems };
    },
  };
}
