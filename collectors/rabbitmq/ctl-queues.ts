/** Records of queues, made of what `rabbitmqctl list_queues` prints. Pure. */
import { amount, fieldsOf, textIn } from './json.ts';
import { noDepth, type QueueRecord } from './record.ts';

const unknown = {
  ...noDepth,
  consumers: undefined,
  consumerUtilisation: undefined,
  memoryBytes: undefined,
  state: undefined,
  type: undefined,
  leader: undefined,
  counts: undefined,
};

/** A row of `--formatter json`; undefined: it has no name. A classic queue has no leader there (3.10): it is `""`. */
export function recordOfJson(vhost: string, row: unknown): QueueRecord | undefined {
  const fields = fieldsOf(row);
  const name = fields.name;
  if (typeof name !== 'string') return undefined;
  const consumers = amount(fields, 'consumers');
  return {
    vhost,
    name,
    messages: amount(fields, 'messages'),
    ready: amount(fields, 'messages_ready'),
    unacked: amount(fields, 'messages_unacknowledged'),
    consumers,
    // Without consumers it is "" or 0, and means nothing.
    consumerUtilisation: consumers === 0 ? undefined : amount(fields, 'consumer_utilisation'),
    memoryBytes: amount(fields, 'memory'),
    state: textIn(fields, 'state'),
    type: textIn(fields, 'type'),
    leader: textIn(fields, 'leader'),
    counts: undefined,
  };
}

/** A row of the text table, where everything is text. */
export function recordOfRow(vhost: string, row: Readonly<Record<string, string>>): QueueRecord {
  const fields = Object.fromEntries(
    Object.entries(row).map(([column, text]) => [column, NUMBER.test(text) && column !== 'name' ? Number(text) : text]),
  );
  return recordOfJson(vhost, fields) ?? { vhost, name: row.name ?? '', ...unknown };
}

const NUMBER = /^[0-9]{1,15}(?:\.[0-9]{1,20})?(?:e[+-]?[0-9]{1,3})?$/;

/**
 * A queue whose process did not answer in time. `unresponsive` is no state of the broker's own: it stands where the queue
 * cannot say its state, so that it is told apart from one that was stopped. Nothing else is known of it.
 */
export function unresponsiveRecord(vhost: string, name: string): QueueRecord {
  return { vhost, name, ...unknown, state: 'unresponsive' };
}
