/**
 * Events from the spool to one destination: in the order of `when`, several at a time, each exactly once. What may have
 * been taken is marked in the spool before it is sent, so that it is asked for after whatever end this process meets.
 */
import { asFailure, Failure } from '../../errors.ts';
import type { Outcome, Outgoing, Spool } from '../spool.ts';
import { attempt } from './delivery-attempt.ts';
import type { Delivery, DeliveryOptions } from './delivery-contract.ts';
import { createHand } from './delivery-hand.ts';
import { createNotes } from './delivery-notes.ts';
import { createPace } from './delivery-pace.ts';
import { createJudge } from './delivery-verdict.ts';
import { createVoice } from './delivery-voice.ts';
import { createDestination } from './destination.ts';

export type { Delivery, DeliveryCounts, DeliveryOptions } from './delivery-contract.ts';

/** Claimed at once, ahead of what is on its way: the spool pays for a write to the disk once for all of them. */
const AHEAD = 32;
/** What is done is written no later; what a kill undoes is asked for. */
const WRITE_MS = 100;
/** A spool that cannot be written is tried again. */
const SPOOL_MS = 5000;

export function createDelivery(options: DeliveryOptions): Delivery {
  const { clock, log, random = Math.random } = options;
  const { name, concurrency, settle } = options.destination;
  const destination = createDestination(options.destination, clock.wallMs);
  const hand = createHand(name);
  const pace = createPace(clock, random);
  const notes = createNotes(random);
  const voice = createVoice({ name, to: destination.to }, clock, log);
  const ending = new AbortController();
  const judge = createJudge({ clock, pace, notes, voice, settle });
  let spool: Spool | undefined;
  let flying = 0;
  /** Not all that is open has been seen. */
  let mayBeOpen = true;
  /** What an earlier process left doubtful may still be at work until then. */
  let settledMs = 0;
  let writeMs: number | undefined;
  let spoolMs = 0;
  /** All that fell due until then has been looked at. */
  let turnedMs = Number.NEGATIVE_INFINITY;
  /** Some were put off, and what is behind them has not been looked at. */
  let isSkipping = false;
  let isStopping = false;
  let isTurning = false;
  let cancelTimer = (): void => {};
  let onLanded = (): void => {};

  const schedule = (): void => {
    if (isTurning) return;
    isTurning = true;
    // Not within the call of who wakes us, which may be about to answer somebody.
    setImmediate(() => {
      isTurning = false;
      turn();
    });
  };

  const turn = (): void => {
    cancelTimer();
    if (isStopping) return;
    const nowMs = clock.monotonicMs();
    if (nowMs >= spoolMs) work(nowMs);
    arm();
  };

  const work = (nowMs: number): void => {
    const current = options.spool();
    if (current === undefined) {
      spoolMs = nowMs + SPOOL_MS;
      return;
    }
    if (current !== spool) {
      // The numbers of another spool are not those of this one. What is on its way ends before anybody is asked for it.
      hand.clear();
      writeMs = undefined;
      if (flying > 0) {
        spoolMs = nowMs + WRITE_MS;
        return;
      }
      notes.clear();
      spool = current;
      settledMs = nowMs + settle;
      mayBeOpen = true;
    }
    turnedMs = nowMs;
    isSkipping = false;
    try {
      const events = pick(current, nowMs);
      const isFreed = write(current, events);
      hand.take(events);
      spoolMs = 0;
      voice.resumed();
      // What was in hand may be open again, or have kept one like it waiting.
      if ((isFreed || isSkipping) && mayBeOpen && flying + hand.queued < concurrency) schedule();
    } catch (thrown) {
      spoolMs = nowMs + SPOOL_MS;
      mayBeOpen = true;
      voice.held(asFailure(thrown));
      return;
    }
    begin(current);
  };

  /** What is to be claimed now. */
  const pick = (from: Spool, nowMs: number): readonly Outgoing[] => {
    const room = roomNow(nowMs);
    if (!mayBeOpen || room <= 0) return [];
    const isReady = ({ seq, isDoubtful }: Outgoing): boolean => {
      if (!isDoubtful || notes.has(seq) || nowMs >= settledMs) return true;
      notes.hold(seq, settledMs, true);
      isSkipping = true;
      return false;
    };
    if (pace.isDown) {
      const { events } = hand.pick(from, room, notes.spared(nowMs), isReady);
      if (events.length > 0 || nowMs < pace.fromMs) return events;
    }
    const { events, seen, isAll } = hand.pick(from, room, notes.held(nowMs), isReady);
    if (isAll) {
      mayBeOpen = false;
      notes.keep(seen, nowMs);
    }
    return events;
  };

  const roomNow = (nowMs: number): number => {
    if ((notes.areFew ? pace.freshMs : pace.fromMs) > nowMs) return 0;
    if (pace.isDown) return flying + hand.queued === 0 ? 1 : 0;
    return hand.queued < concurrency ? Math.max(AHEAD, 2 * concurrency) - hand.queued : 0;
  };

  /** One commit for what is done and what is begun next. Answers whether something was done. */
  const write = (to: Spool, events: readonly Outgoing[]): boolean => {
    const { outcomes } = hand;
    if (outcomes.length + events.length === 0) return false;
    const claimed = events.map(({ seq }) => seq);
    to.advance(name, outcomes, claimed, clock.wallMs());
    mayBeOpen ||= outcomes.some(({ state }) => state === 'waiting' || state === 'doubtful');
    hand.written(outcomes.length);
    writeMs = undefined;
    return outcomes.length > 0;
  };

  const begin = (from: Spool): void => {
    while (flying < concurrency) {
      const next = hand.next();
      if (next === undefined) return;
      flying++;
      send(next, from).finally(landed);
    }
  };

  const landed = (): void => {
    flying--;
    onLanded();
    if (isStopping) return;
    if (pace.isDown || pace.fromMs > clock.monotonicMs()) giveBack();
    else if (spool !== undefined && options.spool() === spool) begin(spool);
    if ((mayBeOpen && hand.queued < concurrency) || (flying === 0 && hand.queued === 0)) schedule();
    else arm();
  };

  const giveBack = (): void => {
    for (const { seq, isDoubtful } of hand.giveBack()) {
      done({ seq, state: isDoubtful ? 'doubtful' : 'waiting', answer: '' });
    }
    mayBeOpen = true;
  };

  const done = (outcome: Outcome): void => {
    hand.done(outcome);
    if (outcome.state === 'waiting' || outcome.state === 'doubtful') mayBeOpen = true;
    writeMs ??= clock.monotonicMs() + WRITE_MS;
  };

  const send = async (one: Outgoing, from: Spool): Promise<void> => {
    const number = pace.begin();
    const { seq, event } = one;
    try {
      const result = await attempt(one, {
        destination,
        known: () => from.deliveredLike(name, event),
        onPost: () => judge.posted(one),
        onHalves: (left) => voice.halved(event, left),
        until: ending.signal,
      });
      if (result.kind === 'failed' && ending.signal.aborted) {
        done({ seq, state: result.mayStand === 'no' ? 'waiting' : 'doubtful', answer: '' });
      } else done(judge.outcomeOf(one, number, result));
    } catch (thrown) {
      // The spool could not be asked, with which the destination has nothing to do.
      spoolMs = clock.monotonicMs() + SPOOL_MS;
      voice.held(asFailure(thrown));
      done({ seq, state: 'doubtful', answer: '' });
    }
  };

  /** The next turn that nobody calls for. */
  const arm = (): void => {
    cancelTimer();
    if (isStopping) return;
    // Not from now on: the turn before took its time.
    const times = [writeMs, notes.nextMs(turnedMs)];
    if (mayBeOpen) times.push(...[pace.freshMs, pace.fromMs].filter((one) => one > turnedMs));
    if (spoolMs > turnedMs) times.push(spoolMs);
    const next = Math.max(spoolMs, Math.min(...times.map((one) => one ?? Number.POSITIVE_INFINITY)));
    if (next === Number.POSITIVE_INFINITY) return;
    cancelTimer = clock.after(Math.max(0, next - clock.monotonicMs()), () => {
      mayBeOpen = true;
      schedule();
    });
  };

  return {
    name,
    wake() {
      mayBeOpen = true;
      schedule();
    },
    counts: judge.counts,
    get isDown() {
      return pace.isDown;
    },
    async stop(withinMs) {
      isStopping = true;
      cancelTimer();
      giveBack();
      const cancel = clock.after(withinMs, () => ending.abort(new Failure('E_ABORTED', 'edgestatd is stopping')));
      await new Promise<void>((resolve) => {
        onLanded = () => {
          if (flying === 0) resolve();
        };
        onLanded();
      });
      cancel();
      destination.close();
      try {
        if (spool !== undefined && options.spool() === spool) write(spool, []);
      } catch {
        // All of it is doubtful then, and asked for.
      }
    },
  };
}
