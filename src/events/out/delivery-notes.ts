/** What is remembered of events that were not taken: when each may be tried again, and what its failures say of it. */
import { backOff } from './delivery-pace.ts';

export interface Notes {
  /** Before then it is not tried; `isDoubtful`: because what was sent may still be at work. */
  hold(seq: number, untilMs: number, isDoubtful: boolean): void;
  /**
   * It was not taken, for a reason that may be its own. `accepted`: how many others the destination has taken so far.
   * `isOwn`: some since the last time, so that the destination is well. `strikes`: how often that was so, and once.
   */
  suspect(seq: number, accepted: number, nowMs: number): { readonly strikes: number; readonly isOwn: boolean };
  /** Its answer was lost: until then it is held, as what was sent may still be at work. */
  lost(seq: number, untilMs: number): void;
  /** It failed before, by what may be its own fault. */
  hasFailed(seq: number): boolean;
  /** Those that failed so are few enough that it may be their own fault. */
  readonly areFew: boolean;
  has(seq: number): boolean;
  forget(seq: number): void;
  clear(): void;
  /** Those that are not to be tried now. */
  held(nowMs: number): number[];
  /** These, and while they are few all that are suspect: who tries the others finds out whose fault it is. */
  spared(nowMs: number): number[];
  /** When the next of them may be tried. */
  nextMs(nowMs: number): number | undefined;
  /** Forgets those that may be tried, and are not open any more. */
  keep(open: ReadonlySet<number>, nowMs: number): void;
}

interface Note {
  untilMs: number;
  isDoubtful: boolean;
  tries: number;
  strikes: number;
  accepted: number;
}

/** More than these are of no use: the oldest that is merely suspect begins anew. */
const MAX = 1000;
const FEW = 16;

export function createNotes(random: () => number): Notes {
  const notes = new Map<number, Note>();
  const noteOf = (seq: number): Note => {
    const note = notes.get(seq) ?? { untilMs: 0, isDoubtful: false, tries: 0, strikes: 0, accepted: -1 };
    if (!notes.has(seq) && notes.size >= MAX) {
      const [oldest] = [...notes].find(([, { isDoubtful }]) => !isDoubtful) ?? [];
      if (oldest !== undefined) notes.delete(oldest);
    }
    notes.set(seq, note);
    return note;
  };
  const hold = (seq: number, untilMs: number, isDoubtful: boolean): void => {
    const note = noteOf(seq);
    note.untilMs = Math.max(note.untilMs, untilMs);
    note.isDoubtful = isDoubtful;
  };
  const areFew = (): boolean => [...notes.values()].filter(({ tries }) => tries > 0).length < FEW;
  return {
    hold,
    suspect(seq, accepted, nowMs) {
      const note = noteOf(seq);
      const isFirst = note.accepted === -1;
      const isOwn = !isFirst && accepted > note.accepted;
      if (isFirst || isOwn) note.strikes++;
      note.accepted = accepted;
      note.untilMs = Math.max(note.untilMs, nowMs + backOff(note.tries++, random));
      return { strikes: note.strikes, isOwn };
    },
    lost(seq, untilMs) {
      hold(seq, untilMs, true);
      noteOf(seq).tries++;
    },
    hasFailed: (seq) => (notes.get(seq)?.tries ?? 0) > 0,
    get areFew() {
      return areFew();
    },
    has: (seq) => notes.has(seq),
    forget: (seq) => void notes.delete(seq),
    clear: () => notes.clear(),
    held: (nowMs) => [...notes].filter(([, { untilMs }]) => untilMs > nowMs).map(([seq]) => seq),
    spared(nowMs) {
      const few = areFew();
      return [...notes].filter(([, { untilMs, tries }]) => untilMs > nowMs || (few && tries > 0)).map(([seq]) => seq);
    },
    nextMs(nowMs) {
      let next: number | undefined;
      for (const { untilMs } of notes.values()) if (untilMs > nowMs && !(untilMs >= (next ?? Infinity))) next = untilMs;
      return next;
    },
    keep(open, nowMs) {
      for (const [seq, { untilMs }] of notes) if (untilMs <= nowMs && !open.has(seq)) notes.delete(seq);
    },
  };
}
