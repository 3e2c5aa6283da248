/** Events on their way into the spool: those that come at the same time share one commit. */
import type { Clock } from '../clock.ts';
import { isFull } from '../database-failures.ts';
import { asFailure } from '../errors.ts';
import type { Event } from './event.ts';
import type { Receipt, Spool } from './spool.ts';
import type { Take } from './taking.ts';

interface Waiting {
  readonly events: readonly Event[];
  readonly source: string;
  readonly conflicts: 'refuse' | 'report';
  readonly resolve: (receipts: readonly Receipt[]) => void;
  readonly reject: (failure: Error) => void;
}

/** What came in, by its way: totals. */
export interface IntakeCounts {
  readonly accepted: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, number>;
}

export interface Intake {
  readonly take: Take;
  counts(): IntakeCounts;
}

/** `spool` throws why there is none; `taken` is called after each commit that brought something new. */
export function createIntake(spool: () => Spool, clock: Clock, taken: () => void): Intake {
  const accepted = new Map<string, number>();
  const refused = new Map<string, number>();
  let waiting: Waiting[] = [];

  const count = (to: Map<string, number>, source: string, events: number): void =>
    void (events > 0 && to.set(source, (to.get(source) ?? 0) + events));
  const settle = ({ source, resolve }: Waiting, receipts: readonly Receipt[]): void => {
    count(accepted, source, receipts.filter((one) => one === 'added').length);
    resolve(receipts);
  };
  const fail = ({ source, events, reject }: Waiting, thrown: unknown): void => {
    count(refused, source, events.length);
    reject(asFailure(thrown));
  };
  const alone = (one: Waiting): void => {
    try {
      settle(one, spool().accept(one.events, { ...one, nowMs: clock.wallMs() }));
    } catch (thrown) {
      fail(one, thrown);
    }
  };
  const together = (all: readonly Waiting[]): boolean => {
    const [first] = all;
    if (first === undefined || all.some((one) => one.source !== first.source || one.conflicts === 'report'))
      return false;
    try {
      const events = all.flatMap((one) => one.events);
      const receipts = spool().accept(events, { source: first.source, conflicts: 'refuse', nowMs: clock.wallMs() });
      let at = 0;
      for (const one of all) {
        settle(one, receipts.slice(at, at + one.events.length));
        at += one.events.length;
      }
      return true;
    } catch (thrown) {
      // One of them is what is wrong, or too much: each is told for itself.
      if (asFailure(thrown).code === 'E_PARSE' || isFull(thrown)) return false;
      for (const one of all) fail(one, thrown);
      return true;
    }
  };
  const write = (): void => {
    const all = waiting;
    waiting = [];
    if (all.length < 2 || !together(all)) for (const one of all) alone(one);
    taken();
  };

  return {
    take: (events, { source, conflicts }) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(write);
        waiting.push({ events, source, conflicts, resolve, reject });
      }),
    counts: () => ({ accepted, refused }),
  };
}
