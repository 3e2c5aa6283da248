/**
 * Tells systemd how we are (sd_notify(3)), through systemd-notify(1): Node.js has no unix datagram sockets.
 * The sender is a child process, so a unit of another user than root needs `NotifyAccess=all`.
 */
import { execFile } from 'node:child_process';
import { Failure } from '../errors.ts';

export interface Notifier {
  ready(status: string): Promise<void>;
  /** Type=notify-reload wants to know when, on the monotonic clock, the reload began. */
  reloading(): Promise<void>;
  stopping(): Promise<void>;
  status(text: string): Promise<void>;
  watchdog(): Promise<void>;
  /** How often the watchdog must be fed (half of its time), or undefined where there is none. */
  readonly watchdogMs: number | undefined;
}

const TIMEOUT_MS = 5000;

/** Without `NOTIFY_SOCKET` in the environment every call does nothing. Failures are told to `onFailure`, never thrown. */
export function systemdNotifier(env: NodeJS.ProcessEnv, onFailure: (failure: Failure) => void): Notifier {
  const socket = env.NOTIFY_SOCKET;
  let last: Promise<void> = Promise.resolve();
  const send = (words: readonly string[]): Promise<void> => {
    if (socket === undefined || socket === '') return Promise.resolve();
    // One after the other: READY=1 must not overtake RELOADING=1.
    last = last.then(() => notify(socket, env.PATH, words)).catch(onFailure);
    return last;
  };
  const pid = `--pid=${process.pid}`;
  return {
    ready: (status) => send([pid, 'READY=1', `STATUS=${status}`]),
    reloading: () => send([pid, 'RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`]),
    stopping: () => send([pid, 'STOPPING=1']),
    status: (text) => send([`STATUS=${text}`]),
    // Without --pid: it would send MAINPID with each beat.
    watchdog: () => send(['WATCHDOG=1']),
    watchdogMs: watchdogPeriod(env),
  };
}

function watchdogPeriod(env: NodeJS.ProcessEnv): number | undefined {
  const microseconds = Number(env.WATCHDOG_USEC);
  const forUs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid;
  return forUs && Number.isFinite(microseconds) && microseconds > 0 ? microseconds / 2000 : undefined;
}

function notify(socket: string, path: string | undefined, words: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { NOTIFY_SOCKET: socket, PATH: `${path ?? ''}:/usr/bin:/bin`, LC_ALL: 'C' };
    execFile('systemd-notify', words, { env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, _stdout, stderr) => {
      if (error === null) return resolve();
      const why = stderr.trim().split('\n')[0] || error.message;
      return reject(new Failure('E_SEND', `systemd-notify: ${why}`, { cause: error }));
    });
  });
}
