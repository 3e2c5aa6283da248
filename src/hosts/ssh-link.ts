/** The connection of one machine, which outlives runs: opened at first use, kept, and opened again after an end. */
import type { Clock } from '../clock.ts';
import { asFailure, Failure } from '../errors.ts';
import type { Turns } from '../turns.ts';
import { dial as dialSsh } from './ssh.ts';
import { placeOf } from './ssh-failures.ts';
import type { SshSettings } from './ssh-options.ts';
import type { Link, Wire } from './ssh-wire.ts';
import { within } from './target.ts';

export interface Surroundings {
  readonly clock: Clock;
  /** 0 to below 1. */
  readonly random?: () => number;
  /** The connection of the machine on the way: shared with all others that go through it, and not closed by this one. */
  readonly through?: Link | undefined;
  /** Waits until an attempt may begin; what it answers is called when that is over. */
  readonly turn?: Turns['take'];
  readonly dial?: (settings: SshSettings, until: AbortSignal, through?: Wire) => Promise<Wire>;
}

/** For one attempt, from the first packet to the login; that of the machine on the way has its own. */
const ATTEMPT_MS = 10_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 120_000;
/** After a connection that ends sooner there is a pause too, or a server that hangs up would be asked without end. */
const STABLE_MS = 10_000;
/** A short one: some let in, and close after each command. */
const LONGEST_PAUSE_AFTER_LOGIN_MS = 5000;

export function createLink(settings: SshSettings, around: Surroundings): Link {
  const { clock, random = Math.random, through, turn, dial = dialSsh } = around;
  let open: Wire | undefined;
  let attempt: Promise<Wire> | undefined;
  let control = new AbortController();
  let failures = 0;
  /** Attempts before this time are answered by the last failure. */
  let pause: { readonly untilMs: number; readonly failure: Failure } | undefined;
  let isClosed = false;

  /** Between half of the pause and all of it, so that what broke at once does not come back at once. */
  const holdOff = (failure: Failure, limitMs = LONGEST_PAUSE_MS): void => {
    const longest = Math.min(limitMs, FIRST_PAUSE_MS * 2 ** Math.min(failures, 20));
    failures += 1;
    pause = { untilMs: clock.monotonicMs() + longest * (0.5 + random() / 2), failure };
  };

  const keep = (wire: Wire): Wire => {
    if (isClosed) {
      wire.end();
      throw closedHere(settings);
    }
    open = wire;
    const sinceMs = clock.monotonicMs();
    wire.ended.then((failure) => {
      if (open === wire) open = undefined;
      if (isClosed) return;
      if (clock.monotonicMs() - sinceMs < STABLE_MS) return holdOff(failure, LONGEST_PAUSE_AFTER_LOGIN_MS);
      failures = 0;
      pause = undefined;
    });
    return wire;
  };

  const connect = async (): Promise<Wire> => {
    control = new AbortController();
    const { signal, abort } = { signal: control.signal, abort: control.abort.bind(control) };
    // A failure of the machine on the way does not count here: it is that one's to be tried again.
    const way = await through?.wire(signal).catch((thrown) => {
      const failure = asFailure(thrown);
      throw new Failure(failure.code, `${placeOf(settings)} is not reached: ${failure.message}`, { cause: failure });
    });
    const endTurn = (await turn?.(signal)) ?? ((): void => {});
    const limit = new Failure('E_TIMEOUT', `${placeOf(settings)} did not answer in time`);
    const cancel = clock.after(ATTEMPT_MS, () => abort(limit));
    try {
      return keep(await dial(settings, signal, way));
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (!isClosed) holdOff(failure);
      throw failure;
    } finally {
      cancel();
      endTurn();
    }
  };

  return {
    wire(deadline) {
      if (deadline.aborted) return Promise.reject(deadline.reason);
      if (isClosed) return Promise.reject(closedHere(settings));
      if (open !== undefined) return Promise.resolve(open);
      if (attempt === undefined) {
        if (pause !== undefined && clock.monotonicMs() < pause.untilMs) return Promise.reject(pause.failure);
        const mine = connect().finally(() => {
          attempt = undefined;
        });
        attempt = mine;
      }
      return within(deadline, attempt);
    },
    close() {
      isClosed = true;
      control.abort(closedHere(settings));
      open?.end();
      open = undefined;
    },
  };
}

function closedHere(settings: SshSettings): Failure {
  return new Failure('E_ABORTED', `${placeOf(settings)} is no longer a target`);
}
