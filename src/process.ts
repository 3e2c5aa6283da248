/** The daemon as a process: log, signals, systemd, and the end of it. */
import { fstatSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { boundGarbage } from './heap.ts';
import { type Notifier, systemdNotifier } from './hosts/systemd.ts';
import { createLogger, type Logger } from './log.ts';

const STATUS_EVERY_MS = 60_000;
const FLUSH_MS = 2000;
const SAME_SIGNAL_MS = 500;

/** Runs until SIGTERM or SIGINT; resolves with the exit code. */
export async function runDaemon(config: Config): Promise<number> {
  boundGarbage();
  const logger = loggerFor(config);
  const notifier = systemdNotifier(process.env, (failure) => logger.log('notify:failed', { message: failure.message }));
  const ended = Promise.withResolvers<number>();
  const hadTerminal = [1, 2].some((descriptor) => isatty(descriptor));
  let stopping = false;
  let stoppingSinceMs = 0;

  // Signals and faults may come while it starts: they wait for it.
  const starting = Promise.withResolvers<Daemon>();
  const stop = (reason: string): void => {
    if (stopping) {
      // The second signal is from somebody who does not want to wait; one at once is the first again, which a terminal
      // sends to the whole group and a parent passes on.
      if (systemClock.monotonicMs() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stopping = true;
    stoppingSinceMs = systemClock.monotonicMs();
    void notifier.stopping();
    starting.promise.then((daemon) => daemon.stop(reason)).then(() => ended.resolve(0), ended.reject);
  };
  const crash = (error: unknown): void => {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    logger.log('daemon:crashed', { message, ...(stack === undefined ? {} : { stack }) });
    if (stopping) process.exit(1);
    stopping = true;
    starting.promise.then((daemon) => daemon.stop('crash')).finally(() => ended.resolve(1));
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGHUP', () => {
    // The same signal says that a terminal was closed, and then nobody is left to run for.
    if (hadTerminal && ![1, 2].some((descriptor) => isatty(descriptor))) stop('its terminal was closed');
    else starting.promise.then((daemon) => reload(daemon, notifier)).catch(crash);
  });

  const daemon = await startDaemon(config, { clock: systemClock, logger, stdout: process.stdout });
  starting.resolve(daemon);
  await notifier.ready(daemon.status());
  const beats = startBeats(daemon, notifier);
  const code = await ended.promise;
  for (const beat of beats) clearInterval(beat);
  // A reader that stands still must not hold the end.
  await Promise.race([logger.flush(), sleep(FLUSH_MS)]);
  return code;
}

async function reload(daemon: Daemon, notifier: Notifier): Promise<void> {
  await notifier.reloading();
  const taken = await daemon.reload();
  await notifier.ready(taken ? daemon.status() : `${daemon.status()}; the new configuration was refused, see the log`);
}

function startBeats(daemon: Daemon, notifier: Notifier): NodeJS.Timeout[] {
  const beats = [setInterval(() => void notifier.status(daemon.status()), STATUS_EVERY_MS)];
  const { watchdogMs } = notifier;
  if (watchdogMs !== undefined) {
    const beat = (): void => {
      if (daemon.isAlive()) void notifier.watchdog();
    };
    beat();
    beats.push(setInterval(beat, watchdogMs));
  }
  for (const beat of beats) beat.unref();
  return beats;
}

/** Logs go to stdout, unless a sink writes there: then that has stdout to itself. */
function loggerFor(config: Config): Logger {
  const sinkOnStdout = config.sinks.some(
    (sink) => sink.type === 'stdout' && !(sink.onlyOnTerminal && !process.stdout.isTTY),
  );
  const descriptor = sinkOnStdout ? 2 : 1;
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  const form = stream.isTTY ? 'pretty' : goesToJournal(descriptor) ? 'journald' : 'json';
  const colour = form === 'pretty' && (process.env.NO_COLOR ?? '') === '';
  return createLogger({ level: config.logLevel, descriptor, form, colour });
}

/** systemd.exec(5): `JOURNAL_STREAM` is device and inode of the journal's socket; a redirected output is another. */
function goesToJournal(descriptor: 1 | 2): boolean {
  const journal = process.env.JOURNAL_STREAM;
  if (journal === undefined) return false;
  const { dev, ino } = fstatSync(descriptor);
  return journal === `${dev}:${ino}`;
}
