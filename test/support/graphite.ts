/**
 * A real graphite-web, served by gunicorn on a private port of 127.0.0.1, with its own directory and SQLite database.
 * Needs no root. Everything ends with `close()`, and also when the process that started it is killed.
 */
import { type LockMode, lockDatabase, type StoredEvent, storedEvents } from './graphite-database.ts';
import { MANAGE, prepareGraphite } from './graphite-files.ts';
import { type Answer, ask, type Question } from './graphite-http.ts';
import { type EndSignal, missingReason, serverEnv, serverProcess } from './graphite-process.ts';
import { startBrokerKeeper } from './rabbitmq-keeper.ts';
import { freePorts } from './rabbitmq-node.ts';
import { eventually } from './statsd.ts';

const GUNICORN = '/usr/bin/gunicorn';

/** An event as `events/get_data` tells it: `when` in whole seconds. */
export interface ShownEvent {
  readonly id: number;
  readonly what: string;
  readonly tags: readonly string[];
  readonly data: string;
  readonly when: number;
}

export interface Graphite {
  readonly port: number;
  /** Of gunicorn, which starts the workers. */
  readonly pid: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Where events are posted to. */
  readonly eventsUrl: string;
  readonly directory: string;
  /** The SQLite file. */
  readonly database: string;
  /** A request by a connection of its own, to a path such as `/tags/findSeries?expr=…`; any status is an answer. */
  ask(path: string, question?: Question): Promise<Answer>;
  /** Posts a text as it is, or anything else as JSON. */
  post(event: unknown): Promise<Answer>;
  /** What `events/get_data` answers; without `until`, the server leaves out what is in the future. */
  events(query?: Readonly<Record<string, string | number>>): Promise<ShownEvent[]>;
  /** One event as `/events/ID/` tells it: `when` in milliseconds, which are all that it tells. */
  eventAt(id: number): Promise<Omit<StoredEvent, 'foundBy'> | undefined>;
  /** What the database holds. */
  rows(): StoredEvent[];
  /** The body of `/render?QUERY`; rejects on any other status than 200. */
  render(query: string): Promise<Buffer>;
  /** The processes that answer. */
  workers(): number[];
  /** Ends every worker with SIGKILL, in whatever it is doing; resolves when they are gone. The server starts others. */
  killWorker(): Promise<void>;
  /** Ends the server: it refuses connections then. SIGTERM if not given, after which requests get 2 s to end. */
  stop(signal?: EndSignal): Promise<void>;
  /** Starts it again after `stop()`, with the same data and port. */
  start(): Promise<void>;
  /** It accepts connections and answers nothing. */
  pause(): Promise<void>;
  resume(): void;
  /**
   * Locks its database, `all` if not given: requests that need it end in a 500 with `OperationalError: database is
   * locked` when they have waited for `lockTimeoutSeconds`; under `all` a post waits three times, `events/get_data` five
   * times so long. Returns what lifts it.
   */
  lock(mode?: LockMode): () => void;
  /** Server, database and directory are gone. */
  close(): Promise<void>;
}

export interface GraphiteOptions {
  /** 1 if not given. */
  readonly workers?: number;
  /** Of each worker: so many requests are answered at once; 4 if not given. */
  readonly threads?: number;
  /** A free one if not given. */
  readonly port?: number;
  /** How long a statement waits for a database that is locked; 5 if not given. */
  readonly lockTimeoutSeconds?: number;
  /**
   * `false`: the database does not wait for the disk. It still survives that processes are killed, and a post takes 8 ms
   * instead of 14, which tells with thousands of them.
   */
  readonly sync?: boolean;
  /** Whose points are rendered. */
  readonly carbon?: { readonly whisperDirectory: string; readonly cacheQueryPort: number };
  /** More lines of the settings, which are Python. */
  readonly settings?: readonly string[];
}

/** Why there can be no graphite-web here, or undefined. In CI, where there must be one, it throws that. */
export const graphiteReason = (): string | undefined => missingReason(MANAGE, GUNICORN);

export async function startGraphite(options: GraphiteOptions = {}): Promise<Graphite> {
  const [port = 0] = options.port === undefined ? await freePorts(1) : [options.port];
  const keeper = await startBrokerKeeper();
  const url = `http://127.0.0.1:${port}`;
  const locks = new Set<() => void>();
  try {
    const files = prepareGraphite(keeper.directory, {
      whisperDirectory: options.carbon?.whisperDirectory,
      cacheQueryPort: options.carbon?.cacheQueryPort,
      lockTimeoutSeconds: options.lockTimeoutSeconds,
      sync: options.sync ?? true,
      lines: options.settings ?? [],
    });
    const env = serverEnv({ ...keeper.mark, ...files.variables });
    const server = serverProcess({
      ...{ name: 'graphite-web', env, directory: files.directory, logFile: files.logFile },
      argv: [
        ...[GUNICORN, '--bind', `127.0.0.1:${port}`, '--preload', '--worker-class', 'gthread'],
        ...['--workers', String(options.workers ?? 1), '--threads', String(options.threads ?? 4)],
        // A worker that stands still is not replaced: tests let it stand.
        ...['--timeout', '0', '--graceful-timeout', '2', 'rig_wsgi:application'],
      ],
    });
    let migrated = false;
    const answers = async (): Promise<boolean> =>
      migrated && (await ask(`${url}/events/get_data?until=1`).catch(() => undefined))?.status === 200;
    // At once, as neither needs the other before the first request.
    const tables = files.migrate(env).then(() => {
      migrated = true;
    });
    await Promise.all([tables, server.start(answers)]);

    const graphite: Graphite = {
      ...{ port, url, eventsUrl: `${url}/events/`, directory: files.directory, database: files.database },
      get pid() {
        return server.pid;
      },
      ask: (path, question) => ask(`${url}${path}`, question),
      post: (event) => ask(`${url}/events/`, { body: typeof event === 'string' ? event : JSON.stringify(event) }),
      async events(query = {}) {
        const words = new URLSearchParams();
        for (const [name, value] of Object.entries(query)) words.set(name, String(value));
        return JSON.parse(await textOf(`/events/get_data?${words}`));
      },
      async eventAt(id) {
        const { status, text } = await graphite.ask(`/events/${id}/`, { headers: { accept: 'application/json' } });
        if (status !== 200) return undefined;
        const { when, tags, what, data } = JSON.parse(text);
        return { id, what, data, tags, whenSeconds: Date.parse(when) / 1000 };
      },
      rows: () => storedEvents(files.database),
      async render(query) {
        const { status, body, text } = await graphite.ask(`/render?${query}`);
        if (status !== 200) throw new Error(`/render?${query}: ${status} ${text.slice(-2000)}`);
        return body;
      },
      workers: server.others,
      async killWorker() {
        const doomed = server.others();
        for (const pid of doomed) kill(pid);
        await eventually(() => !server.others().some((pid) => doomed.includes(pid)) || undefined, 'the end of workers');
      },
      stop: (signal = 'SIGTERM') => server.end(signal),
      start: () => server.start(answers),
      pause: server.pause,
      resume: server.resume,
      lock(mode = 'all') {
        const unlock = lockDatabase(files.database, mode);
        locks.add(unlock);
        return unlock;
      },
      async close() {
        for (const unlock of locks) unlock();
        await keeper.close();
      },
    };
    const textOf = async (path: string): Promise<string> => {
      const { status, text } = await graphite.ask(path);
      if (status !== 200) throw new Error(`${path}: ${status} ${text.slice(-2000)}`);
      return text;
    };
    return graphite;
  } catch (error) {
    await keeper.close();
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in between.
  }
}
