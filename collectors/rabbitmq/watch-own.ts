/** The queues of one machine: an alarm's answer and one request a queue, so that a thousand hypervisors may ask. */
import type { Context, Reading } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { fieldsOf } from './json.ts';
import type { Client } from './management-client.ts';
import { oneByOne } from './management-queues.ts';
import { readAlarm } from './management-status.ts';
import { createMeasure } from './measure.ts';
import type { Memory } from './memory.ts';
import { brokerMetrics } from './metrics-broker.ts';
import type { RabbitmqOptions } from './options.ts';
import { hostNameOf, ownQueues } from './own.ts';
import { overviewOf } from './parse.ts';
import type { QueueName } from './record.ts';
import { refusalsAt } from './refusals.ts';
import { NOTHING } from './scoped.ts';
import { queueKey } from './stuck.ts';
import { measureWatched, untold } from './watched.ts';

export async function watchOwn(
  { host, options, readAtMs, intervalMs }: Context<RabbitmqOptions>,
  client: Client,
  memory: Memory,
): Promise<Reading> {
  const hostName = await hostNameOf(host, options);
  const wanted = ownQueues(hostName, options);
  const alarm = await readAlarm(client);
  const problems: Failure[] = [];
  // An overview costs more than the queues; whether the broker counts messages does not change while it runs.
  if (memory.countsMessages === undefined) {
    try {
      const overview = await client.get('/api/overview?columns=rates_mode,disable_stats');
      memory.countsMessages = overviewOf(fieldsOf(overview), undefined).countsMessages ?? false;
    } catch (thrown) {
      problems.push(asFailure(thrown));
    }
  }
  const { queues, problems: failed } = await oneByOne(
    client,
    wanted,
    refusalsAt(memory.refusedSinceMs, readAtMs, intervalMs),
  );
  if (queues.length === 0 && failed.length === 0 && memory.ownSeen.size === 0) problems.push(noneOf(hostName, options));
  const found = new Set(queues.map(queueKey));
  for (const queue of wanted) {
    const key = queueKey(queue);
    if (found.has(key)) memory.ownSeen.add(key);
    else if (memory.ownSeen.has(key)) problems.push(lost(queue));
  }
  const to = createMeasure();
  const { cluster } = options;
  to.add(brokerMetrics.alarm, alarm, { cluster, scope: 'broker' });
  memory.changes.see('alarm_raised', 'alarm_cleared', 'broker', alarm);
  measureWatched(to, queues, memory, readAtMs, cluster);
  return { samples: to.samples, problems: [...client.problems, ...problems, ...failed], unread: untold(queues) };
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
