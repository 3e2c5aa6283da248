/** What the running daemon tells of itself: its document, its tables, and the sockets on which it is asked. */
import { hostname } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Collector } from '../collector.ts';
import type { Config } from '../config.ts';
import type { Door } from '../door.ts';
import type { Events } from '../events/events.ts';
import type { Job } from '../job.ts';
import type { Log } from '../log.ts';
import { hider } from '../log.ts';
import type { ProcessProbe } from '../self.ts';
import { version } from '../version.ts';
import { type Board, createBoard, type Seen } from './board.ts';
import type { ProblemStatus, StatusDocument } from './document.ts';
import { openStatusDoors } from './doors.ts';
import { healthOf } from './health.ts';
import type { History } from './history.ts';
import type { PageSurroundings } from './page.ts';
import { statusRoutes } from './routes.ts';
import type { Routes } from './server.ts';
import { eventsStatus, type OpenSink, sinkStatus } from './sink-status.ts';
import type { TroubleNotes } from './trouble-notes.ts';

export interface StatusSources {
  readonly clock: Clock;
  readonly log: Log;
  readonly probe: ProcessProbe;
  readonly jobs: () => readonly ReturnType<Job['status']>[];
  readonly sinks: () => readonly OpenSink[];
  readonly events: () => Events | undefined;
  /** What was overheard of the destinations of events. */
  readonly eventNotes: TroubleNotes;
}

export interface Status {
  /** Takes a configuration into use; `isReload`: one after the first. */
  use(config: Config, isReload: boolean): Promise<void>;
  /** Has the tables of a configuration of which no job has been begun yet. */
  expect(config: Config): void;
  see(seen: Seen): void;
  close(withinMs: number): Promise<void>;
}

const CLOSE_MS = 1000;
const MAX_MESSAGE = 1000;

async function pageOf(around: PageSurroundings): Promise<Routes> {
  const { pageRoutes } = await import('./page.ts');
  return pageRoutes(around);
}

export function startStatus(sources: StatusSources, initial: Config): Status {
  const { clock, log } = sources;
  const startedAtMs = Math.round(clock.wallMs());
  const board: Board = createBoard(clock);
  let config = initial;
  let hide = hider(initial.secrets);
  let reloadedAtMs: number | undefined;
  let history: History | undefined;
  let door: Door | undefined;
  let settings = '';
  let isClosed = false;

  const clean = (problem: ProblemStatus): ProblemStatus => ({ ...problem, message: shortened(hide(problem.message)) });
  const cleaned = <Part extends { readonly problem?: ProblemStatus }>(part: Part): Part =>
    part.problem === undefined ? part : { ...part, problem: clean(part.problem) };
  const document = (): StatusDocument => {
    const nowMs = Math.round(clock.wallMs());
    const found = sources.jobs().map(({ job, pulse }) => ({
      job: { ...job, problems: job.problems.map(clean) },
      pulse,
    }));
    const sinks = sources.sinks().map((one) => {
      const told = cleaned(sinkStatus(one));
      return { ...told, to: hide(told.to) };
    });
    const events = sources.events();
    const seen = events?.seen();
    const ofEvents =
      events === undefined || seen === undefined
        ? undefined
        : eventsStatus(events.spool, seen, sources.eventNotes, nowMs);
    const { eventLoopDelayP99Seconds, ...numbers } = sources.probe.numbers();
    return {
      ...{ format: 1, version, node: process.version, pid: process.pid, machine: hostname(), config: config.file },
      ...{ nowMs, startedAtMs, ...(reloadedAtMs === undefined ? {} : { reloadedAtMs }) },
      health: healthOf(
        found.map(({ job, pulse }) => ({ job, ...pulse })),
        sinks,
        nowMs,
      ),
      process: { ...numbers, ...(eventLoopDelayP99Seconds === undefined ? {} : { eventLoopDelayP99Seconds }) },
      jobs: found.map(({ job }) => job),
      sinks,
      ...(ofEvents === undefined
        ? {}
        : { events: { ...ofEvents, destinations: ofEvents.destinations.map((one) => cleaned(one)) } }),
    };
  };

  return {
    async use(next, isReload) {
      // What was said before may quote what was a secret then.
      hide = hider([...config.secrets, ...next.secrets]);
      config = next;
      if (isReload) reloadedAtMs = Math.round(clock.wallMs());
      if (next.status.listen === undefined) history = undefined;
      // What most daemons never need is not loaded.
      else history ??= (await import('./history.ts')).createHistory();
      history?.use(collectorsOf(next));
      const wanted = JSON.stringify(next.status);
      if (wanted === settings) return;
      settings = wanted;
      await door?.close(CLOSE_MS);
      door = undefined;
      const socket = statusRoutes(document, board);
      const page = history === undefined ? [] : await pageOf({ board, history, status: document, nowMs: clock.wallMs });
      const routes = { socket, page: new Map([...socket, ...page]) };
      if (isClosed) return;
      door = openStatusDoors({ options: next.status, file: next.file, routes, clock, log });
    },
    expect: (next) => board.use(collectorsOf(next)),
    see(seen) {
      board.see(seen);
      history?.see(seen);
    },
    async close(withinMs) {
      isClosed = true;
      await door?.close(withinMs);
    },
  };
}

function shortened(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
}

function collectorsOf({ jobs }: Config): readonly Collector[] {
  return [...new Set(jobs.map(({ collector }) => collector))];
}
