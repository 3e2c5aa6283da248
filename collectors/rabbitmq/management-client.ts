/** GETs of the management plugin: of the endpoints of one cluster, the first that answers. */
import type { Host, HttpOptions } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { isAway } from './management-failures.ts';
import type { RabbitmqOptions } from './options.ts';
import { NOTHING, scoped } from './scoped.ts';

/** What outlives a run: which of the endpoints answered last. */
export interface Endpoints {
  current: number;
}

export interface Asking {
  /** Of what the run has left at most so much; default: half of it. */
  readonly timeoutMs?: number | undefined;
  /** Statuses that are no failure; with them, what is not such an answer fails by its status all the same. */
  readonly statuses?: readonly number[];
  readonly isAnswer?: (answer: unknown) => boolean;
}

export interface Client {
  /** `path` begins with `/api/`. The first request of a run, unless it has a limit of its own, is its probe. */
  get(path: string, asking?: Asking): Promise<unknown>;
  /** How much of the run is left, in milliseconds. */
  leftMs(): number;
  readonly requests: number;
  /** Of those that were asked. */
  readonly up: ReadonlyMap<string, boolean>;
  /** Why the others were left for the one that answered. */
  readonly problems: readonly Failure[];
}

/** With less than that there is no time to ask anything. */
export const LEAST_MS = 1;

/** One that does not answer the probe for so long is left for the next, where there is one. */
const PATIENCE_MS = 3000;

export function accessOf(options: RabbitmqOptions): HttpOptions {
  const { user, password, passwordFile, caFile, certFile, keyFile } = options;
  return {
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(caFile === undefined ? {} : { certificateAuthorityFile: caFile }),
    ...(certFile === undefined ? {} : { certificateFile: certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}

export const managementUrls = ({ urls = ['http://127.0.0.1:15672'] }: RabbitmqOptions): readonly string[] => urls;

/** `leftMs`: what the run has left, without what it needs to end in time. */
export function createClient(
  host: Host,
  options: RabbitmqOptions,
  endpoints: Endpoints,
  leftMs: () => number = () => Number.POSITIVE_INFINITY,
): Client {
  const urls = managementUrls(options);
  const access = accessOf(options);
  const up = new Map<string, boolean>();
  const problems: Failure[] = [];
  let requests = 0;

  const request = async (url: string, path: string, more: HttpOptions): Promise<unknown> => {
    requests += 1;
    const answer = await host.getJson(`${url}${path}`, { ...access, ...more });
    up.set(url, true);
    return answer;
  };
  const ask = async (url: string, path: string, limit: HttpOptions, asking: Asking): Promise<unknown> => {
    const { statuses, isAnswer = () => true } = asking;
    if (statuses === undefined) return request(url, path, limit);
    try {
      const answer = await request(url, path, { ...limit, statuses });
      if (isAnswer(answer)) return answer;
    } catch (thrown) {
      if (asFailure(thrown).code !== 'E_PARSE') throw thrown;
    }
    // A balancer's page has the status of a health check: asked without it, its status is the failure that it is.
    return request(url, path, limit);
  };
  const limitOf = (path: string, timeoutMs: number | undefined, isProbe: boolean): HttpOptions => {
    const left = leftMs();
    const most = isProbe && urls.length > 1 ? Math.min(left / 2, PATIENCE_MS) : (timeoutMs ?? left / 2);
    const limit = Math.min(most, left);
    if (limit > LEAST_MS) return Number.isFinite(limit) ? { timeoutMs: Math.ceil(limit) } : {};
    throw new Failure('E_TIMEOUT', `no time was left in this run to ask for ${path.replace(/\?.*/, '')}`);
  };
  const leave = (index: number, failure: Failure): void => {
    const url = urls[index] ?? '';
    if (up.get(url) !== false) problems.push(scoped(failure, NOTHING));
    up.set(url, false);
    // Another request may have moved on already.
    if (endpoints.current === index) endpoints.current = (index + 1) % urls.length;
  };
  const get: Client['get'] = async (path, asking = {}) => {
    const isProbe = requests === 0 && asking.timeoutMs === undefined;
    let failure: Failure | undefined;
    for (const _ of urls) {
      const index = endpoints.current;
      const url = urls[index] ?? '';
      const limit = limitOf(path, asking.timeoutMs, isProbe);
      try {
        return await ask(url, path, limit, asking);
      } catch (thrown) {
        failure = asFailure(thrown);
        // Something slow or broken that was asked of one that answers else is no reason to leave it.
        if (!isAway(failure, isProbe)) {
          // It answered, whatever it says.
          if (failure.evidence.status !== undefined) up.set(url, true);
          throw failure;
        }
        leave(index, failure);
        if (up.get(urls[endpoints.current] ?? '') === false) break;
      }
    }
    throw failure;
  };
  return {
    get,
    leftMs,
    get requests() {
      return requests;
    },
    up,
    problems,
  };
}

/** What is left of so many milliseconds that begin now, for a part that takes several requests. */
export function spanOf({ leftMs }: Pick<Client, 'leftMs'>, ms: number): () => number {
  const atFirst = leftMs();
  // Where the run has no end, each request may take as long.
  return () => (Number.isFinite(atFirst) ? ms - (atFirst - leftMs()) : ms);
}

/** How many requests the run may still make. */
export function roomOf(client: Pick<Client, 'requests'>, { maxRequests }: RabbitmqOptions): number {
  return Math.max(0, maxRequests - client.requests);
}
