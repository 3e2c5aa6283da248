/**
 * A real carbon-cache on private ports of 127.0.0.1 with its own directory. Needs no root. Everything ends with
 * `close()`, and also when the process that started it is killed.
 */
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pointReader, type Slot, seriesIn } from './carbon-points.ts';
import { type EndSignal, missingReason, serverEnv, serverProcess } from './graphite-process.ts';
import { startBrokerKeeper } from './rabbitmq-keeper.ts';
import { freePorts } from './rabbitmq-node.ts';
import { eventually } from './statsd.ts';

const PROGRAM = '/usr/bin/carbon-cache';

export interface Carbon {
  /** Takes lines: `NAME VALUE SECONDS`. */
  readonly port: number;
  readonly picklePort: number;
  readonly cacheQueryPort: number;
  /** Of the process that was started last. */
  readonly pid: number;
  readonly directory: string;
  readonly whisperDirectory: string;
  /** Sends lines by a connection of its own; resolves when Carbon has read them all, which is before it stores them. */
  send(lines: readonly string[]): Promise<void>;
  /** The slots from one second to another, both included, see `PointReader`; rejects when there is no such series. */
  points(series: string, from: number, until: number): Promise<Slot[]>;
  /** Of many series at once; undefined of one that is not stored. */
  pointsOf(series: readonly string[], from: number, until: number): Promise<Map<string, Slot[] | undefined>>;
  /**
   * Resolves with the value when the slot of that second has one. Carbon looks into its memory once a second, and
   * writes what is there then.
   */
  flushed(series: string, seconds: number, withinMs?: number): Promise<number>;
  /** All that are stored, tagged ones by the names of their files, see `fileOf`. */
  series(): string[];
  /**
   * Refuses connections then; SIGTERM if not given. What it had in memory only is lost: about the points of its last
   * second, and by SIGTERM too, as the thread that writes sleeps for a second at a time.
   */
  stop(signal?: EndSignal): Promise<void>;
  kill(): Promise<void>;
  /** Starts it again after `stop()` or `kill()`, with the same data and ports. */
  start(): Promise<void>;
  /** It accepts connections, as far as the kernel does so for it, and reads nothing. */
  pause(): Promise<void>;
  resume(): void;
  /** Server and directory are gone. */
  close(): Promise<void>;
}

export interface CarbonOptions {
  /** As in storage-schemas.conf, for all series; `1s:1h` if not given, which makes files of 43 kB. */
  readonly retentions?: string;
  /** How many new series it stores; points of others are dropped. No limit if not given, unlike Debian's own. */
  readonly maxCreatesPerMinute?: number;
  /** Tells new tagged series to `graphiteUrl`; so if not given and there is one. */
  readonly tags?: boolean;
  /** A graphite-web, which need not run yet. */
  readonly graphiteUrl?: string;
  /** More lines of carbon.conf's section `cache`; those replace others. */
  readonly config?: readonly string[];
}

/** Why there can be no Carbon here, or undefined. In CI, where there must be one, it throws that. */
export const carbonReason = (): string | undefined => missingReason(PROGRAM);

export async function startCarbon(options: CarbonOptions = {}): Promise<Carbon> {
  const [port = 0, picklePort = 0, cacheQueryPort = 0] = await freePorts(3);
  const keeper = await startBrokerKeeper();
  const { directory } = keeper;
  const whisperDirectory = join(directory, 'whisper');
  const pidFile = join(directory, 'carbon-cache.pid');
  const configFile = join(directory, 'conf', 'carbon.conf');
  const env = serverEnv(keeper.mark);
  const reader = pointReader(whisperDirectory, env);
  try {
    for (const folder of ['conf', 'log', 'whisper', 'lists']) mkdirSync(join(directory, folder));
    const { retentions = '1s:1h', maxCreatesPerMinute = 'inf', graphiteUrl = 'http://127.0.0.1:9' } = options;
    const settings = {
      ...{ STORAGE_DIR: directory, LOCAL_DATA_DIR: whisperDirectory, CONF_DIR: join(directory, 'conf') },
      ...{ LOG_DIR: join(directory, 'log'), PID_DIR: directory, WHITELISTS_DIR: join(directory, 'lists'), USER: '' },
      ...{ LINE_RECEIVER_INTERFACE: '127.0.0.1', LINE_RECEIVER_PORT: port, ENABLE_UDP_LISTENER: 'False' },
      ...{ PICKLE_RECEIVER_INTERFACE: '127.0.0.1', PICKLE_RECEIVER_PORT: picklePort },
      ...{ CACHE_QUERY_INTERFACE: '127.0.0.1', CACHE_QUERY_PORT: cacheQueryPort },
      ...{ MAX_UPDATES_PER_SECOND: 'inf', MAX_CREATES_PER_MINUTE: maxCreatesPerMinute },
      // No series of its own.
      CARBON_METRIC_INTERVAL: 0,
      // Many series of few points each need little room on the disk.
      WHISPER_SPARSE_CREATE: 'True',
      ...{ LOG_UPDATES: 'False', LOG_CACHE_HITS: 'False', LOG_CREATES: 'False', ENABLE_LOGROTATION: 'False' },
      ENABLE_TAGS: (options.tags ?? options.graphiteUrl !== undefined) ? 'True' : 'False',
      GRAPHITE_URL: graphiteUrl,
    };
    const replaced = new Set(options.config?.map((line) => line.split('=')[0]?.trim()));
    const kept = Object.entries(settings).filter(([name]) => !replaced.has(name));
    const lines = ['[cache]', ...kept.map(([name, value]) => `${name} = ${value}`), ...(options.config ?? [])];
    writeFileSync(configFile, `${lines.join('\n')}\n`);
    writeFileSync(join(directory, 'conf', 'storage-schemas.conf'), `[all]\npattern = .*\nretentions = ${retentions}\n`);
    const server = serverProcess({
      ...{ name: 'Carbon', env, directory, logFile: join(directory, 'log', 'server.log') },
      argv: [PROGRAM, `--config=${configFile}`, `--pidfile=${pidFile}`, '--nodaemon', 'start'],
    });
    const start = async (): Promise<void> => {
      // One that was killed leaves it, and the number may be another process's by now.
      rmSync(pidFile, { force: true });
      await server.start(async () => (await listens(port)) && (await listens(cacheQueryPort)));
    };
    await start();

    const carbon: Carbon = {
      ...{ port, picklePort, cacheQueryPort, directory, whisperDirectory },
      get pid() {
        return server.pid;
      },
      async send(all) {
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'connect');
        // Carbon closes its side when it has read to the end.
        const closed = once(socket.resume(), 'close');
        socket.end(`${all.join('\n')}\n`);
        await closed;
      },
      async points(series, from, until) {
        const slots = (await carbon.pointsOf([series], from, until)).get(series);
        if (slots === undefined)
          throw new Error(`Carbon has not stored ${series}; it has ${carbon.series().join(' ')}`);
        return slots;
      },
      pointsOf: reader.read,
      flushed(series, seconds, withinMs) {
        const look = async (): Promise<number | undefined> =>
          (await carbon.pointsOf([series], seconds, seconds)).get(series)?.[0]?.value ?? undefined;
        return eventually(look, `Carbon to store ${series} of ${seconds}`, withinMs);
      },
      series: () => seriesIn(whisperDirectory),
      stop: (signal = 'SIGTERM') => server.end(signal),
      kill: () => server.end('SIGKILL'),
      start,
      pause: server.pause,
      resume: server.resume,
      async close() {
        reader.close();
        await keeper.close();
      },
    };
    return carbon;
  } catch (error) {
    await keeper.close();
    throw error;
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
