/** GETs of the management plugin: of the endpoints of one cluster, the first that answers. */
import type { Host, HttpOptions } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import type { RabbitmqOptions } from './options.ts';
import { NOTHING, scoped } from './scoped.ts';

/** What outlives a run: which of the endpoints answered last. */
export interface Endpoints {
  current: number;
}

export interface Client {
  /** `path` begins with `/api/`. `timeoutMs` bounds this request alone, so that there is time left for others. */
  get(path: string, options?: { readonly timeoutMs?: number; readonly statuses?: readonly number[] }): Promise<unknown>;
  readonly requests: number;
  /** Of those that were asked. */
  readonly up: ReadonlyMap<string, boolean>;
  /** Why the others were left for the one that answered. */
  readonly problems: readonly Failure[];
}

/** One that does not answer for so long is left for the next, where there is one. */
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

export function createClient(host: Host, options: RabbitmqOptions, endpoints: Endpoints): Client {
  const urls = managementUrls(options);
  const access = accessOf(options);
  const up = new Map<string, boolean>();
  const problems: Failure[] = [];
  let requests = 0;

  const ask = async (index: number, path: string, more: HttpOptions): Promise<unknown> => {
    const url = urls[index] ?? '';
    requests += 1;
    const answer = await host.getJson(`${url}${path}`, { ...access, ...more });
    up.set(url, true);
    return answer;
  };
  const get: Client['get'] = async (path, { timeoutMs, statuses } = {}) => {
    const patience = timeoutMs ?? (urls.length > 1 ? PATIENCE_MS : undefined);
    const more = {
      ...(patience === undefined ? {} : { timeoutMs: patience }),
      ...(statuses === undefined ? {} : { statuses }),
    };
    let failure: Failure | undefined;
    for (const _ of urls) {
      const index = endpoints.current;
      try {
        return await ask(index, path, more);
      } catch (thrown) {
        failure = asFailure(thrown);
        // Something slow that was asked of one that answers else is no reason to leave it.
        if (!isAway(failure) || (timeoutMs !== undefined && failure.code === 'E_TIMEOUT')) throw failure;
        const url = urls[index] ?? '';
        if (up.get(url) !== false) problems.push(scoped(failure, NOTHING));
        up.set(url, false);
        // Another request may have moved on already.
        if (endpoints.current === index) endpoints.current = (index + 1) % urls.length;
        if (up.get(urls[endpoints.current] ?? '') === false) break;
      }
    }
    throw failure;
  };
  return {
    get,
    get requests() {
      return requests;
    },
    up,
    problems,
  };
}

/** The endpoint is away, as opposed to one that answers and does not let us. */
function isAway({ code, evidence }: Failure): boolean {
  if (code === 'E_CONNECT' || code === 'E_TIMEOUT') return true;
  return code === 'E_HTTP_STATUS' && (evidence.status ?? 0) >= 500;
}
