/** The management plugin (HTTP API, 3.x to 4.x): what is cheap always, all queues without statistics, and few with. */
import type { Client } from './management-client.ts';
import { listQueues, type Sight } from './management-list.ts';
import { readDetails } from './management-queues.ts';
import { readStatus, type StatusMemory, type Times } from './management-status.ts';
import type { RabbitmqOptions } from './options.ts';
import type { Source, Status } from './record.ts';
import { refusalsAt } from './refusals.ts';

export interface ManagementMemory extends Sight, StatusMemory {
  /** By vhost. */
  readonly refusedSinceMs: Map<string, number>;
}

export function managementSource(
  client: Client,
  options: RabbitmqOptions,
  memory: ManagementMemory,
  times: Times,
): Source {
  const refusals = refusalsAt(memory.refusedSinceMs, times.readAtMs, times.intervalMs);
  let status: Status | undefined;
  return {
    async status() {
      status = await readStatus(client, options, memory, times);
      return status;
    },
    list: () => listQueues(client, options, memory, status, times.patienceMs),
    details: (wanted) => readDetails(client, options, wanted, memory, times.patienceMs, refusals),
  };
}
