/** One attempt at one event: asked for where it may stand there already, posted, and asked for after an answer that leaves it open. */
import { Failure } from '../../errors.ts';
import type { Outgoing } from '../spool.ts';
import type { Answer } from './answer.ts';
import type { Destination, Found } from './delivery-destination.ts';

export type Result =
  | { readonly kind: 'delivered'; readonly wasFound: boolean }
  | { readonly kind: 'dead'; readonly failure: Failure }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      /** It must be asked for before it is sent again. `later`: not before what was sent is surely settled. */
      readonly mayStand: 'no' | 'ask' | 'later';
      readonly isSuspect: boolean;
      readonly deadAfter?: number;
      readonly waitMs?: number;
    };

export interface Attempt {
  readonly destination: Destination;
  /** How many like it are known to be there; asked at the last moment. */
  readonly known: () => number;
  /** It is about to be posted. */
  readonly onPost: () => void;
  /** So many stand there without their tags; it will be sent again. */
  readonly onHalves: (count: number) => void;
  readonly until: AbortSignal;
}

/** A server that fails each time after it has stored the event is not given more of it. */
export const MAX_HALVES = 5;

/** Rejects only where `known` throws. */
export async function attempt({ event, isDoubtful }: Outgoing, around: Attempt): Promise<Result> {
  const { destination, until, onPost, onHalves } = around;
  if (isDoubtful) {
    const found = await find(around, event);
    if (found.kind === 'failed') return unasked(found);
    if (found.isThere) return { kind: 'delivered', wasFound: true };
    if (found.halves >= MAX_HALVES) return { kind: 'dead', failure: tooManyHalves(around, found.halves) };
    if (found.halves > 0) onHalves(found.halves);
  }
  onPost();
  const answer = await destination.post(event, until);
  if (answer.kind === 'taken') return { kind: 'delivered', wasFound: false };
  return answer.mayStand === 'ask' ? asked(answer, around, event) : { ...answer, kind: 'failed' };
}

/** The server is done with it, and said neither that it took it nor that it did not. */
async function asked(
  answer: Extract<Answer, { kind: 'untaken' }>,
  around: Attempt,
  event: Outgoing['event'],
): Promise<Result> {
  const found = await find(around, event);
  // A server that does not answer this either is not well, or does not know who asks: that is not the event's fault.
  if (found.kind === 'failed') return unasked(found);
  if (found.isThere) return { kind: 'delivered', wasFound: true };
  if (found.halves >= MAX_HALVES) return { kind: 'dead', failure: tooManyHalves(around, found.halves) };
  if (answer.deadAfter === 1) return { kind: 'dead', failure: answer.failure };
  if (found.halves > 0) around.onHalves(found.halves);
  return { ...answer, kind: 'failed', mayStand: 'no' };
}

function tooManyHalves({ destination: { to } }: Attempt, count: number): Failure {
  const message = `${to} stored it ${count} times, each time without all of its tags, and failed; see the server's log`;
  return new Failure('E_HTTP_STATUS', message, { url: to, count });
}

/** It stays doubtful. */
function unasked(found: Extract<Found, { kind: 'failed' }>): Result {
  return { ...found, mayStand: 'ask', isSuspect: found.failure.code !== 'E_CONNECT' };
}

type There = { readonly kind: 'found'; readonly isThere: boolean; readonly halves: number };

async function find(
  { destination, known, until }: Attempt,
  event: Outgoing['event'],
): Promise<There | Extract<Found, { kind: 'failed' }>> {
  const before = known();
  const found = await destination.find(event, before, until);
  return found.kind === 'failed' ? found : { kind: 'found', isThere: found.whole > before, halves: found.halves };
}
