/**
 * A management API whose answers a test writes, run by run, through the whole pipeline. For what no real broker can be
 * brought to do at a wish: lag, statistics that are missing for one run, a permission given later.
 */
import { rabbitmq } from '../../collectors/rabbitmq/index.ts';
import type { HttpOptions } from '../../src/collector.ts';
import type { JobConfig } from '../../src/config.ts';
import { Failure } from '../../src/errors.ts';
import { keeper, type OpenHost, type Target } from '../../src/hosts/target.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import { run } from '../../src/run.ts';
import { createClaims } from '../../src/vet.ts';
import { fakeClock } from './fake-clock.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the broker is in one run. */
export interface Scene {
  readonly queues?: readonly Fields[];
  /** Queues as requests for single ones see them; those of `queues` if not given. */
  readonly details?: readonly Fields[];
  readonly overview?: Fields;
  readonly vhosts?: readonly Fields[];
  readonly nodes?: readonly Fields[];
  /** Answers instead, by the begin of the path. */
  readonly failing?: Readonly<Record<string, Failure>>;
  /** The answer to a list of all queues, instead. */
  readonly failingList?: Failure;
}

export const noSuch = (): Failure => new Failure('E_NOT_FOUND', 'not there', { status: 404 });

export interface Ran {
  readonly values: Readonly<Record<string, number | undefined>>;
  readonly problems: readonly string[];
  readonly failure: Failure | undefined;
  readonly paths: readonly string[];
}

function answer(scene: Scene, url: URL): unknown {
  const path = url.pathname;
  for (const [begin, failure] of Object.entries(scene.failing ?? {})) if (path.startsWith(begin)) throw failure;
  if (path === '/api/health/checks/alarms') return { status: 'ok' };
  if (path === '/api/overview') return { rates_mode: 'basic', disable_stats: false, ...scene.overview };
  if (path === '/api/vhosts') return scene.vhosts ?? [{ name: '/' }];
  if (path === '/api/nodes') return scene.nodes ?? [{ name: 'rabbit@a', running: true, mem_used: 1, uptime: 1 }];
  const [, , what, vhost, name] = path.split('/').map(decodeURIComponent);
  if (what !== 'queues') throw noSuch();
  const { queues = [], details = queues } = scene;
  if (name !== undefined) {
    const found = details.find((queue) => queue.vhost === vhost && queue.name === name);
    if (found === undefined) throw noSuch();
    return found;
  }
  const listed = queues.filter((queue) => vhost === undefined || queue.vhost === vhost);
  if (scene.failingList !== undefined) throw scene.failingList;
  const isPage = url.searchParams.has('page');
  return isPage ? { items: details, page: 1, page_count: 1, total_count: listed.length } : listed;
}

/** A job of it, that runs every `everyMs`. */
export function scripted(options: Fields = {}, everyMs = 30_000) {
  const clock = fakeClock();
  const kept = keeper({ connect: async () => Promise.reject(noSuch()) });
  let scene: Scene = {};
  let paths: string[] = [];
  const target = {
    name: 'hv01',
    open: (): OpenHost =>
      ({
        name: 'hv01',
        keep: kept.keep,
        async getJson(address: string, _?: HttpOptions) {
          const url = new URL(address);
          paths.push(url.pathname);
          return answer(scene, url);
        },
        readFile: async () => Promise.reject(noSuch()),
        async settled() {},
      }) as unknown as OpenHost,
    renew: kept.renew,
    close: async () => kept.close(),
  } satisfies Target;
  const config = {
    ...{ id: 'rabbitmq@local', name: 'rabbitmq', collector: rabbitmq, target: 'local' },
    ...{ intervalMs: everyMs, timeoutMs: 20_000, options: rabbitmq.options.parse(options) },
  } as unknown as JobConfig;
  const around = { prefix: 'p', target, claims: createClaims() };
  const memory = freshMemory(config, around);
  return async (next: Scene): Promise<Ran> => {
    [scene, paths] = [next, []];
    const { delivery, problems, failure } = deliveryOf(
      await run(planOf(config, target), clock),
      config,
      around,
      memory,
    );
    await clock.advance(everyMs);
    const series = delivery.points.map(({ path, value }) => [path.replace('p.hv01.rabbitmq.', ''), value] as const);
    const told = problems.map(({ code, message }) => `${code} ${message}`);
    return { values: Object.fromEntries(series), problems: told, failure, paths };
  };
}
