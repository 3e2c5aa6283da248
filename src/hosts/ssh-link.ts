/** The connection of one machine, which outlives runs: opened at first use, kept, and opened again after an end. */
import type { Clock } from '../clock.ts';
import { asFailure, Failure } from '../errors.ts';
import type { Turns } from '../turns.ts';
import { dial as dialSsh, type Watched } from './ssh.ts';
import { lateFailure, placeOf, type Stage } from './ssh-failures.ts';
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
  readonly dial?: (settings: SshSettings, until: AbortSignal, through?: Wire, watched?: Watched) => Promise<Wire>;
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
  /** What the attempt waits for. */
  let stage: Stage | 'way' | 'turn' = 'way';

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
    stage = 'way';
    // A failure of the machine on the way does not count here: it is that one's to be tried again.
    const way = await through?.wire(signal).catch((thrown) => {
      const failure = asFailure(thrown);
      throw new Failure(failure.code, `${placeOf(settings)} is not reached: ${failure.message}`, { cause: failure });
    });
    stage = 'turn';
    const endTurn = (await turn?.(signal)) ?? ((): void => {});
    const limit = new Failure('E_TIMEOUT', `${placeOf(settings)} did not answer in time`);
    const cancel = clock.after(ATTEMPT_MS, () => abort(limit));
    try {
      const told = (reached: Stage): void => {
        stage = reached;
      };
      return keep(await dial(settings, signal, way, { told }));
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (!isClosed) holdOff(failure);
      throw failure;
    } finally {
      cancel();
      endTurn();
    }
  };

  /** The deadline of who waits has passed: why there is no connection yet, as far as that is known. */
  const tooLate = (reason: unknown): unknown => {
    if (!(reason instanceof Failure) || reason.code !== 'E_TIMEOUT') return reason;
    const text =
      stage === 'way' || stage === 'turn'
        ? `${placeOf(settings)} waits for ${stage === 'turn' ? 'other logins' : 'the machine on the way'}`
        : lateFailure({ settings, stage }).message;
    const before = pause === undefined ? '' : `; the attempt before: ${pause.failure.message}`;
    const message = `${reason.message} before there was a connection: ${text}${before}`;
    return new Failure(reason.code, message, { ...reason.evidence, cause: reason });
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
      return within(deadline, attempt).catch((thrown) => {
        throw deadline.aborted && thrown === deadline.reason ? tooLate(thrown) : thrown;
      });
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
