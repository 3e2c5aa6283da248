/** What outlives a run of one job: nothing of it is sent, all of it says how to ask and what to compare with. */
import type { Kept } from '../../src/collector.ts';
import type { ManagementMemory } from './by-management.ts';
import { createPrometheusMemory, type PrometheusMemory } from './by-prometheus.ts';
import { type Changes, createChanges } from './changes.ts';
import { createHeights, type Heights } from './heights.ts';
import type { RabbitmqOptions } from './options.ts';
import { createPace, type Pace } from './pace.ts';
import type { QueueName } from './record.ts';
import { createStuckWatch, type StuckWatch } from './stuck.ts';
import { createTold, type Told } from './told.ts';

/** The share of the time that the broker may be busy with listing its queues, and with the details of some. */
const LIST_SHARE = 0.01;
const DETAILS_SHARE = 0.05;

export interface Memory extends Kept, ManagementMemory {
  readonly endpoints: { current: number };
  readonly prometheus: PrometheusMemory;
  readonly list: Pace;
  readonly details: Pace;
  readonly stuck: StuckWatch;
  readonly told: Told;
  readonly heights: Heights;
  /** What only a list tells: queues that are more than maxQueues, and those without a depth. */
  leftOut: number | undefined;
  unknown: number | undefined;
  /** How old the details are at most where they are read in turns, in seconds. */
  turnSeconds: number;
  readonly changes: Changes;
  /** The queues that are sent by name, as the last list had them. */
  kept: readonly QueueName[];
  /** How many lists in a row could not tell whether a kept queue is there. */
  readonly lost: Map<string, number>;
  /** The nodes whose counts were in the sums, and the endpoint that dated them, in the run before. */
  nodes: string;
  /** All nodes told their statistics. */
  isWhole: boolean;
  /** The keys of vhosts and broker, whose totals are remembered too. */
  sums: readonly string[];
  datedBy: number | undefined;
  /** Where the next turn begins, where one run cannot ask for all. */
  turn: number;
  /** Whether the broker counts messages by queue; undefined: never told. */
  countsMessages: boolean | undefined;
  /** Whether it has statistics of queues at all. */
  statistics: boolean | undefined;
  /** Queues of this machine that were there. */
  readonly ownSeen: Set<string>;
  /** Whether it is this machine's queues alone that are asked for; undefined: not decided yet. */
  own: boolean | undefined;
}

export function createMemory({ stuckAfter }: RabbitmqOptions): Memory {
  return {
    endpoints: { current: 0 },
    absentSinceMs: new Map(),
    refusedSinceMs: new Map(),
    vhostsSeen: new Set(),
    listed: 0,
    prometheus: createPrometheusMemory(),
    list: createPace(LIST_SHARE),
    details: createPace(DETAILS_SHARE),
    stuck: createStuckWatch(stuckAfter),
    told: createTold(),
    heights: createHeights(),
    leftOut: undefined,
    unknown: undefined,
    turnSeconds: 0,
    changes: createChanges(),
    kept: [],
    lost: new Map(),
    nodes: '',
    isWhole: true,
    sums: [],
    datedBy: undefined,
    turn: 0,
    countsMessages: undefined,
    statistics: undefined,
    ownSeen: new Set(),
    own: undefined,
    close() {},
  };
}
