/** One server of Graphite's, as a process group of its own: started, ended, paused, and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs';
import { eventually } from './statsd.ts';
import { systemEnv } from './testbed-keeper.ts';

export interface ProcessPlan {
  /** As it is called in errors. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly directory: string;
  /** Gets stdout and stderr of every start; the end of it is in the error of a start that fails. */
  readonly logFile: string;
}

export type EndSignal = 'SIGTERM' | 'SIGKILL';

export interface ServerProcess {
  /** Of the process that was started last. */
  readonly pid: number;
  /** Every process of the group that is alive, without the first. */
  others(): number[];
  /** Resolves when `isReady` does; rejects when the process ends before. */
  start(isReady: () => Promise<boolean>): Promise<void>;
  /** SIGTERM goes to the first process, which ends the others in good order; SIGKILL to all. None is left then. */
  end(signal: EndSignal): Promise<void>;
  /** All of them stand still; what they listen on is still accepted by the kernel. Resolves when they do. */
  pause(): Promise<void>;
  resume(): void;
}

/** Why there can be no such server here, or undefined. In CI, where there must be one, it throws that. */
export function missingReason(...programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => {
    try {
      accessSync(program, constants.X_OK);
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length === 0) return undefined;
  const reason = `${missing.join(', ')} not installed: run test/support/packages.ts`;
  if (process.env.CI !== undefined) throw new Error(reason);
  return reason;
}

/** Without what is set for Python programs and a Graphite of the machine. */
export function serverEnv(added: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const others = Object.entries(systemEnv()).filter(
    ([name]) => !/^(PYTHON|DJANGO_|GRAPHITE_|CARBON_|GUNICORN_|WEB_CONCURRENCY$|NOTIFY_SOCKET$|TZ$)/.test(name),
  );
  return { ...Object.fromEntries(others), PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1', ...added };
}

interface Member {
  readonly pid: number;
  readonly state: string;
}

/** The processes of a group; the dead that nobody has asked for yet are none. */
function membersOf(group: number): Member[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
        // The second field is the program's name in brackets, which may hold anything.
        const [state = '', , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(pgrp) === group && !/[ZX]/.test(state) ? [{ pid: Number(entry), state }] : [];
      } catch {
        // It ended.
        return [];
      }
    });
}

function endOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-30).join('\n');
  } catch {
    return '';
  }
}

export function serverProcess(plan: ProcessPlan): ServerProcess {
  let child: ChildProcess | undefined;
  const runs = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  const group = (): number => {
    if (child?.pid === undefined) throw new Error(`${plan.name} was never started`);
    return child.pid;
  };
  const signalAll = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-group(), signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  };

  const server: ServerProcess = {
    get pid() {
      return group();
    },
    others: () =>
      membersOf(group())
        .map(({ pid }) => pid)
        .filter((pid) => pid !== group()),
    async start(isReady) {
      if (runs()) throw new Error(`${plan.name} runs already`);
      const [program = '', ...args] = plan.argv;
      const out = openSync(plan.logFile, 'a');
      // Its own group: what ends a test runner's group is for the keeper to follow up, and one signal reaches all.
      const started = spawn(program, args, {
        stdio: ['ignore', out, out],
        cwd: plan.directory,
        env: plan.env,
        detached: true,
      });
      closeSync(out);
      started.unref();
      started.on('error', () => {});
      child = started;
      try {
        await eventually(
          async () => {
            if (!runs()) throw new Error(`it ended (${started.exitCode ?? started.signalCode})`);
            return (await isReady()) || undefined;
          },
          'its answer',
          30_000,
        );
      } catch (error) {
        await server.end('SIGKILL');
        throw new Error(`${plan.name} does not start: ${error}\n${endOf(plan.logFile)}`, { cause: error });
      }
    },
    async end(signal) {
      if (child?.pid === undefined) return;
      child.ref();
      const exit = runs() ? once(child, 'exit') : undefined;
      if (signal === 'SIGKILL') signalAll('SIGKILL');
      else if (runs()) {
        server.resume();
        child.kill(signal);
      }
      await exit;
      // Those that a killed first process leaves behind hold its port.
      await eventually(() => membersOf(group()).length === 0 || undefined, `the end of all of ${plan.name}`);
    },
    async pause() {
      signalAll('SIGSTOP');
      await eventually(
        () => membersOf(group()).every(({ state }) => /[Tt]/.test(state)) || undefined,
        'the processes to stand still',
      );
    },
    resume: () => signalAll('SIGCONT'),
  };
  return server;
}
