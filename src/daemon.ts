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
import type { Logger } from './log.ts';
import { basePath, createNaming } from './naming.ts';
import { openTarget, settingsOf } from './open-target.ts';
import { startTicking } from './schedule.ts';
import { probeProcess, sinkSamples } from './self.ts';
import { carbonSink } from './sinks/carbon.ts';
import { packingOf } from './sinks/packing.ts';
import type { Delivery, Sink } from './sinks/sink.ts';
import { statsdSink } from './sinks/statsd.ts';
import { stdoutSink } from './sinks/stdout.ts';
import { openState } from './state.ts';
import { createTotals } from './totals.ts';
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

/** The daemon's own samples are sent this often. */
const SELF_EVERY_MS = 10_000;
/** What targets keep and no job has used for this long beyond two of its intervals is not wanted any more. */
const SWEEP_AFTER_MS = 60_000;
/** setTimeout() takes a longer time for none at all. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export async function startDaemon(initial: Config, { clock, logger, stdout }: DaemonSurroundings): Promise<Daemon> {
  const { log } = logger;
  const startedAtMs = clock.monotonicMs();
  const probe = probeProcess();
  let config = initial;
  let sinks: ReadonlyMap<string, Kept<Sink>> = new Map();
  let targets: ReadonlyMap<string, Kept<Target>> = new Map();
  let events: Kept<Events | undefined> = { settings: '', value: undefined };
  let stopping = false;
  let turn: Promise<unknown> = Promise.resolve();
  let cancelSweep = (): void => {};

  const deliver = (delivery: Delivery): void => {
    for (const { value } of sinks.values()) value.write(delivery);
    events.value?.see(delivery);
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
    retired: ({ id, intervalMs }, points) =>
      deliver({ job: `${id} retired`, atMs: clock.wallMs(), intervalMs, points }),
  });

  const openSink = (sink: SinkConfig): Sink => {
    if (sink.type === 'statsd') return statsdSink(sink, clock, log);
    if (sink.type === 'carbon') return carbonSink(sink, clock, log);
    return stdoutSink(sink, stdout, () => packingOf(config.sinks));
  };

  const closeSink = async (sink: Sink, withinMs: number): Promise<void> => {
    await sink.close(withinMs);
    const { sentMetrics, droppedMetrics } = sink.counts();
    log('sink:closed', { sink: sink.name, sentMetrics, droppedMetrics: Object.fromEntries(droppedMetrics) });
  };

  /** Takes a configuration into use; what it no longer wants is closed at the end. */
  const adopt = async (next: Config) => {
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
    const tally = await jobs.arrange(next, new Map([...targets].map(([key, { value }]) => [key, value])));
    const sweeps = [...targets.values()].map(({ value }) => value.renew());
    const longestMs = next.jobs.reduce((longest, { intervalMs }) => Math.max(longest, intervalMs), 0);
    cancelSweep();
    cancelSweep = clock.after(Math.min(2 * longestMs + SWEEP_AFTER_MS, LONGEST_TIMER_MS), () => {
      for (const sweep of sweeps) sweep();
    });
    await adoptEvents(next);
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
    const value =
      options === undefined ? undefined : startEvents(options, { clock, log, collectors, targetName: nameOf }, isStart);
    events = { settings, value };
  };

  await adopt(initial);
  let own = ownTotals(initial);
  const report = async (): Promise<void> => {
    const { naming } = ownTotals(config);
    if (naming.base !== own.naming.base) own = ownTotals(config);
    const open = [...sinks.values()].map(({ value }) => value);
    const ofEvents = events.value?.reading() ?? { samples: [] };
    const samples = [...probe.samples(), ...sinkSamples(open), ...ofEvents.samples];
    // What waits on a disk that cannot be looked at is unknown, and has not ended.
    const blind = open.filter((sink) => sink.counts().waiting === undefined).map(({ name }) => ({ sink: name }));
    const unread = [...blind, ...(ofEvents.unread ?? [])];
    const named = samples.map((one) => ({ path: naming.path(one.metric, one.labels), sample: one }));
    const points = own.totals.apply({ named, problems: [], unread, ratios: [], readAtMs: clock.monotonicMs() });
    deliver({ job: 'edgestatd', atMs: clock.wallMs(), intervalMs: SELF_EVERY_MS, points });
  };
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
    const tally = await adopt(next);
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
      const leftMs = Math.max(500, graceMs - (clock.monotonicMs() - beganAtMs));
      await Promise.all([...sinks.values()].map(({ value }) => closeSink(value, leftMs)));
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

function ownTotals(config: Config) {
  const naming = createNaming(basePath(config.prefix, targetName('local', config.targets), 'edgestatd'));
  return { naming, totals: createTotals(naming, { startsFromZero: true }) };
}

interface Kept<Value> {
  readonly settings: string;
  readonly value: Value;
}

/** Opens what is new or has other settings, and keeps the rest as it is. */
function keep<Settings, Value>(
  old: ReadonlyMap<string, Kept<Value>>,
  wanted: readonly Settings[],
  keyOf: (settings: Settings) => string,
  open: (settings: Settings) => Value,
): { readonly kept: Map<string, Kept<Value>>; readonly dropped: Value[] } {
  const kept = new Map<string, Kept<Value>>();
  for (const one of wanted) {
    const key = keyOf(one);
    const settings = JSON.stringify(one);
    const before = old.get(key);
    kept.set(key, before?.settings === settings ? before : { settings, value: open(one) });
  }
  const dropped = [...old].filter(([key, { value }]) => kept.get(key)?.value !== value).map(([, { value }]) => value);
  return { kept, dropped };
}
