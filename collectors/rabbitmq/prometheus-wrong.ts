/** Whose line it is that cannot be read: RabbitMQ before 3.13 does not escape what stands in labels. Pure. */
import type { QueueName } from './record.ts';

export interface Owner extends QueueName {
  readonly family: string;
}

/** The forms of 3.10 to 3.12: depths, what channels do with queues, and what they publish into them. */
const FORM = /^([a-z_]{1,100})\{(?:channel="[^"]*",)?(?:queue_)?vhost="(.*)"\} [^ ]*$/s;
const QUEUE = '",queue="';
const EXCHANGE = '",exchange_vhost="';

/** Undefined: it is of no queue, or of which one is not certain, since names may hold what stands between names. */
export function ownerOf(line: string): Owner | undefined {
  const [, family, labels] = FORM.exec(line) ?? [];
  if (family === undefined || labels === undefined) return undefined;
  const [vhost, rest, ...more] = labels.split(QUEUE);
  if (vhost === undefined || rest === undefined || more.length > 0) return undefined;
  const [name, ...exchange] = rest.split(EXCHANGE);
  return name === undefined || exchange.length > 1 ? undefined : { family, vhost, name };
}
