/** What an attempt that came to its end means: for the event, for when it and others are tried again, and for people. */
import type { Clock } from '../../clock.ts';
import type { Code } from '../../errors.ts';
import type { Outcome, Outgoing } from '../spool.ts';
import type { Result } from './delivery-attempt.ts';
import type { DeliveryCounts } from './delivery-contract.ts';
import type { Notes } from './delivery-notes.ts';
import type { Pace } from './delivery-pace.ts';
import type { Voice } from './delivery-voice.ts';

export interface Judge {
  /** `attempt`: the number that the pace gave it. */
  outcomeOf(one: Outgoing, attempt: number, result: Result): Outcome;
  /** It was posted; whether for the first time, its notes tell. */
  posted(one: Outgoing): void;
  counts(): DeliveryCounts;
}

export interface Bench {
  readonly clock: Clock;
  readonly pace: Pace;
  readonly notes: Notes;
  readonly voice: Voice;
  /** Milliseconds after which a request without an answer is at work no more. */
  readonly settle: number;
}

const MAX_ANSWER = 500;

export function createJudge({ clock, pace, notes, voice, settle }: Bench): Judge {
  const counts = { delivered: 0, found: 0, dead: 0, retried: 0 };
  const failures = new Map<Code, number>();

  /** Answers whether it is given up. */
  const failed = (seq: number, attempt: number, result: Extract<Result, { kind: 'failed' }>): boolean => {
    const { failure, mayStand, isSuspect, deadAfter = Number.POSITIVE_INFINITY, waitMs } = result;
    failures.set(failure.code, (failures.get(failure.code) ?? 0) + 1);
    const nowMs = clock.monotonicMs();
    const isLost = mayStand === 'later';
    const isAgain = (isSuspect || isLost) && notes.hasFailed(seq);
    // What was only found says nothing of whether anything is taken now.
    const own = isSuspect ? notes.suspect(seq, counts.delivered - counts.found, nowMs) : { isOwn: false, strikes: 0 };
    if (mayStand === 'no' && own.strikes >= deadAfter) return true;
    if (!own.isOwn || waitMs !== undefined) {
      const isNews = pace.failed(attempt, { isLost, isAgain, waitMs });
      if (isNews && pace.isDown) voice.down(failure);
      if (isSuspect && pace.isDown) notes.hold(seq, pace.fromMs, mayStand !== 'no');
    }
    if (isLost) notes.lost(seq, nowMs + settle);
    return false;
  };

  return {
    outcomeOf({ seq, event }, attempt, result) {
      const outcome = (state: Outcome['state'], answer: string): Outcome => {
        return { seq, state, answer: answer.slice(0, MAX_ANSWER) };
      };
      if (result.kind === 'failed' && !failed(seq, attempt, result)) {
        return outcome(result.mayStand === 'no' ? 'waiting' : 'doubtful', result.failure.message);
      }
      notes.forget(seq);
      if (result.kind === 'delivered') {
        counts.delivered++;
        if (result.wasFound) counts.found++;
        pace.succeeded(attempt);
        if (!pace.isDown) voice.up();
        return outcome('delivered', result.wasFound ? 'the answer was lost; it was found there' : '');
      }
      counts.dead++;
      voice.dead(event, result.failure.message);
      return outcome('dead', result.failure.message);
    },
    posted({ seq, isDoubtful }) {
      if (isDoubtful || notes.has(seq)) counts.retried++;
    },
    counts: () => ({ ...counts, failures: new Map(failures) }),
  };
}
