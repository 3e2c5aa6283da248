/** `edgestatd event post` and `edgestatd event spool`: what they do, and what they print. */
import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { asFailure, Failure } from '../errors.ts';
import { printable, quoted } from '../text.ts';
import { openDesk, spoolOptions } from './desk.ts';
import { type Event, eventOf } from './event.ts';
import { destinationsOf, type EventsOptions } from './options.ts';
import { type Choice, deadIn, dropOpen, retryDead, settledIn, undestinedIn, waitingIn } from './report.ts';
import { openSpool } from './spool.ts';
import { createStamp } from './taking.ts';

/** The section, or one complaint that says what to add. */
export function eventsOf(config: { readonly events: EventsOptions | undefined; readonly file: string }): EventsOptions {
  if (config.events !== undefined) return config.events;
  const example = 'events: { graphite: { url: "http://graphite.example/events/" } }';
  throw new Failure('E_CONFIG', `${config.file}: has no "events"; add for example ${example}`);
}

export interface Post {
  readonly what: string;
  readonly tag: readonly string[];
  readonly when?: string;
  readonly data?: string;
  readonly id?: string;
}

/** Resolves when the event is on the disk; `notes` are for stderr. */
export async function postEvent(
  options: EventsOptions,
  post: Post,
  clock: Clock,
): Promise<{ readonly printed: string[]; readonly notes: string[] }> {
  const { what, tag: tags, when, data, id } = post;
  const body = { what, tags, ...defined({ when, data, id }) };
  const nowUs = createStamp(clock.wallMs)();
  const event = wellFormed(() => eventOf(body, { nowUs, strict: true, repeatable: false }));
  const desk = await openDesk(options, clock);
  try {
    const [receipt] = await desk.take([event], { source: 'command', conflicts: 'refuse' });
    const at = new Date(event.whenUs / 1000).toISOString();
    const is = receipt === 'known' ? 'known already, nothing was added' : `accepted, at ${at}`;
    return { printed: [`${event.id}: ${is}`], notes: receipt === 'known' ? [] : waitsFor(options, desk.hasDaemon) };
  } finally {
    desk.close();
  }
}

/** What is wrong with an option is wrong usage, and ends with its exit code. */
function wellFormed(make: () => Event): Event {
  try {
    return make();
  } catch (thrown) {
    const { message } = asFailure(thrown);
    throw new Failure('E_CONFIG', `event post: ${message}`, { cause: thrown });
  }
}

/** What keeps an accepted event from its destinations, for stderr. */
export function waitsFor(options: EventsOptions, hasDaemon: boolean): string[] {
  if (destinationsOf(options).length === 0) return ['it waits in the spool: no destination is configured'];
  return hasDaemon ? [] : ['it waits in the spool: no daemon runs here, and the next one delivers it'];
}

function defined(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** The spool as it lies there, beside a daemon or without. */
function withSpool<Result>(options: EventsOptions, clock: Clock, work: (database: Database) => Result): Result {
  const spool = openSpool(spoolOptions(options), { mayMoveAside: false, nowMs: clock.wallMs() });
  try {
    return work(spool.database);
  } finally {
    spool.close();
  }
}

const MAX_DEAD = 1000;

function reportOf(options: EventsOptions, clock: Clock) {
  return withSpool(options, clock, (database) => {
    const nowMs = clock.wallMs();
    const seconds = (sinceMs: number | undefined): number | null =>
      sinceMs === undefined ? null : Math.max(0, Math.round((nowMs - sinceMs) / 1000));
    const destinations = waitingIn(database).map((one) => {
      const { delivered, dropped, lastDeliveredMs } = settledIn(database, one.destination);
      return {
        destination: one.destination,
        configured: one.isWanted,
        pending: one.waiting,
        doubtful: one.doubtful,
        oldest_seconds: seconds(one.oldestMs),
        delivered,
        last_delivered_seconds: seconds(lastDeliveredMs),
        dead: one.dead,
        dropped,
      };
    });
    const dead = deadIn(database, MAX_DEAD).map(({ destination, event, attempts, diedMs, answer }) => ({
      ...{ destination, id: event.id, what: event.what, tags: event.tags, when: event.whenUs / 1e6 },
      ...{ attempts, age_seconds: seconds(diedMs), answer },
    }));
    const { bytes, freeBytes } = database.size();
    const sizes = { bytes, free_bytes: freeBytes, max_bytes: options.maxBytes };
    return { spool: options.spool, ...sizes, undestined: undestinedIn(database), destinations, dead };
  });
}

export interface SpoolFlags {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly destination?: string;
  readonly waiting?: boolean;
}

/** `event spool [retry|drop]`: answers what is printed. */
export function spoolCommand(
  options: EventsOptions,
  asked: SpoolFlags & { readonly action: string | undefined; readonly ids: readonly string[] },
  clock: Clock,
): string[] {
  const { action, ids, json = false, all = false, destination, waiting = false } = asked;
  if (action === undefined) {
    if (all || waiting || destination !== undefined)
      throw new Failure('E_CONFIG', 'event spool: --all, --waiting and --destination belong to retry and drop');
    return json ? [JSON.stringify(reportOf(options, clock))] : spoolLines(options, clock);
  }
  if (action !== 'retry' && action !== 'drop') {
    throw new Failure('E_CONFIG', `event spool ${quoted(action)}: expected retry or drop, or nothing to show it`);
  }
  return [changeSpool(options, { action, ids, all, destination, waiting }, clock)];
}

function spoolLines(options: EventsOptions, clock: Clock): string[] {
  const { spool, bytes, max_bytes, undestined, destinations, dead } = reportOf(options, clock);
  const lines = [`spool ${spool}: ${bytes} of ${max_bytes} bytes`];
  if (undestined > 0) lines.push(`${undestined} pending that no destination has been configured for yet`);
  for (const one of destinations) {
    const oldest = one.oldest_seconds === null ? '' : `, the oldest for ${one.oldest_seconds} s`;
    const doubtful = one.doubtful === 0 ? '' : `, ${one.doubtful} of them perhaps taken`;
    const last = one.last_delivered_seconds === null ? '' : `, the last ${one.last_delivered_seconds} s ago`;
    const dropped = one.dropped === 0 ? '' : `, ${one.dropped} dropped`;
    const configured = one.configured ? '' : ' (not configured any more)';
    lines.push(
      `${one.destination}${configured}: ${one.pending} pending${oldest}${doubtful}; ${one.delivered} delivered${last}; ${one.dead} dead${dropped}`,
    );
  }
  for (const one of dead) {
    const when = new Date(one.when * 1000).toISOString();
    lines.push(`dead at ${one.destination}: ${one.id} ${when} ${quoted(one.what, 80)}: ${one.answer}`);
  }
  return lines.map(printable);
}

interface Change {
  readonly action: 'retry' | 'drop';
  readonly ids: readonly string[];
  readonly all: boolean;
  readonly destination: string | undefined;
  /** Drops also what waits, and not only what is dead. */
  readonly waiting: boolean;
}

/** Answers what is printed; `E_CONFIG` when it is not said which events are meant, or none is. */
function changeSpool(options: EventsOptions, change: Change, clock: Clock): string {
  const { action, ids, all, destination, waiting } = change;
  if (all === ids.length > 0)
    throw new Failure('E_CONFIG', `event spool ${action}: expected the ids of events, or --all`);
  if (waiting && action === 'retry') throw new Failure('E_CONFIG', 'event spool retry: --waiting belongs to drop');
  const choice: Choice = { ids: all ? undefined : ids, destination };
  return withSpool(options, clock, (database) => {
    const names = waitingIn(database).map((one) => one.destination);
    if (destination !== undefined && !names.includes(destination)) {
      const known = names.join(', ') || 'none yet';
      throw new Failure(
        'E_CONFIG',
        `--destination ${quoted(destination)}: not in this spool; expected one of ${known}`,
      );
    }
    const nowMs = clock.wallMs();
    const count = action === 'retry' ? retryDead(database, choice, nowMs) : dropOpen(database, choice, waiting, nowMs);
    const done = action === 'retry' ? 'will be tried again' : 'dropped';
    if (count === 0 && !all)
      throw new Failure('E_CONFIG', `event spool ${action}: no ${waiting ? 'open' : 'dead'} event has such an id`);
    return `${count} ${done}`;
  });
}
