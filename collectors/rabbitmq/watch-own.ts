/** The queues of one machine: an alarm's answer and one request a queue, so that a thousand hypervisors may ask. */
import type { Context, Reading } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { fieldsOf } from './json.ts';
import { isCovered } from './kept.ts';
import type { Client } from './management-client.ts';
import { oneByOne } from './management-queues.ts';
import { readAlarm } from './management-status.ts';
import { createMeasure } from './measure.ts';
import type { Memory } from './memory.ts';
import { brokerMetrics } from './metrics-broker.ts';
import type { RabbitmqOptions } from './options.ts';
import { hostNameOf, ownQueues } from './own.ts';
import { overviewOf } from './parse.ts';
import { type Listing, type QueueName, queueKey } from './record.ts';
import { refusalsAt } from './refusals.ts';
import { NOTHING, scoped } from './scoped.ts';
import { measureWatched } from './watched.ts';

export async function watchOwn(
  { host, options, readAtMs, intervalMs }: Context<RabbitmqOptions>,
  client: Client,
  memory: Memory,
): Promise<Reading> {
  const hostName = await hostNameOf(host, options);
  const wanted = ownQueues(hostName, options);
  const problems: Failure[] = [];
  const alarm = await readAlarm(client).catch((thrown: unknown) => {
    const failure = asFailure(thrown);
    // Of a broker that is slow about this the queues may be told all the same.
    if (failure.code !== 'E_TIMEOUT') throw failure;
    problems.push(scoped(failure, { scope: 'broker' }));
    return undefined;
  });
  // An overview costs more than the queues; whether the broker counts messages does not change while it runs.
  if (memory.countsMessages === undefined) {
    try {
      const overview = await client.get('/api/overview?columns=rates_mode,disable_stats');
      memory.countsMessages = overviewOf(fieldsOf(overview), undefined).countsMessages ?? false;
    } catch (thrown) {
      problems.push(scoped(asFailure(thrown), NOTHING));
    }
  }
  const listing = await oneByOne(client, wanted, refusalsAt(memory.refusedSinceMs, readAtMs, intervalMs));
  const { queues, problems: failed, unasked = [] } = listing;
  // A broker that answers nothing at all is no broker that is slow about its alarms.
  const [first] = problems;
  if (alarm === undefined && queues.length === 0 && first?.code === 'E_TIMEOUT' && failed.length > 0) throw first;
  const gone = goneOf(wanted, listing);
  if (gone.length === wanted.length && memory.ownSeen.size === 0) problems.push(noneOf(hostName, options));
  for (const queue of queues) memory.ownSeen.add(queueKey(queue));
  for (const queue of gone) {
    // Whatever comes by that name is another one.
    memory.stuck.forget(queue);
    memory.told.forget(queue);
    if (memory.ownSeen.has(queueKey(queue))) problems.push(lost(queue));
  }
  const dated = memory.datedBy === undefined || memory.datedBy === memory.endpoints.current;
  memory.datedBy = memory.endpoints.current;
  const to = createMeasure({ dated, heights: memory.heights });
  const { cluster } = options;
  to.add(brokerMetrics.alarm, alarm, { cluster, scope: 'broker' });
  memory.changes.see('alarm_raised', 'alarm_cleared', 'broker', alarm);
  const unread = measureWatched(to, queues, memory, readAtMs, cluster);
  for (const { vhost, name } of unasked) unread.push({ scope: 'queue', vhost, queue: name });
  // A broker that does not tell has not ended its alarm.
  if (alarm === undefined) unread.push({ scope: 'broker' });
  return { samples: to.samples, problems: [...client.problems, ...problems, ...failed], unread };
}

/** What was asked for, and is not there. */
function goneOf(wanted: readonly QueueName[], { queues, problems, unasked = [] }: Listing): QueueName[] {
  const known = new Set([...queues, ...unasked].map(queueKey));
  return wanted.filter(
    (queue) =>
      !known.has(queueKey(queue)) && !isCovered({ scope: 'queue', vhost: queue.vhost, queue: queue.name }, problems),
  );
}

/** A queue on a node that is down answers as one that was deleted. */
function lost({ vhost, name }: QueueName): Failure {
  const text = `queue ${quoted(name)} in vhost ${quoted(vhost)} was there and is not found any more: it was deleted, or its node is down`;
  return new Failure('E_NOT_FOUND', text, { labels: { scope: 'queue', vhost, queue: name } });
}

function noneOf(hostName: string, options: RabbitmqOptions): Failure {
  const [first] = ownQueues(hostName, options);
  const vhosts = [...new Set(ownQueues(hostName, options).map(({ vhost }) => quoted(vhost)))].join(', ');
  return new Failure(
    'E_NOT_FOUND',
    `no queue ${quoted(first?.name ?? '')} in the vhosts ${vhosts}: is nova-compute running here? Otherwise set hostName or vhosts, or host: all to watch the whole broker`,
    { labels: NOTHING },
  );
}
