/** edgestatd as a process: what it logs, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endWithParent } from './statsd.ts';

type Event = Record<string, unknown> & { event: string };

export interface DaemonProcess {
  readonly child: ChildProcess;
  /** Its configuration. */
  readonly file: string;
  /** Its environment: a command that has it too finds the status socket of this daemon by `--config FILE`. */
  readonly env: NodeJS.ProcessEnv;
  /** Writes its configuration again. */
  configure(yaml: string): void;
  readonly events: Event[];
  /** Every other line of stdout and stderr. */
  readonly other: string[];
  /** Resolves with the first event of this name, counted from `from` in `events`; rejects when the daemon ends first. */
  event(name: string, from?: number): Promise<Event>;
  /** Sends a signal and resolves with the exit code (or the signal that ended it). */
  end(signal?: NodeJS.Signals): Promise<number | string>;
}

const bin = new URL('../../src/bin.js', import.meta.url).pathname;

/** Everything that a test started; `stopAll` belongs into its `afterEach`. */
const started = new Set<() => void>();

export function stopAll(): void {
  for (const stop of started) stop();
  started.clear();
}

export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-e2e-'));
  started.add(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface StartOptions {
  /** `JOURNAL_STREAM` names the daemon's own stdout, as under systemd. */
  readonly journal?: boolean;
}

export function startEdgestatd(
  yaml: string,
  env: NodeJS.ProcessEnv = {},
  { journal = false }: StartOptions = {},
): DaemonProcess {
  const file = join(scratch(), 'edgestatd.yaml');
  writeFileSync(file, yaml);
  const argv = [process.execPath, ...endWithParent, bin, 'run', '--config', file];
  const inJournal =
    'exec 3>&1; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/3); export JOURNAL_STREAM; exec 3>&-; exec "$@"';
  const [program = '', ...args] = journal ? ['sh', '-c', inJournal, 'sh', ...argv] : argv;
  // Its status socket lands there, and not in /run.
  const own = { XDG_RUNTIME_DIR: scratch(), RUNTIME_DIRECTORY: undefined };
  const whole = { ...process.env, JOURNAL_STREAM: undefined, ...own, ...env };
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: whole });
  started.add(() => child.kill('SIGKILL'));
  const events: Event[] = [];
  const other: string[] = [];
  const watchers = new Set<() => void>();
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      const json = line.replace(/^<[0-7]>/, '');
      if (json.startsWith('{"level"')) events.push(JSON.parse(json));
      else other.push(line);
      for (const look of [...watchers]) look();
    });
  }
  return {
    ...{ child, file, env: whole },
    events,
    other,
    configure: (text) => writeFileSync(file, text),
    event(name, from = 0) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = events.slice(from).find(({ event }) => event === name);
          if (found === undefined) return;
          watchers.delete(look);
          resolve(found);
        };
        watchers.add(look);
        look();
        ended.then((how) =>
          reject(new Error(`ended (${how}) before ${name}: ${JSON.stringify(events)} ${other.join('\n')}`)),
        );
      });
    },
    async end(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}
