/** One run's reading of the broker, by whichever source, and what asking it took. */
import type { Context, Reading } from '../../src/collector.ts';
import { ctlSource } from './by-ctl.ts';
import { managementSource } from './by-management.ts';
import { prometheusSource } from './by-prometheus.ts';
import { createClient } from './management-client.ts';
import type { Memory } from './memory.ts';
import type { RabbitmqOptions } from './options.ts';
import { hostNameOf, ownQueues } from './own.ts';
import { type QueueName, queueKey, type Source } from './record.ts';
import { watchAll } from './watch-all.ts';
import { watchOwn } from './watch-own.ts';

export interface Asked {
  readonly reading: Reading;
  /** Of the URLs that were asked. */
  readonly endpoints: ReadonlyMap<string, boolean>;
  readonly requests: number;
}

/** What is left of the run's time for handing over what was read. */
const RESERVE = 0.1;

export async function readBroker(context: Context<RabbitmqOptions>, memory: Memory): Promise<Asked> {
  const { host, options, readAtMs, intervalMs, elapsedMs, timeoutMs = Number.POSITIVE_INFINITY } = context;
  const half = 0.5 * (intervalMs ?? Number.POSITIVE_INFINITY);
  const leftMs = (): number => Math.max((1 - RESERVE) * timeoutMs - elapsedMs(), 0);
  if (options.source === 'management') {
    const client = createClient(host, options, memory.endpoints, leftMs);
    const source = managementSource(client, options, memory, {
      readAtMs,
      intervalMs,
      patienceMs: Math.min(leftMs(), half),
    });
    const reading =
      memory.own === true ? await watchOwn(context, client, memory) : await watchAll(context, source, memory);
    const problems = memory.own === true ? reading.problems : [...client.problems, ...(reading.problems ?? [])];
    return { reading: { ...reading, ...(problems && { problems }) }, endpoints: client.up, requests: client.requests };
  }
  const only = memory.own === true ? ownQueues(await hostNameOf(host, options), options) : undefined;
  const asked =
    options.source === 'prometheus'
      ? prometheusSource(host, options, memory.prometheus, leftMs, only)
      : ctlSource(host, options, intervalMs, leftMs, memory, only);
  const reading = await watchAll(context, only === undefined ? asked : justThese(only, asked), memory);
  return { reading, endpoints: asked.endpoints, requests: asked.requests };
}

/** A source of these queues alone, whatever else it lists. */
function justThese(only: readonly QueueName[], source: Source): Source {
  const names = new Set(only.map(queueKey));
  const isOwn = (queue: QueueName): boolean => names.has(queueKey(queue));
  return {
    status: () => source.status(),
    async list() {
      const { queues, problems } = await source.list(isOwn);
      return { queues: queues.filter(isOwn), problems };
    },
  };
}
