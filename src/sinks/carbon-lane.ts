/**
 * One lane: what goes to one destination (or to the first of several that takes), from the run to the moment at which
 * it need not be sent again. A chunk is in one place at a time: in the queue in memory, on the disk behind it, or in the
 * ledger of what was sent, with its lines in memory or on the disk.
 */
import type { Clock } from '../clock.ts';
import { openBacklog } from './carbon-backlog.ts';
import { type Chunk, merged, type Sent } from './carbon-chunk.ts';
import type { Wire } from './carbon-connection.ts';
import { createLedger, type Range, sentOf } from './carbon-ledger.ts';
import { createLink } from './carbon-link.ts';
import type { Endpoint } from './carbon-options.ts';
import type { RosterEvents } from './carbon-roster.ts';
import type { Spool } from './carbon-spool.ts';
import type { Stored } from './carbon-store.ts';
import type { DropReason, Waiting } from './sink.ts';

export interface LaneOptions extends Wire {
  /** Names it on the disk. */
  readonly key: string;
  readonly endpoints: readonly Endpoint[];
  readonly resend: number;
  readonly memoryBytes: number;
}

export interface LaneEvents extends RosterEvents {
  /** `metrics` for the first time, and `again` once more. */
  sent(metrics: number, again: number, bytes: number): void;
  /** They were counted as sent, and may not have been taken. */
  takenBack(metrics: number): void;
  dropped(reason: DropReason, metrics: number): void;
  /** What had waited is sent, and was taken. */
  replayed(to: string, metrics: number, seconds: number): void;
}

export interface Lane {
  take(chunk: Chunk): void;
  /** The spool dropped something of this lane. */
  dropped(reason: DropReason, stored: Stored): void;
  waiting(): Waiting | undefined;
  /** What is not known to be taken within this time goes to the disk. */
  close(withinMs: number): Promise<void>;
}

interface Queued extends Chunk {
  readonly queuedAtMs: number;
}

/** What could not be sent within this time is put on the disk. */
const FLUSH_MS = 1000;
/** No more is sent or stored before others have their turn. */
const TURN_BYTES = 2 ** 20;
const POLL_MS = 20;

export function createLane(options: LaneOptions, spool: Spool, clock: Clock, events: LaneEvents): Lane {
  const { key } = options;
  const ledger = createLedger();
  const backlog = openBacklog(key, spool);
  const queue: Queued[] = [];
  let queueBytes = 0;
  /** It has not been told yet that what had to wait is sent. */
  let catchUp: { readonly sinceMs: number; metrics: number } | undefined;
  let isClosing = false;
  let cancelFlush: (() => void) | undefined;
  let cancelPump: (() => void) | undefined;

  const enqueue = (chunks: readonly Chunk[], place: 'front' | 'back', queuedAtMs = clock.monotonicMs()): void => {
    for (const { data } of chunks) queueBytes += data.length;
    const all = chunks.map((chunk) => ({ ...chunk, queuedAtMs }));
    if (place === 'back') queue.push(...all);
    else queue.unshift(...all);
  };
  const dequeue = (): Queued | undefined => {
    const chunk = queue.shift();
    queueBytes -= chunk?.data.length ?? 0;
    return chunk;
  };

  const send = (data: Buffer, metrics: number, sent: Sent, where: { chunk?: Chunk; range?: Range; bytes: number }) => {
    const { chunk, range, bytes } = where;
    const connection = link.write(data);
    const times = { connection, sentAtMs: clock.monotonicMs(), isConfirmed: false };
    ledger.add({ ...times, metrics, sent, chunk, range, bytes, gone: 0 });
    events.sent(sent === 'taken' ? 0 : metrics, sent === 'never' ? 0 : metrics, data.length);
    return data.length;
  };

  /** Sends the oldest from the disk; answers how many bytes. */
  const replay = (): number => {
    const next = isClosing ? undefined : backlog.next();
    if (next === undefined) return 0;
    const { data, range, amount } = next;
    if (catchUp !== undefined) catchUp.metrics += amount.metrics;
    return send(data, amount.metrics, range.sent, { range, bytes: amount.bytes });
  };

  /** Sends what is new, and beside it what waits. */
  const pump = (): void => {
    let left = TURN_BYTES;
    while (link.isReady && left > 0) {
      const chunk = dequeue();
      const bytes = chunk === undefined ? replay() : send(chunk.data, chunk.metrics, chunk.sent, { chunk, bytes: 0 });
      if (bytes === 0) return;
      left -= bytes;
    }
    if (!link.isReady || cancelPump !== undefined) return;
    cancelPump = clock.after(0, () => {
      cancelPump = undefined;
      pump();
    });
  };

  /** Puts chunks on the disk; those that cannot be are in the queue again, before all others. */
  const store = (chunks: readonly Queued[]): boolean => {
    const all = merged(chunks);
    for (const [index, chunk] of all.entries()) {
      if (spool.add(key, chunk) !== undefined) continue;
      enqueue(all.slice(index), 'front', chunks[0]?.queuedAtMs);
      return false;
    }
    return true;
  };
  const drop = (reason: DropReason, { metrics, sent }: Chunk): void => {
    if (sent !== 'taken') events.dropped(reason, metrics);
  };
  /** Moves the oldest from memory to the disk until what is in memory is within its bound. */
  const spill = (): void => {
    while (queueBytes + ledger.memoryBytes > options.memoryBytes) {
      const entry = ledger.oldestInMemory();
      if (entry?.chunk !== undefined) {
        const sent = sentOf(entry);
        const stored = spool.add(key, { ...entry.chunk, sent });
        if (stored !== undefined) {
          backlog.hold(stored.id);
          ledger.moved(entry, { fromId: stored.id, toId: stored.id, sent }, stored.bytes);
          continue;
        }
        // It was taken, and was kept for more safety than there is room for.
        if (sent === 'taken') {
          ledger.moved(entry, undefined, 0);
          continue;
        }
      }
      const chunk = dequeue();
      if (chunk === undefined) return;
      if (store([chunk])) continue;
      dequeue();
      drop('unspooled', chunk);
    }
  };
  const flush = (): void => {
    cancelFlush = undefined;
    spool.tend();
    const dueMs = clock.monotonicMs() - FLUSH_MS;
    const due: Queued[] = [];
    for (let bytes = 0; bytes < TURN_BYTES && (queue[0]?.queuedAtMs ?? Number.POSITIVE_INFINITY) <= dueMs; ) {
      const chunk = dequeue();
      if (chunk === undefined) break;
      due.push(chunk);
      bytes += chunk.data.length;
    }
    const isStored = store(due);
    spill();
    arm(isStored && (queue[0]?.queuedAtMs ?? Number.POSITIVE_INFINITY) <= dueMs ? 0 : FLUSH_MS);
  };
  const arm = (afterMs: number): void => {
    if (queue.length > 0 && !isClosing) cancelFlush ??= clock.after(afterMs, flush);
  };
  const settle = (): void => {
    ledger.settle(clock.monotonicMs() - options.resend).forEach(backlog.remove);
  };

  const wait = (): void => {
    catchUp ??= { sinceMs: clock.monotonicMs(), metrics: 0 };
  };
  const giveBack = (): void => {
    const back: Chunk[] = [];
    const ranges: Range[] = [];
    for (const entry of ledger.takeAll()) {
      const sent = sentOf(entry);
      if (sent !== 'taken') events.takenBack(entry.metrics + entry.gone);
      if (sent !== 'taken' && entry.gone > 0) events.dropped('spool_full', entry.gone);
      if (entry.chunk !== undefined) back.push({ ...entry.chunk, sent });
      if (entry.range !== undefined) ranges.push({ ...entry.range, sent });
    }
    backlog.restart(ranges);
    enqueue(back, 'front');
    wait();
    spill();
    arm(FLUSH_MS);
  };

  const link = createLink(options.endpoints, options, clock, {
    ...events,
    down(to, failure) {
      wait();
      events.down(to, failure);
    },
    ready: pump,
    lost: giveBack,
    confirmed(connection, to) {
      ledger.confirm(connection);
      settle();
      if (catchUp === undefined || queue.length > 0 || !backlog.isEmpty) return;
      const seconds = Math.round((clock.monotonicMs() - catchUp.sinceMs) / 100) / 10;
      if (catchUp.metrics > 0) events.replayed(to, catchUp.metrics, seconds);
      catchUp = undefined;
    },
  });
  if (!backlog.isEmpty) wait();

  return {
    take(chunk) {
      enqueue([chunk], 'back');
      pump();
      settle();
      spill();
      arm(FLUSH_MS);
    },
    dropped(reason, stored) {
      const wasSent = ledger.drop(stored.id, stored.metrics, stored.bytes);
      if (!wasSent && backlog.sentOf(stored) !== 'taken') events.dropped(reason, stored.metrics);
    },
    waiting: () => backlog.waiting(ledger.disk, clock.wallMs()),
    async close(withinMs) {
      isClosing = true;
      cancelFlush?.();
      const untilMs = clock.monotonicMs() + withinMs / 2;
      while (queue.length > 0 && link.isHopeful && clock.monotonicMs() < untilMs)
        await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
      cancelPump?.();
      await link.close(withinMs / 2);
      // What was taken is not sent again by the next process, unless Carbon has ended a moment ago: that is in the queue.
      ledger.settle(Number.POSITIVE_INFINITY).forEach(backlog.remove);
      const left = queue.splice(0);
      queueBytes = 0;
      if (!store(left)) for (const chunk of queue) drop('stopped', chunk);
    },
  };
}
