/** What a source says beside the records: what it asked, and who answered. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import type { Listing, QueueName, Source } from './record.ts';

export interface AskedSource extends Source {
  /** Requests, or programs started, since the run began. */
  readonly requests: number;
  /** By URL: whether it answered all that it was asked in this run. Empty where the source has no URL. */
  readonly endpoints: ReadonlyMap<string, boolean>;
  /**
   * `wanted`: queues that are sent by name; of others a source may leave out the counts. It must say the same of a
   * queue in every run: what is counted of one begins when it is first wanted.
   */
  list(wanted?: (queue: QueueName) => boolean): Promise<Listing>;
}

/** The same failure, as what it leaves unknown; `where` (a URL, a vhost) stands before its message. */
export function unknownBy(failure: Failure, where: string, labels: Readonly<Record<string, string>>): Failure {
  const { code, message, evidence } = failure;
  return new Failure(code, where === '' ? message : `${where}: ${message}`, { ...evidence, labels, cause: failure });
}

/** A plain name among the vhosts to ask that the broker does not have. */
export function missingVhost(vhost: string): Failure {
  const message = `there is no vhost ${quoted(vhost)}; expected one of the option vhosts`;
  return new Failure('E_NOT_FOUND', message, { labels: { vhost } });
}
