/** The composition root: config → targets, jobs, sinks; start, reload, drain, stop. */
import { hostname } from 'node:os';
import type { Writable } from 'node:stream';
import { registry } from '../collectors/registry.ts';
import type { Clock } from './clock.ts';
import type { Collector } from './collector.ts';
import { type Config, loadConfig, type SinkConfig } from './config.ts';
import { targetName } from './config-faults.ts';
import { type Events, startEvents } from './events/events.ts';
import type { Target } from './hosts/target.ts';
import { createJobSet } from './job-set.ts';
import { type Kept, keep } from './kept.ts';
import type { Logger } from './log.ts';
import { openTarget, settingsOf } from './open-target.ts';
import { createOwnReport, SELF_EVERY_MS } from './own-report.ts';
import { startTicking } from './schedule.ts';
import { probeProcess } from './self.ts';
import { carbonSink } from './sinks/carbon.ts';
import { packingOf } from './sinks/packing.ts';
import type { Delivery, Sink } from './sinks/sink.ts';
import { statsdSink } from './sinks/statsd.ts';
import { stdoutSink } from './sinks/stdout.ts';
import { openState } from './state.ts';
import type { Seen } from './status/board.ts';
import type { OpenSink } from './status/sink-status.ts';
import { startStatus } from './status/status.ts';
import { noteTroubles } from './status/trouble-notes.ts';
import { createTurns } from './turns.ts';
import { version } from './version.ts';
import { createClaims } from './vet.ts';

export const builtIn: ReadonlyMap<string, Collector> = registry;

export interface Daemon {
  /** Reads the file again. An invalid one changes nothing; resolves with whether it was taken. */
  reload(): Promise<boolean>;
  /** Drains: no new ticks, running jobs end or are ended, sinks send what waits. */
  stop(reason: string): Promise<void>;
  /** No job's run has outlived its deadline: what the watchdog is fed for. */
  isAlive(): boolean;
  status(): string;
}

export interface DaemonSurroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stdout: Writable;
}

/** What targets keep and no job has used for this long beyond two of its intervals is not wanted any more. */
const SWEEP_AFTER_MS = 60_000;
/** An answer that is under way when the daemon stops may take so long. */
const STATUS_CLOSE_MS = 500;
/** setTimeout() takes a longer time for none at all. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export async function startDaemon(initial: Config, { clock, logger, stdout }: DaemonSurroundings): Promise<Daemon> {
  const { log } = logger;
  const startedAtMs = clock.monotonicMs();
  const probe = probeProcess();
  let config = initial;
  let sinks: ReadonlyMap<string, Kept<OpenSink>> = new Map();
  let targets: ReadonlyMap<string, Kept<Target>> = new Map();
  let events: Kept<Events | undefined> = { settings: '', value: undefined };
  let stopping = false;
  let turn: Promise<unknown> = Promise.resolve();
  let cancelSweep = (): void => {};

  const eventNotes = noteTroubles(log, clock.wallMs);
  const allSinks = (): OpenSink[] => [...sinks.values()].map(({ value }) => value);
  const deliver = (delivery: Delivery, seen?: Seen): void => {
    for (const { sink } of allSinks()) sink.write(delivery);
    events.value?.see(delivery);
    if (seen !== undefined) status.see(seen);
  };
  const state = openState(initial.state, { clock, log });
  const turns = createTurns(initial.maxRuns, clock);
  const jobs = createJobSet({
    ...{ clock, log, deliver, machine: hostname(), claims: createClaims(), state, turn: turns.take },
    async offer(offers, who) {
      // At the start, and while a reload changes it, the part that takes them is not the one that is configured.
      if (events.settings !== settingsOfEvents(config)) return false;
      await events.value?.offer(offers, who);
      return true;
    },
    retired({ id, intervalMs, collector }, points, seen) {
      const times = { atMs: clock.wallMs(), intervalMs };
      const of = { job: id, collector: collector.name, tookMs: 0 };
      deliver({ job: `${id} retired`, ...times, points }, { ...of, ...times, ...seen });
    },
  });
  const status = startStatus(
    {
      ...{ clock, log, probe, eventNotes, jobs: jobs.statuses, sinks: allSinks },
      events: () => events.value,
    },
    initial,
  );

  const openSink = (settings: SinkConfig): OpenSink => {
    const notes = noteTroubles(log, clock.wallMs);
    const open = (): Sink => {
      if (settings.type === 'statsd') return statsdSink(settings, clock, notes.log);
      if (settings.type === 'carbon') return carbonSink(settings, clock, notes.log);
      return stdoutSink(settings, stdout, () => packingOf(config.sinks));
    };
    return { sink: open(), settings, notes };
  };

  const closeSink = async ({ sink }: OpenSink, withinMs: number): Promise<void> => {
    await sink.close(withinMs);
    const { sentMetrics, droppedMetrics } = sink.counts();
    log('sink:closed', { sink: sink.name, sentMetrics, droppedMetrics: Object.fromEntries(droppedMetrics) });
  };

  /** Takes a configuration into use; what it no longer wants is closed at the end. */
  const adopt = async (next: Config, isReload = false) => {
    logger.hide([...config.secrets, ...next.secrets]);
    logger.setLevel(next.logLevel);
    const newSinks = keep(
      sinks,
      next.sinks,
      (sink) => sink.name,
      (sink) => openSink(sink),
    );
    const newTargets = keep(
      targets,
      settingsOf(next),
      ({ key }) => key,
      ({ key }) => openTarget(key, next, () => config.variables),
    );
    state.use(next.state);
    turns.setLimit(next.maxRuns);
    for (const message of next.problems) log('config:problem', { message });
    config = next;
    sinks = newSinks.kept;
    targets = newTargets.kept;
    // Before the first run of a job: what it reads may be read again in an hour.
    status.expect(next);
    const tally = await jobs.arrange(next, new Map([...targets].map(([key, { value }]) => [key, value])));
    const sweeps = [...targets.values()].map(({ value }) => value.renew());
    const longestMs = next.jobs.reduce((longest, { intervalMs }) => Math.max(longest, intervalMs), 0);
    cancelSweep();
    cancelSweep = clock.after(Math.min(2 * longestMs + SWEEP_AFTER_MS, LONGEST_TIMER_MS), () => {
      for (const sweep of sweeps) sweep();
    });
    await adoptEvents(next);
    if (!stopping) await status.use(next, isReload);
    const closing = newSinks.dropped.map((sink) => closeSink(sink, next.gracePeriodMs));
    await Promise.all([...closing, ...newTargets.dropped.map((target) => target.close())]);
    return tally;
  };

  const nameOf = (key: string): string => targetName(key, config.targets);
  const adoptEvents = async (next: Config): Promise<void> => {
    const { events: options, collectors, gracePeriodMs } = next;
    const settings = settingsOfEvents(next);
    if (settings === events.settings) return;
    const isStart = events.settings === '';
    // One spool is delivered from by one: the old part ends before the new one begins.
    await events.value?.stop(gracePeriodMs / 2, events.value.spool !== options?.spool);
    if (stopping) return;
    eventNotes.down.clear();
    const around = { clock, log: eventNotes.log };
    const value =
      options === undefined ? undefined : startEvents(options, { ...around, collectors, targetName: nameOf }, isStart);
    events = { settings, value };
  };

  await adopt(initial);
  const ownReport = createOwnReport({
    ...{ clock, probe, config: () => config, events: () => events.value },
    sinks: () => allSinks().map(({ sink }) => sink),
  });
  const report = async (): Promise<void> => deliver(ownReport());
  const selfTicking = startTicking({
    ...{ when: { everyMs: SELF_EVERY_MS }, splayKey: `${hostname()} edgestatd`, splayMs: SELF_EVERY_MS, clock },
    onSkipped() {},
    run: report,
  });
  log('daemon:started', { version, config: config.file, jobs: jobs.size, sinks: sinks.size, node: process.version });

  const reload = async (): Promise<boolean> => {
    let next: Config;
    try {
      next = await loadConfig(config.file, builtIn);
    } catch (error) {
      log('config:refused', { message: (error as Error).message.replaceAll('\n', '; ') });
      return false;
    }
    if (stopping) return false;
    const tally = await adopt(next, true);
    log('daemon:reloaded', { config: next.file, ...tally });
    return true;
  };

  return {
    reload() {
      // Two at once would each begin from what the other is changing.
      const taken = turn.then(reload);
      turn = taken.catch(() => {});
      return taken;
    },
    async stop(reason) {
      if (stopping) return;
      stopping = true;
      log('daemon:stopping', { reason });
      const beganAtMs = clock.monotonicMs();
      selfTicking.stop();
      cancelSweep();
      const graceMs = config.gracePeriodMs;
      // A reload under way would start what is being stopped.
      await Promise.race([turn, new Promise<void>((resolve) => void clock.after(graceMs / 4, resolve))]);
      await jobs.stop(graceMs / 2);
      await events.value?.stop(graceMs / 4);
      await report();
      await status.close(STATUS_CLOSE_MS);
      const leftMs = Math.max(500, graceMs - (clock.monotonicMs() - beganAtMs));
      await Promise.all(allSinks().map((sink) => closeSink(sink, leftMs)));
      await Promise.all([...targets.values()].map(({ value }) => value.close()));
      state.close();
      probe.stop();
      log('daemon:stopped', { seconds: Math.round((clock.monotonicMs() - startedAtMs) / 1000) });
    },
    isAlive: () => jobs.isAlive(),
    status: () => `${jobs.size} jobs, ${sinks.size} sinks`,
  };
}

const settingsOfEvents = ({ events }: Config): string => JSON.stringify(events ?? null);
