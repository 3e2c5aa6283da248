/** Vhosts are listed as far as the time and the programs of a run go; the next run begins with the others. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import type { Listing } from './record.ts';

/** What outlives a run: how many vhosts further on the next one begins. */
export interface Turn {
  turn: number;
}

const AT_ONCE = 2;
/** What the program takes before it asks anything. */
const LEAST_MS = 700;
/** So many that were not asked are told one by one. */
const MAX_NAMED = 5;

/** `refusal`: why no other vhost can be asked in this run. The first is read alone: it finds out what the program knows. */
export async function inTurns(
  vhosts: readonly string[],
  memory: Turn,
  refusal: () => Failure | undefined,
  read: (vhost: string) => Promise<Listing>,
): Promise<Listing> {
  const begin = vhosts.length === 0 ? 0 : memory.turn % vhosts.length;
  // The broker promises no order, and turns need one.
  const sorted = vhosts.toSorted();
  const waiting = [...sorted.slice(begin), ...sorted.slice(0, begin)];
  const listings: Listing[] = [];
  let refused: Failure | undefined;
  const work = async (isAlone: boolean): Promise<void> => {
    while (waiting.length > 0) {
      refused ??= refusal();
      if (refused !== undefined) return;
      const vhost = waiting.shift();
      if (vhost !== undefined) listings.push(await read(vhost));
      if (isAlone) return;
    }
  };
  await work(true);
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(false)));
  memory.turn = waiting.length === 0 ? begin : begin + vhosts.length - waiting.length;
  return {
    queues: listings.flatMap(({ queues }) => queues),
    problems: [
      ...listings.flatMap(({ problems }) => problems),
      ...(refused === undefined ? [] : unasked(waiting, refused)),
    ],
  };
}

function unasked(vhosts: readonly string[], refused: Failure): Failure[] {
  const { code, message } = refused;
  const problem = (what: string, labels: Readonly<Record<string, string>>): Failure =>
    new Failure(code, `${what} not asked in this run, and first in the next: ${message}`, {
      count: vhosts.length,
      labels,
    });
  if (vhosts.length <= MAX_NAMED) return vhosts.map((vhost) => problem(`vhost ${quoted(vhost)} is`, { vhost }));
  const named = vhosts.slice(0, MAX_NAMED).map((vhost) => quoted(vhost));
  const what = `${vhosts.length} vhosts (${named.join(', ')}, …) are`;
  return ['queue', 'group'].map((scope) => problem(what, { scope }));
}

/** How many programs were started, and what time there is for others. */
export interface Programs {
  readonly started: number;
  /** Counts it; rejects where there were too many. `isListing`: it says how long the next one will take. */
  start(program: () => Promise<string>, isListing?: boolean): Promise<string>;
  /** Why no other listing can be begun. */
  refusal(): Failure | undefined;
}

export function createPrograms(most: number, leftMs: () => number): Programs {
  let started = 0;
  let longestMs = 0;
  const spent = (): Failure | undefined =>
    started < most
      ? undefined
      : new Failure('E_CONFIG', `${most} programs were started, which is the option maxRequests; raise it to ask more`);
  return {
    get started() {
      return started;
    },
    async start(program, isListing = false) {
      const refused = spent();
      if (refused !== undefined) throw refused;
      started += 1;
      const beganMs = leftMs();
      try {
        return await program();
      } finally {
        const tookMs = beganMs - leftMs();
        if (isListing && tookMs > longestMs) longestMs = tookMs;
      }
    },
    refusal() {
      // One that would take as long as the longest would be cut off.
      if (leftMs() <= Math.max(longestMs, LEAST_MS))
        return new Failure('E_TIMEOUT', 'no time is left for it; lengthen the job’s timeout');
      return spent();
    },
  };
}
