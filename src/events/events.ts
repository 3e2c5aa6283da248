/** Events as a part of the daemon: the spool, the ways in, the rules, and delivery to each destination. */
import { hostname } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Collector, Offer, Reading } from '../collector.ts';
import { asFailure } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Delivery as Sent } from '../sinks/sink.ts';
import { version } from '../version.ts';
import { spoolOptions } from './desk.ts';
import { openDoors } from './doors.ts';
import { type Event, hashOf, tagOf } from './event.ts';
import { type EventsSeen, eventSamples } from './event-metrics.ts';
import { holdSpool } from './held-spool.ts';
import { type Folder, startFolder } from './in/folder.ts';
import { createIntake } from './intake.ts';
import { offerTo } from './offers.ts';
import { destinationsOf, type EventsOptions } from './options.ts';
import { createDelivery, type Delivery } from './out/delivery.ts';
import { waitingIn } from './report.ts';
import { createRules } from './rules.ts';
import type { Spool } from './spool.ts';
import { createStamp, type Take } from './taking.ts';

export interface Events {
  /** Looks at what a run sent, for the rules. */
  see(sent: Sent): void;
  /** Takes what a run offers; resolves when it is on the disk, or was said to be lost. Never rejects. */
  offer(offers: readonly Offer[], who: { readonly job: string; readonly target: string }): Promise<void>;
  /** The daemon's own metrics of events; what the spool cannot tell now is unread, and not 0. */
  reading(): Reading;
  /** What of them is known now; undefined: this part has ended. */
  seen(): EventsSeen | undefined;
  /** The file in which events wait. */
  readonly spool: string;
  /** Nothing more is taken in; what is on its way is waited for. `isLeft`: nobody goes on with this spool. */
  stop(withinMs: number, isLeft?: boolean): Promise<void>;
}

export interface EventsSurroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly collectors: ReadonlyMap<string, Collector>;
  /** A target's key → what its series are called by. */
  readonly targetName: (key: string) => string;
}

/** What could not be had is tried again, and what other processes wrote is noticed, this often. */
const LOOK_MS = 5000;
/** Each time is a commit, which an idle disk need not see often. */
const AGE_MS = 600_000;

/** `isStart`: the daemon begins, and is not reloaded. */
export function startEvents(options: EventsOptions, around: EventsSurroundings, isStart: boolean): Events {
  const { clock, log } = around;
  const stamp = createStamp(clock.wallMs);
  const destinations = destinationsOf(options);
  const names = destinations.map(({ name }) => name);
  let deliveries: readonly Delivery[] = [];
  let dropped = 0;
  let saidForRoom = 0;
  let livedAtMs = clock.monotonicMs();
  let stopping = false;
  let cancelLook = (): void => {};
  const wake = (): void => {
    for (const delivery of deliveries) delivery.wake();
  };

  const held = holdSpool(spoolOptions(options), {
    clock,
    log,
    opened(spool, isMine) {
      saidForRoom = spool.droppedForRoom;
      if (isMine) spool.setDestinations(names, clock.wallMs());
    },
  });
  const intake = createIntake(held.spool, clock, wake);
  /** An event could not be written; tried until it can be. */
  let isUnwritable = false;
  const take: Take = (events, how) =>
    intake.take(events, how).catch((thrown) => {
      isUnwritable ||= asFailure(thrown).code === 'E_SPOOL';
      throw thrown;
    });
  deliveries = destinations.map((destination) => createDelivery({ spool: held.mine, destination, clock, log }));

  const emit = (event: Event): void => {
    take([event], { source: 'rule', conflicts: 'report' }).catch((thrown) => {
      const { code, message } = asFailure(thrown);
      log('events:rule_failed', { code, message: `${event.what}: ${message}` });
    });
  };
  const rules = createRules(options.rules, around.collectors, { clock, emit, targetName: around.targetName });
  const started = options.rules.find(({ on }) => on === 'daemon_started');
  if (isStart && started !== undefined) emit(startOf(started.tags, stamp(), lastEnd(held.spool)));
  note(held.spool, 'running');

  const doors = openDoors(options, { take, stamp, clock, log });
  const folder: Folder | undefined =
    options.folder === undefined ? undefined : startFolder({ options: options.folder, take, clock, log });

  const age = (): void => {
    const nowMs = clock.monotonicMs();
    const spool = held.mine();
    if (spool === undefined) {
      // Another process counts this time, or nobody does: it is not to be counted twice when the spool is ours.
      livedAtMs = nowMs;
      return;
    }
    if (nowMs - livedAtMs < AGE_MS) return;
    try {
      const count = spool.age(nowMs - livedAtMs, clock.wallMs());
      dropped += count;
      if (count > 0) log('events:dropped', { count, message: `waited longer than events.maxAge in ${options.spool}` });
      const forRoom = spool.droppedForRoom - saidForRoom;
      saidForRoom = spool.droppedForRoom;
      if (forRoom > 0)
        log('events:dropped', { count: forRoom, message: `to make room in ${options.spool} (whenFull)` });
    } catch {
      // Whoever writes next says what is wrong.
    }
    livedAtMs = nowMs;
  };
  const look = (): void => {
    if (stopping) return;
    if (held.look()) wake();
    if (isUnwritable) isUnwritable = !note(held.spool, 'running');
    age();
    cancelLook = clock.after(LOOK_MS, look);
  };
  cancelLook = clock.after(LOOK_MS, look);
  wake();

  const spoolNow = () => {
    try {
      const { database, droppedForRoom } = held.spool();
      return { bytes: database.size().bytes, waiting: waitingIn(database), droppedForRoom };
    } catch {
      return undefined;
    }
  };

  /** Of the spool that is in use; another one begins at 0, and none says nothing. */
  let roomOfSpool = 0;
  const seenNow = (): EventsSeen => {
    const spool = spoolNow();
    const room = spool?.droppedForRoom ?? roomOfSpool;
    if (room < roomOfSpool) dropped += roomOfSpool;
    roomOfSpool = room;
    const delivered = new Map(deliveries.map((one, index) => [names[index] ?? '', one.counts().delivered]));
    return { intake: intake.counts(), delivered, dropped: dropped + room, spool, isUnwritable };
  };
  const reading = (): Reading => {
    const seen = seenNow();
    return { samples: eventSamples(seen, clock.wallMs()), unread: seen.spool === undefined ? [{}] : [] };
  };
  let last: Reading | undefined;

  /** What rules hold down becomes events, which are taken in when it resolves. */
  const flush = async (): Promise<void> => {
    rules.flush();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const tellLeft = (): void => {
    const count = spoolNow()?.waiting.reduce((sum, { waiting }) => sum + waiting, 0) ?? 0;
    if (count === 0) return;
    const message = `they wait in ${options.spool}, from which nothing is delivered until it is events.spool again`;
    log('events:left', { count, message });
  };
  const end = async (withinMs: number, isLeft: boolean): Promise<void> => {
    stopping = true;
    cancelLook();
    rules.flush();
    await Promise.all([folder?.close(), doors.close(withinMs / 2)]);
    await flush();
    await Promise.all(deliveries.map((one) => one.stop(withinMs / 2)));
    // Jobs go on while a reload ends this part: what they have shown meanwhile.
    await flush();
    note(held.spool, 'stopped');
    last = reading();
    if (isLeft) tellLeft();
    held.close();
  };
  let ended: Promise<void> | undefined;

  return {
    see(sent) {
      if (last === undefined) rules.see(sent);
    },
    async offer(offers, who) {
      if (last === undefined) await offerTo(take, offers, who, around);
    },
    reading: () => last ?? reading(),
    seen: () => (last === undefined ? seenNow() : undefined),
    spool: options.spool,
    stop(withinMs, isLeft = false) {
      // A reload may be at it when the daemon stops.
      ended ??= end(withinMs, isLeft);
      return ended;
    },
  };
}

function lastEnd(spool: () => Spool): string | undefined {
  try {
    return spool().note('state');
  } catch {
    return undefined;
  }
}

/** Whether it could be written. */
function note(spool: () => Spool, state: 'running' | 'stopped'): boolean {
  try {
    spool().setNote('state', state);
    return true;
  } catch {
    // Said by who opens it, or hands something in.
    return false;
  }
}

function startOf(tags: readonly string[], whenUs: number, last: string | undefined): Event {
  const machine = hostname();
  const before = last === 'running' ? 'It had not ended in good order before' : 'It had ended in good order before';
  const data = `version ${version}. ${last === undefined ? 'It runs for the first time with this spool' : before}.`;
  const event = {
    what: `daemon_started: edgestatd on ${machine.slice(0, 200)}`,
    tags: [...new Set(['edgestatd', 'daemon_started', tagOf(machine.split('.')[0] ?? ''), ...tags])],
    data,
    whenUs,
  };
  return { id: hashOf(event), ...event };
}
