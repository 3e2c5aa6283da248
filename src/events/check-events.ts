/** `edgestatd check` for events: the spool, each destination, and, when asked to write, a round trip. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Verdict } from '../collector.ts';
import { asFailure, Failure } from '../errors.ts';
import { spoolOptions } from './desk.ts';
import { type Event, hashOf } from './event.ts';
import { destinationsOf, type EventsOptions } from './options.ts';
import { createDestination, type Destination } from './out/destination.ts';
import { undestinedIn, waitingIn } from './report.ts';
import { openSpool } from './spool.ts';

interface Finding extends Verdict {
  readonly subject: string;
}

/** For one destination, whatever it has to be asked. */
const WITHIN_MS = 20_000;
/** How long a server may take until it shows what it has taken. */
const SHOWN_MS = 5000;
const LOOK_MS = 200;

export async function* checkEvents(options: EventsOptions, clock: Clock, write: boolean): AsyncGenerator<Finding> {
  yield { subject: 'events spool', ...spoolVerdict(options, clock) };
  const destinations = destinationsOf(options);
  if (destinations.length === 0) {
    yield { subject: 'events', level: 'warn', text: 'no destination is configured: events only wait in the spool' };
  }
  for (const one of destinations) {
    const subject = `events ${one.name}`;
    const destination = createDestination(one, clock.wallMs);
    const patience = new AbortController();
    const cancel = clock.after(WITHIN_MS, () => {
      patience.abort(new Failure('E_TIMEOUT', `did not answer within ${WITHIN_MS / 1000} s`));
    });
    try {
      const until = patience.signal;
      const verdict = await destination.probe(until);
      yield { subject, ...verdict };
      if (write && verdict.level !== 'fail') yield { subject, ...(await roundTrip(destination, clock, until)) };
    } finally {
      cancel();
      destination.close();
    }
  }
}

function spoolVerdict(options: EventsOptions, clock: Clock): Verdict {
  try {
    const spool = openSpool(spoolOptions(options), { mayMoveAside: false, nowMs: clock.wallMs() });
    try {
      // Writes, and takes it back.
      spool.database.exec('BEGIN IMMEDIATE; ROLLBACK');
      const open = waitingIn(spool.database);
      const sum = (of: (one: (typeof open)[number]) => number): number => open.reduce((all, one) => all + of(one), 0);
      const dead = sum((one) => one.dead);
      const waiting = sum((one) => one.waiting) + undestinedIn(spool.database);
      const text = `${options.spool} can be written; ${waiting} wait, ${dead} are dead`;
      return dead === 0 ? { level: 'ok', text } : { level: 'warn', text: `${text}: "edgestatd event spool" says why` };
    } finally {
      spool.close();
    }
  } catch (thrown) {
    const { code, message } = asFailure(thrown);
    return { level: 'fail', text: `${code}: ${message}` };
  }
}

async function roundTrip(destination: Destination, clock: Clock, until: AbortSignal): Promise<Verdict> {
  const body = {
    what: 'edgestatd check',
    tags: ['edgestatd-check'],
    data: `a test of edgestatd check --write, ${randomUUID()}`,
    whenUs: Math.round(clock.wallMs() * 1000),
  };
  const event: Event = { id: hashOf(body), ...body };
  const answer = await destination.post(event, until);
  if (answer.kind !== 'taken') {
    const what =
      answer.mayStand === 'later' ? 'it is not known whether a test event was taken' : 'a test event was not taken';
    return { level: 'fail', text: `${what}: ${answer.failure.code}: ${answer.failure.message}` };
  }
  const endMs = clock.monotonicMs() + SHOWN_MS;
  for (;;) {
    const found = await destination.find(event, 0, until);
    if (found.kind === 'found' && found.whole === 1) {
      return { level: 'ok', text: 'a test event (tag edgestatd-check) was posted, and is there once, by its tag' };
    }
    if (found.kind === 'failed') {
      const { code, message } = found.failure;
      return { level: 'fail', text: `a test event was taken, and could not be read back: ${code}: ${message}` };
    }
    if (clock.monotonicMs() > endMs) {
      const text = `a test event was taken, and is found there ${found.whole} times by its tag; expected once`;
      return { level: 'fail', text };
    }
    await sleep(LOOK_MS);
  }
}
