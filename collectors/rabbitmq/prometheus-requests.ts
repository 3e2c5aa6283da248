/** GETs of the prometheus plugin, each with a limit out of what the run has left: what hangs is a problem, not its end. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { accessOf } from './management-client.ts';
import type { RabbitmqOptions } from './options.ts';

export interface Limit {
  /** Of several nodes, one that does not answer for so long is given up: what the others say is still in time then. */
  readonly patienceMs: number;
  /** Of what is left. */
  readonly share: number;
}

export interface Requests {
  /** `path` begins with `/metrics`. */
  get(url: string, path: string, limit: Limit): Promise<string>;
  readonly count: number;
  /** By URL: whether it answered all that it was asked. */
  readonly endpoints: ReadonlyMap<string, boolean>;
}

/** So many nodes are asked at once. */
export const AT_ONCE = 4;

/** `leftMs`: milliseconds that the run has left. */
export function createRequests(
  host: Host,
  options: RabbitmqOptions,
  urls: readonly string[],
  leftMs: () => number,
): Requests {
  const access = accessOf(options);
  const endpoints = new Map<string, boolean>();
  /** What did not answer in this run (a URL, or a page of it) is not asked again in it: it would cost its time anew. */
  const gone = new Map<string, Failure>();
  const rounds = Math.ceil(urls.length / AT_ONCE);
  let count = 0;

  const limitMs = ({ patienceMs, share }: Limit): number =>
    Math.min(urls.length > 1 ? patienceMs : Number.POSITIVE_INFINITY, Math.floor((leftMs() * share) / rounds));

  return {
    async get(url, path, limit) {
      const page = `${url}${path.split('?', 1)[0]}`;
      const before = gone.get(url) ?? gone.get(page);
      if (before !== undefined) throw before;
      const timeoutMs = limitMs(limit);
      if (timeoutMs <= 0) throw new Failure('E_TIMEOUT', 'is not asked, since the run has no time left', { url: page });
      count += 1;
      try {
        const text = await host.getText(`${url}${path}`, {
          ...access,
          ...(Number.isFinite(timeoutMs) ? { timeoutMs } : {}),
        });
        endpoints.set(url, endpoints.get(url) ?? true);
        return text;
      } catch (thrown) {
        const failure = asFailure(thrown);
        // A page that this version has not is an answer, too.
        if (failure.evidence.status !== 404) endpoints.set(url, false);
        if (failure.code === 'E_CONNECT') gone.set(url, failure);
        // Another page of a node may answer while this one hangs.
        else if (failure.code === 'E_TIMEOUT') gone.set(page, failure);
        throw failure;
      }
    },
    get count() {
      return count;
    },
    endpoints,
  };
}
