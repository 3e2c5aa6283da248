/** What a private graphite-web is made of on disk: its settings, and a database with all tables. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from './testbed-keeper.ts';

/** The interpreter that Debian's modules belong to; the first in PATH may be another. */
export const PYTHON = '/usr/bin/python3';
export const MANAGE = '/usr/bin/graphite-manage';

export interface GraphiteFiles {
  readonly directory: string;
  /** The SQLite database. */
  readonly database: string;
  readonly logFile: string;
  /** With these, programs find the settings. */
  readonly variables: Readonly<Record<string, string>>;
  /** Makes the tables. Needs 2 s once per process: later databases are copies of the first. */
  migrate(env: NodeJS.ProcessEnv): Promise<void>;
}

export interface GraphiteSettings {
  /** Where Whisper files are; a folder of its own when not given. */
  readonly whisperDirectory: string | undefined;
  /** Of Carbon, which is asked for points that it has not yet written. */
  readonly cacheQueryPort: number | undefined;
  /** How long a statement waits for a database that is locked; Python's own default is 5. */
  readonly lockTimeoutSeconds: number | undefined;
  /** Whether the database waits for the disk. */
  readonly sync: boolean;
  /** More lines of the settings, which are Python. */
  readonly lines: readonly string[];
}

/** A JSON text is a Python literal too: for strings and numbers, and for lists and dictionaries of them. */
const python = (value: string | number | object): string => JSON.stringify(value);

/** SQLite's setting belongs to a connection, and this version of Django has no option for it. */
const WITHOUT_SYNC = [
  'from django.db.backends.signals import connection_created',
  'def without_sync(connection, **_):',
  "    connection.cursor().execute('PRAGMA synchronous = OFF')",
  'connection_created.connect(without_sync)',
];

let emptyDatabase: Promise<Buffer> | undefined;

export function prepareGraphite(directory: string, settings: GraphiteSettings): GraphiteFiles {
  const storage = join(directory, 'storage');
  const log = join(storage, 'log');
  const database = join(storage, 'graphite.db');
  for (const folder of ['conf', 'storage/log', 'storage/whisper'])
    mkdirSync(join(directory, folder), { recursive: true });
  const { whisperDirectory, cacheQueryPort, lockTimeoutSeconds } = settings;
  const assigned = {
    SECRET_KEY: 'of a test',
    ALLOWED_HOSTS: ['127.0.0.1', 'localhost'],
    TIME_ZONE: 'UTC',
    CONF_DIR: join(directory, 'conf'),
    STORAGE_DIR: storage,
    LOG_DIR: log,
    WHISPER_DIR: whisperDirectory ?? join(storage, 'whisper'),
    INDEX_FILE: join(storage, 'index'),
    STATIC_ROOT: '/usr/share/graphite-web/static',
    CARBONLINK_HOSTS: cacheQueryPort === undefined ? [] : [`127.0.0.1:${cacheQueryPort}`],
    // What a test has just written is what it reads.
    DEFAULT_CACHE_DURATION: 0,
    FIND_CACHE_DURATION: 0,
    FIND_TOLERANCE: 0,
    TAGDB_CACHE_DURATION: 0,
    DATABASES: {
      default: {
        ENGINE: 'django.db.backends.sqlite3',
        NAME: database,
        OPTIONS: lockTimeoutSeconds === undefined ? {} : { timeout: lockTimeoutSeconds },
      },
    },
  };
  const lines = Object.entries(assigned).map(([name, value]) => `${name} = ${python(value)}`);
  const text = [
    ...[...lines, 'DEBUG = False', 'LOG_ROTATION = False'],
    ...(settings.sync ? [] : WITHOUT_SYNC),
    ...settings.lines,
  ].join('\n');
  writeFileSync(join(directory, 'rig_settings.py'), `${text}\n`);
  // Else each new worker would import most of graphite-web when its first request comes.
  writeFileSync(
    join(directory, 'rig_wsgi.py'),
    'from graphite.wsgi import application\nfrom django.urls import get_resolver\nget_resolver().url_patterns\n',
  );
  return {
    directory,
    database,
    logFile: join(log, 'server.log'),
    variables: {
      PYTHONPATH: directory,
      GRAPHITE_SETTINGS_MODULE: 'rig_settings',
      DJANGO_SETTINGS_MODULE: 'graphite.settings',
    },
    async migrate(env) {
      const make = async (): Promise<Buffer> => {
        await output([PYTHON, MANAGE, 'migrate', '--run-syncdb', '--noinput', '--verbosity', '0'], { env });
        return readFileSync(database);
      };
      if (emptyDatabase === undefined) {
        emptyDatabase = make();
        // The next one tries by itself.
        emptyDatabase.catch(() => {
          emptyDatabase = undefined;
        });
      }
      writeFileSync(database, await emptyDatabase);
    },
  };
}
