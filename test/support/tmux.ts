/** A program on a real terminal: tmux draws what it writes, and types what a test says. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from './daemon.ts';
import { eventually } from './statsd.ts';

export interface Tmux {
  /** Keys by tmux's names: `q`, `Escape`, `C-c`, `PageDown`. */
  send(...keys: readonly string[]): void;
  /** What is on the screen, without blanks at the ends of lines; with `escapes` the colours too. */
  screen(how?: { readonly escapes?: boolean }): string[];
  /** Resolves with the screen when it holds. */
  until(holds: (lines: readonly string[]) => boolean, what: string): Promise<string[]>;
  /** A format of tmux(1), for example `#{alternate_on}`. */
  ask(format: string): string;
  resize(columns: number, rows: number): void;
  close(): void;
}

interface Options {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** A program that starts on a busy machine takes seconds. */
export const PATIENCE_MS = 40_000;

const open = new Set<Tmux>();

process.once('exit', closeTmux);

/** Belongs into `afterEach`. */
export function closeTmux(): void {
  for (const one of [...open]) one.close();
}

/** Each has a server of its own, which ends with it. */
export function startTmux(argv: readonly string[], { columns = 80, rows = 24, env = {} }: Options = {}): Tmux {
  const directory = scratch();
  const socket = join(directory, 'tmux');
  const config = join(directory, 'tmux.conf');
  // What a program left on the screen is looked at after it has ended.
  writeFileSync(config, 'set -g remain-on-exit on\nset -g status off\nset -s escape-time 0\n');
  const whole: NodeJS.ProcessEnv = { ...process.env, TMUX: undefined, LC_ALL: 'C.UTF-8', ...env };
  const tmux = (...args: readonly string[]): string => {
    const { stdout, stderr, status } = spawnSync('tmux', ['-u', '-S', socket, '-f', config, ...args], {
      encoding: 'utf8',
      env: whole,
    });
    if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), ...argv);
  // By its id: the folder with its socket may be gone before it is.
  const server = Number(tmux('display-message', '-p', '#{pid}').trim());
  const terminal: Tmux = {
    send: (...keys) => void tmux('send-keys', ...keys),
    screen: ({ escapes = false } = {}) =>
      tmux('capture-pane', '-p', ...(escapes ? ['-e'] : []))
        .split('\n')
        .slice(0, -1),
    async until(holds, what) {
      let last: string[] = [];
      const found = await eventually(
        () => {
          last = terminal.screen();
          return holds(last) ? last : undefined;
        },
        what,
        PATIENCE_MS,
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}; the screen is\n${last.join('\n')}`);
      });
      return found;
    },
    ask: (format) => tmux('display-message', '-p', format).trim(),
    resize: (wide, high) => void tmux('resize-window', '-x', String(wide), '-y', String(high)),
    close() {
      if (!open.delete(terminal)) return;
      try {
        process.kill(server, 'SIGTERM');
      } catch {
        // It has ended by itself.
      }
    },
  };
  open.add(terminal);
  return terminal;
}
