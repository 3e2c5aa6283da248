/**
 * The way of datagrams from hot-shots' stream to the socket: paced, probed while the server is down, and counted.
 * It is a Writable: its own queue is what waits for the pace.
 */
import { Writable } from 'node:stream';
import type { Clock } from '../clock.ts';
import type { Failure } from '../errors.ts';
import { costOf, type Pace, type Waiting } from './pace.ts';
import type { DropReason } from './sink.ts';
import type { UdpPeer } from './udp.ts';

/** A delivery under way. */
export interface Consignment extends Waiting {
  readonly job: string;
  readonly metrics: number;
  readonly datagrams: number;
  /** When it was taken, and when its interval is over. */
  readonly enqueuedAtMs: number;
  readonly lateAtMs: number;
  readonly intervalMs: number;
  datagramsLeft: number;
  /** Set: what is left of it is dropped for this reason. */
  dropped?: DropReason;
}

export interface OutboxEvents {
  sent(metrics: number, bytes: number): void;
  /** Counted before as sent; the server's machine said that it was lost. */
  lost(metrics: number, datagrams: number, bytes: number): void;
  dropped(reason: DropReason, metrics: number, why: string): void;
  down(reason: DropReason, failure: Failure): void;
  up(): void;
  /** Nothing of it is left, in whichever way. */
  finished(consignment: Consignment): void;
}

interface Item {
  readonly consignment: Consignment;
  readonly bytes: number;
  readonly metrics: number;
}

/** After one datagram to a server that was down, wait this long for a refusal before the next. */
const PROBE_MS = 50;
/** A refusal is about what was sent within this time. */
const ECHO_MS = 20;

export interface Outbox {
  readonly stream: Writable;
  /** Announces the datagrams that will be written to the stream next, in this order. */
  expect(consignment: Consignment, sizes: readonly { readonly bytes: number; readonly metrics: number }[]): void;
  /** The network said that what was sent a moment ago did not get there. */
  refused(reason: 'refused' | 'unreachable', failure: Failure): void;
  readonly waiting: ReadonlySet<Consignment>;
}

export function createOutbox(peer: () => UdpPeer, pace: Pace, clock: Clock, events: OutboxEvents): Outbox {
  const waiting = new Set<Consignment>();
  const items: Item[] = [];
  let head = 0;
  let isDown = false;
  let recent = { untilMs: 0, metrics: 0, datagrams: 0, bytes: 0 };

  const takeItem = (): Item | undefined => {
    const item = items[head++];
    if (head > 1000 && head * 2 > items.length) {
      items.splice(0, head);
      head = 0;
    }
    return item;
  };
  const settle = ({ consignment, bytes }: Item): void => {
    consignment.datagramsLeft -= 1;
    consignment.cost -= costOf(bytes);
    if (consignment.datagramsLeft > 0) return;
    waiting.delete(consignment);
    events.finished(consignment);
  };
  const dropAll = (reason: DropReason): void => {
    for (const consignment of waiting) consignment.dropped ??= reason;
  };
  const goDown = (reason: DropReason, failure: Failure): void => {
    dropAll(reason);
    if (!isDown) events.down(reason, failure);
    isDown = true;
  };
  const note = (item: Item): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs > recent.untilMs) recent = { untilMs: nowMs + ECHO_MS, metrics: 0, datagrams: 0, bytes: 0 };
    recent.metrics += item.metrics;
    recent.datagrams += 1;
    recent.bytes += item.bytes;
    events.sent(item.metrics, item.bytes);
  };
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));

  const deliver = async (item: Item, payload: string): Promise<void> => {
    const { consignment } = item;
    const first = consignment.datagramsLeft === consignment.datagrams;
    if (first && consignment.dropped === undefined) {
      try {
        await peer().ready();
      } catch (failure) {
        goDown('unreachable', failure as Failure);
      }
    }
    while (consignment.dropped === undefined) {
      const waitMs = pace.take(item.bytes, waiting, clock.monotonicMs());
      if (waitMs === 0) break;
      await pause(waitMs);
    }
    if (consignment.dropped !== undefined) {
      events.dropped(consignment.dropped, item.metrics, '');
      settle(item);
      return;
    }
    note(item);
    const error = await new Promise<Error | null>((resolve) => peer().send(payload, resolve));
    if (error !== null) {
      events.lost(item.metrics, 1, item.bytes);
      settle(item);
      throw error;
    }
    if (isDown) {
      await pause(PROBE_MS);
      if (consignment.dropped === undefined) {
        isDown = false;
        events.up();
      }
    }
    settle(item);
  };

  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      const item = takeItem();
      if (item === undefined) {
        done(new Error('a datagram that was not announced'));
        return;
      }
      // hot-shots ends what it writes to a stream with a newline, which in a datagram is a byte for nothing.
      const payload = chunk.endsWith('\n') ? chunk.slice(0, -1) : chunk;
      // An error is the datagram's, not the stream's: reported here, or the stream would be destroyed by it.
      deliver(item, payload).then(
        () => done(),
        (error) => {
          events.dropped('send', item.metrics, (error as Error).message);
          done();
        },
      );
    },
  });

  return {
    stream,
    expect(consignment, sizes) {
      waiting.add(consignment);
      for (const { bytes, metrics } of sizes) items.push({ consignment, bytes, metrics });
    },
    refused(reason, failure) {
      goDown(reason, failure);
      if (recent.datagrams === 0 || clock.monotonicMs() > recent.untilMs + PROBE_MS) return;
      events.lost(recent.metrics, recent.datagrams, recent.bytes);
      events.dropped(reason, recent.metrics, '');
      recent = { untilMs: 0, metrics: 0, datagrams: 0, bytes: 0 };
    },
    waiting,
  };
}
