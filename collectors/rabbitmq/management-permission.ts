/** Vhosts in which this user has no permission: the server says 401, as it does to one with a wrong password. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { isRefused } from './management-failures.ts';
import type { QueueName } from './record.ts';
import type { Refusals } from './refusals.ts';
import { scoped } from './scoped.ts';

/** The failure, or what it means of one vhost, once the password was accepted. */
export function lacking(vhost: string, failure: Failure): Failure {
  return isRefused(failure) ? noPermission(vhost) : failure;
}

function noPermission(vhost: string): Failure {
  const text = `this user has no permission in vhost ${quoted(vhost)}, so its queues cannot be seen: rabbitmqctl set_permissions -p VHOST USER '^$' '^$' '^$'`;
  return new Failure('E_DENIED', text);
}

/** Vhosts that refused us, in this run or not long ago: one problem each, whatever is wanted of them. */
export interface Refused {
  has(vhost: string): boolean;
  add(vhost: string): void;
  readonly problems: readonly Failure[];
}

export function refusedOf(wanted: readonly QueueName[], refusals: Refusals): Refused {
  const refused = new Set(wanted.map(({ vhost }) => vhost).filter(refusals.isStanding));
  return {
    has: (vhost) => refused.has(vhost),
    add(vhost) {
      refused.add(vhost);
      refusals.add(vhost);
    },
    get problems() {
      return [...refused].map((vhost) => scoped(noPermission(vhost), { scope: 'queue', vhost }));
    },
  };
}
