/** What was sent and may have to be sent again, of one lane, in the order in which it was sent. Pure. */
import type { Chunk, Sent } from './carbon-chunk.ts';

/** Chunks on the disk, from one id to another, all of one lane. */
export interface Range {
  readonly fromId: number;
  readonly toId: number;
  readonly sent: Sent;
}

export interface Entry {
  readonly connection: number;
  /** By the monotonic clock. */
  readonly sentAtMs: number;
  metrics: number;
  readonly sent: Sent;
  isConfirmed: boolean;
  /** Its lines are in memory; or they are on the disk. */
  chunk: Chunk | undefined;
  range: Range | undefined;
  /** Of the disk. */
  bytes: number;
  /** So many metrics were dropped from the disk before it was known that they were taken. */
  gone: number;
}

export interface Ledger {
  add(entry: Entry): void;
  /** All that was sent over this connection was taken. */
  confirm(connection: number): void;
  /** Gives up what was taken and sent before `beforeMs`: answers what of it is on the disk. */
  settle(beforeMs: number): Range[];
  /** The oldest whose lines are in memory. */
  oldestInMemory(): Entry | undefined;
  /** Its lines have been put on the disk, or are given up (undefined). */
  moved(entry: Entry, range: Range | undefined, bytes: number): void;
  /** What has this id on the disk is no more; answers whether it was sent, and is in no queue. */
  drop(id: number, metrics: number, bytes: number): boolean;
  /** Gives up everything, and answers it. */
  takeAll(): Entry[];
  /** Bytes of lines in memory. */
  readonly memoryBytes: number;
  /** What of it is on the disk. */
  readonly disk: { readonly metrics: number; readonly bytes: number };
}

/** How an entry was sent, as it is known now. */
export function sentOf({ isConfirmed, sent }: Entry): Sent {
  return isConfirmed || sent === 'taken' ? 'taken' : 'unsure';
}

/** Neighbours of one kind as one; `untilId`: what lies between two of them below this was sent too, or is no more. */
export function joined(ranges: readonly Range[], untilId: number): Range[] {
  const all: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.fromId - b.fromId)) {
    const before = all.at(-1);
    if (before?.sent === range.sent && range.toId <= untilId)
      all[all.length - 1] = { ...before, toId: Math.max(before.toId, range.toId) };
    else all.push(range);
  }
  return all;
}

export function createLedger(): Ledger {
  let entries: Entry[] = [];
  let head = 0;
  /** Everything before it is on the disk. */
  let memoryFrom = 0;
  let memoryBytes = 0;
  let disk = { metrics: 0, bytes: 0 };

  const count = ({ chunk, range, metrics, bytes }: Entry, sign: 1 | -1): void => {
    if (chunk !== undefined) memoryBytes += sign * chunk.data.length;
    if (range === undefined) return;
    disk.metrics += sign * metrics;
    disk.bytes += sign * bytes;
  };
  return {
    add(entry) {
      entries.push(entry);
      count(entry, 1);
    },
    confirm(connection) {
      // Connections end in the order in which they began, so it is a beginning of what is not confirmed yet.
      for (let at = entries.length - 1; at >= head; at--) {
        const entry = entries[at];
        if (entry === undefined || entry.isConfirmed) return;
        if (entry.connection <= connection) entry.isConfirmed = true;
      }
    },
    settle(beforeMs) {
      const ranges: Range[] = [];
      for (let entry = entries[head]; entry !== undefined; entry = entries[head]) {
        if (!entry.isConfirmed || entry.sentAtMs > beforeMs) break;
        count(entry, -1);
        if (entry.range !== undefined) ranges.push(entry.range);
        // The entry itself goes later, with many others.
        entry.chunk = undefined;
        head += 1;
      }
      memoryFrom = Math.max(memoryFrom, head);
      if (head > 1000 && head * 2 > entries.length) {
        entries.splice(0, head);
        memoryFrom -= head;
        head = 0;
      }
      return ranges;
    },
    oldestInMemory() {
      while (memoryFrom < entries.length && entries[memoryFrom]?.chunk === undefined) memoryFrom += 1;
      return entries[memoryFrom];
    },
    moved(entry, range, bytes) {
      count(entry, -1);
      Object.assign(entry, { chunk: undefined, range, bytes });
      count(entry, 1);
    },
    drop(id, metrics, bytes) {
      const holds = ({ range }: Entry): boolean => range !== undefined && range.fromId <= id && id <= range.toId;
      const entry = entries.slice(head).find(holds);
      if (entry === undefined) return false;
      count(entry, -1);
      entry.metrics -= metrics;
      entry.bytes -= bytes;
      if (sentOf(entry) !== 'taken') entry.gone += metrics;
      count(entry, 1);
      return true;
    },
    takeAll() {
      const all = entries.slice(head);
      [entries, head, memoryFrom, memoryBytes, disk] = [[], 0, 0, 0, { metrics: 0, bytes: 0 }];
      return all;
    },
    get memoryBytes() {
      return memoryBytes;
    },
    get disk() {
      return disk;
    },
  };
}
