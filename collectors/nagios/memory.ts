/** What the collector knows from one run to the next: one text, versioned and bounded. */
import { z } from 'zod';
import type { State, Subject } from './parse.ts';

const total = z.int().min(0);
const totals = z.record(z.string().max(40), total);
const state = z.enum(['UP', 'DOWN', 'UNREACHABLE', 'OK', 'WARNING', 'CRITICAL', 'UNKNOWN']);
const learnt = z.enum(['nothing', 'some', 'all']);

const schema = z.strictObject({
  version: z.literal(1),
  /** Goes up with each text, so that no two are alike. */
  number: total,
  /** The option `log`, and what stands there is not continued in another. */
  log: z.string(),
  place: z.strictObject({
    identity: z.string(),
    position: total,
    /** The bytes before the position, in hex: they tell this content from another under the same identity. */
    print: z.string().max(1024),
    /** Where a rotated log was found. */
    path: z.string().optional(),
  }),
  /** So many bytes from the position on were there before counting began: they teach states, and count nothing. */
  learning: total,
  /** The line at the position is too long, and its rest is passed over. */
  skipping: z.boolean(),
  /** When the last line was written. */
  lastSeconds: total.optional(),
  /** Lines that are older were read before: after a gap. */
  sinceSeconds: total.optional(),
  /** `service CRITICAL hard` → how many. */
  alerts: totals,
  otherAlerts: totals,
  /** `service started` → how many. */
  flaps: totals,
  otherFlaps: totals,
  counts: z.strictObject({ lines: total, unreadable: total, rotations: total, gaps: total, leftOut: total }),
  /** Selected hosts or services found no room for series of their own. */
  isCrowded: z.boolean(),
  hostsLearnt: learnt,
  servicesLearnt: learnt,
  /** A list of all states follows, or is being read. */
  list: z.enum(['expected', 'hosts', 'services', 'both']).optional(),
  /** Hard problems; `unconfirmed`: not named yet by the list that is being read. */
  problems: z.array(
    z.strictObject({
      host: z.string(),
      service: z.string().optional(),
      state,
      unconfirmed: z.literal(true).optional(),
    }),
  ),
  /** Hosts and services with series of their own. */
  own: z.array(
    z.strictObject({
      host: z.string(),
      service: z.string().optional(),
      /** Absent: not learnt. */
      problem: z.boolean().optional(),
      unconfirmed: z.literal(true).optional(),
      /** `CRITICAL hard` → how many. */
      alerts: totals,
      /** `started` → how many. */
      flaps: totals,
    }),
  ),
});

type Stored = z.infer<typeof schema>;
export type Totals = Record<string, number>;
export type Place = Stored['place'];
export type Learnt = Stored['hostsLearnt'];
export interface Problem extends Subject {
  state: State;
  unconfirmed: boolean;
}
export interface Own extends Subject {
  problem: boolean | undefined;
  unconfirmed: boolean;
  readonly alerts: Totals;
  readonly flaps: Totals;
}

/** Changed in place by a run, and written at its end. */
export interface Memory extends Omit<Stored, 'problems' | 'own'> {
  readonly problems: Map<string, Problem>;
  readonly own: Map<string, Own>;
}

/** One text for a host or service: no name has a line's end. */
export function keyOf({ host, service }: Subject): string {
  return service === undefined ? host : `${host}\n${service}`;
}

export function newMemory(log: string, place: Place, learning: number): Memory {
  return {
    ...{ version: 1, number: 0, log, place, learning, skipping: false, isCrowded: false },
    ...{ alerts: {}, otherAlerts: {}, flaps: {}, otherFlaps: {} },
    counts: { lines: 0, unreadable: 0, rotations: 0, gaps: 0, leftOut: 0 },
    ...{ hostsLearnt: 'nothing', servicesLearnt: 'nothing', problems: new Map(), own: new Map() },
  };
}

/** What a text says; undefined: it is none of ours, or of another version. */
export function parseMemory(text: string): Memory | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(data);
  if (!parsed.success) return undefined;
  const { problems, own, ...rest } = parsed.data;
  const known = <Value extends Subject>(all: readonly Value[]): Map<string, Value> =>
    new Map(all.map((one) => [keyOf(one), one]));
  return {
    ...rest,
    problems: known(
      problems.map(({ host, service, state: is, unconfirmed = false }) => ({ host, service, state: is, unconfirmed })),
    ),
    own: known(
      own.map(({ host, service, problem, unconfirmed = false, ...counts }) => {
        return { host, service, problem, unconfirmed, ...counts };
      }),
    ),
  };
}

export function textOf({ problems, own, ...rest }: Memory): string {
  // What is false is left out.
  const flag = (unconfirmed: boolean): true | undefined => (unconfirmed ? true : undefined);
  return JSON.stringify({
    ...rest,
    problems: [...problems.values()].map((one) => ({ ...one, unconfirmed: flag(one.unconfirmed) })),
    own: [...own.values()].map((one) => ({ ...one, unconfirmed: flag(one.unconfirmed) })),
  });
}
