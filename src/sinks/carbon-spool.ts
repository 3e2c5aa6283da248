/**
 * The durable part of the carbon sink: what waits on disk for each lane. Nothing here throws. While the file cannot be
 * used it says so once, keeps nothing, and tries again; what is corrupt is moved aside.
 */

import type { Clock } from '../clock.ts';
import { moveAside, takeLock } from '../database.ts';
import { isCorrupt, isFull } from '../database-failures.ts';
import { asFailure, Failure } from '../errors.ts';
import type { Chunk } from './carbon-chunk.ts';
import { type Amount, openStore, runsOf, type Store, type Stored } from './carbon-store.ts';
import type { DropReason } from './sink.ts';

export interface SpoolOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly lanes: readonly string[];
}

export interface SpoolEvents {
  failed(failure: Failure): void;
  works(): void;
  moved(to: string): void;
  /** It made room, was too old, or cannot be read back. */
  dropped(reason: DropReason, stored: Stored): void;
}

export interface Spool {
  /** Answers what is kept now, or undefined where it cannot be. */
  add(lane: string, chunk: Chunk): Stored | undefined;
  after(lane: string, id: number): Stored | undefined;
  /** Its lines. `gone`: they were broken, and dropped; undefined: they cannot be read now. */
  lines(stored: Stored): Buffer | 'gone' | undefined;
  remove(lane: string, fromId: number, toId: number): void;
  /** Undefined: nobody can look. */
  amount(lane: string): Readonly<Amount> | undefined;
  /** To be called now and then: tries again what failed, and drops what is too old. */
  tend(): void;
  close(): void;
}

const TEND_MS = 1000;
/** A file that failed is tried again, and one that works is said to, at this distance. */
const RETRY_MS = 5000;
const CALM_MS = 10_000;
/** The former sink of this name lets go of it within this time when the configuration is reloaded. */
const PATIENCE_MS = 12_000;
/** Of the bound: the rest is for what SQLite needs beside the chunks. */
const FILL = 0.9;
/** To drop many takes its time: more of it is done in the next turn. */
const [DROP_ROWS, ADD_TURNS, TEND_TURNS] = [64, 4, 64];
const SMALL_ROWS = 16;

export function createSpool(options: SpoolOptions, clock: Clock, events: SpoolEvents): Spool {
  const { path, lanes } = options;
  const beganAtMs = clock.monotonicMs();
  let store: Store | undefined;
  let release: (() => void) | undefined;
  let amounts = new Map<string, Amount>();
  let usedBytes = 0;
  let nextId = 1;
  /** What an earlier process left is not younger than this one. */
  let inheritedId = 0;
  let unremoved: [lane: string, fromId: number, toId: number][] = [];
  /** The former sink of this name has not let go of it yet. */
  let isAwaited = false;
  let isSaid = false;
  let isClosed = false;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let tendedAtMs = Number.NEGATIVE_INFINITY;

  const count = (lane: string, sign: 1 | -1, { metrics, bytes }: Amount): void => {
    const amount = amounts.get(lane) ?? { metrics: 0, bytes: 0 };
    amounts.set(lane, { metrics: amount.metrics + sign * metrics, bytes: amount.bytes + sign * bytes });
    usedBytes += sign * bytes;
  };
  const letGo = (): void => {
    const old = store;
    store = undefined;
    [amounts, usedBytes] = [new Map(), 0];
    try {
      old?.close();
    } catch {
      // What cannot be closed cannot be used either, which is said already.
    }
  };
  const say = (failure: Failure): void => {
    failedAtMs = clock.monotonicMs();
    if (!isSaid) events.failed(failure);
    isSaid = true;
  };
  const fail = (thrown: unknown): void => {
    if (isCorrupt(thrown)) {
      letGo();
      open(true);
      return;
    }
    // A full disk may have room in a moment; of anything else it is not known what the open file is worth.
    if (!isFull(thrown)) letGo();
    say(asFailure(thrown));
  };
  const guarded = <Result>(work: (store: Store) => Result): Result | undefined => {
    if (store === undefined) return undefined;
    try {
      return work(store);
    } catch (thrown) {
      fail(thrown);
      return undefined;
    }
  };
  const take = (): void => {
    store = openStore({ path, maxBytes: options.maxBytes, nowMs: clock.wallMs(), lanes });
    if (store.movedAside !== undefined) events.moved(store.movedAside);
    amounts = store.amounts();
    usedBytes = [...amounts.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    // What was begun anew must not give an id a second time: somebody may still mean the first.
    if (nextId === 1) inheritedId = store.lastId;
    nextId = Math.max(nextId, store.lastId + 1);
  };
  const open = (isBroken: boolean): void => {
    try {
      release ??= takeLock(path);
      isAwaited = release === undefined && clock.monotonicMs() - beganAtMs < PATIENCE_MS;
      if (isAwaited) return;
      if (release === undefined) {
        const message = `${path} is held by another process; what cannot be sent waits in memory, and is dropped when it is much`;
        throw new Failure('E_SPOOL', `${message}; give this sink a "spool" of its own`, { path });
      }
      if (isBroken) events.moved(moveAside(path, clock.wallMs()));
      take();
    } catch (thrown) {
      letGo();
      if (isCorrupt(thrown) && !isBroken) open(true);
      else say(asFailure(thrown));
    }
  };
  /** Drops those of the oldest that are meant; answers whether they are gone. */
  const drop = (reason: DropReason, oldest: readonly Stored[], isMeant = (_: Stored) => true): boolean => {
    for (const [first, last, run] of runsOf(oldest, isMeant)) {
      if (guarded((it) => it.remove(first.lane, first.id, last.id)) === undefined) return false;
      for (const stored of run) {
        count(stored.lane, -1, stored);
        events.dropped(reason, stored);
      }
    }
    return true;
  };
  const oldest = (rows: number): readonly Stored[] => guarded((it) => it.oldest(rows)) ?? [];
  const makeRoom = (turns: number): void => {
    for (let turn = 0; turn < turns && usedBytes > FILL * options.maxBytes; turn++) {
      let leftBytes = usedBytes - FILL * options.maxBytes;
      const isMeant = ({ bytes }: Stored): boolean => {
        leftBytes -= bytes;
        return leftBytes + bytes > 0;
      };
      const rows = oldest(DROP_ROWS);
      if (rows.length === 0 || !drop('spool_full', rows, isMeant)) return;
    }
  };
  const dropOld = (): void => {
    const limitMs = clock.wallMs() - options.maxAgeMs;
    // The wall clock may have been set forwards: nothing of ours can be older than we are.
    const mayBeOurs = clock.monotonicMs() - beganAtMs > options.maxAgeMs;
    const isOld = ({ atMs, id }: Stored): boolean => atMs < limitMs && (mayBeOurs || id <= inheritedId);
    for (let turn = 0; turn < TEND_TURNS; turn++) {
      const rows = oldest(DROP_ROWS);
      if (!drop('expired', rows, isOld) || rows.length < DROP_ROWS || !rows.every(isOld)) return;
    }
  };
  const removeNow = (): void => {
    const todo = unremoved;
    unremoved = [];
    for (const [index, [lane, fromId, toId]] of todo.entries()) {
      const amount = guarded((it) => it.remove(lane, fromId, toId));
      if (amount === undefined) {
        unremoved = todo.slice(index);
        return;
      }
      count(lane, -1, amount);
    }
  };

  open(false);
  return {
    add(lane, chunk) {
      if (isAwaited) open(false);
      const id = nextId++;
      // Small chunks take more of the disk than was reckoned.
      if (guarded((it) => it.isAtBound()) === true) drop('spool_full', oldest(SMALL_ROWS));
      const stored = guarded((it) => it.add(id, lane, chunk));
      if (stored === undefined) return undefined;
      count(lane, 1, stored);
      makeRoom(ADD_TURNS);
      return stored;
    },
    after: (lane, id) => guarded((it) => it.after(lane, id)),
    lines(stored) {
      const lines = guarded((it) => it.lines(stored.id) ?? 'gone');
      if (lines === 'gone') drop('unspooled', [stored]);
      return lines;
    },
    remove(lane, fromId, toId) {
      unremoved.push([lane, fromId, toId]);
      removeNow();
    },
    amount: (lane) => (store === undefined ? undefined : (amounts.get(lane) ?? { metrics: 0, bytes: 0 })),
    tend() {
      const nowMs = clock.monotonicMs();
      if (isClosed || nowMs - tendedAtMs < TEND_MS) return;
      tendedAtMs = nowMs;
      if (store === undefined) {
        if (isAwaited || nowMs - failedAtMs >= RETRY_MS) open(false);
        return;
      }
      if (isSaid && nowMs - failedAtMs >= CALM_MS) {
        const works = guarded((it) => {
          it.prove();
          return true;
        });
        isSaid = works !== true;
        if (!isSaid) events.works();
      }
      removeNow();
      dropOld();
      makeRoom(TEND_TURNS);
      guarded((it) => it.shrink());
    },
    close() {
      isClosed = true;
      removeNow();
      letGo();
      release?.();
      release = undefined;
    },
  };
}
