/**
 * Totals by queue, kept over the runs. A broker before 4.0 counts by channel and queue, and forgets the count with the
 * channel; a later one counts by queue, but on each node what went through that node's channels. So what is added up
 * here are the increments of every such row, and a queue's total never falls, whatever closes or restarts.
 *
 * What happens between the last reading of a channel and its closing is in no reading, and lost. A channel that lives
 * between two readings alone is lost as a whole: clients that open one for each message are not counted by their broker
 * in a way that this page shows (management and rabbitmq_global_* do).
 */
export const EVENTS = ['published', 'getAck', 'getAuto', 'deliverAck', 'deliverAuto', 'redelivered', 'acked'] as const;
export type EventName = (typeof EVENTS)[number];
export const EVENT_INDEX = Object.fromEntries(EVENTS.map((event, index) => [event, index])) as Record<
  EventName,
  number
>;

/** What one channel (or, from 4.0 on, all of a node's together) did with one queue; numbers in the order of `EVENTS`. */
export interface EventRow {
  readonly queue: string;
  readonly values: Float64Array;
}

/** Rows of one reading of one node, by a key that names channel and queue. */
export type EventRows = ReadonlyMap<string, EventRow>;

export interface QueueTotals {
  /**
   * Takes the readings of those nodes that answered in this run. Rows that a node has no more are forgotten; those of a
   * node that did not answer are kept. A row that is new counts from zero, unless its node was never read before:
   * then nobody knows since when it counts, and counting begins with it.
   */
  add(readings: ReadonlyMap<string, EventRows>): void;
  /** In the order of `EVENTS`; undefined: never seen with a row. */
  of(queue: string): Float64Array | undefined;
  /** Forgets queues that are neither in the listing nor in any row. */
  retain(isListed: (queue: string) => boolean): void;
  /** Rows and queues that are kept. */
  readonly size: number;
}

export function createQueueTotals(): QueueTotals {
  const before = new Map<string, EventRows>();
  const totals = new Map<string, Float64Array>();

  const addRow = (row: EventRow, last: EventRow | undefined, isBeginning: boolean): void => {
    let total = totals.get(row.queue);
    if (total === undefined) {
      total = new Float64Array(EVENTS.length);
      totals.set(row.queue, total);
    }
    if (isBeginning) return;
    for (let at = 0; at < EVENTS.length; at++) {
      const value = row.values[at] ?? 0;
      const old = last?.values[at] ?? 0;
      // A total that fell is that of another channel of the same id: the node restarted.
      total[at] = (total[at] ?? 0) + (value >= old ? value - old : value);
    }
  };

  return {
    add(readings) {
      const isFirst = before.size === 0;
      for (const [node, rows] of readings) {
        const old = before.get(node);
        for (const [key, row] of rows) addRow(row, old?.get(key), old === undefined && !isFirst);
        before.set(node, rows);
      }
    },
    of: (queue) => totals.get(queue),
    retain(isListed) {
      const inRows = new Set<string>();
      for (const rows of before.values()) for (const { queue } of rows.values()) inRows.add(queue);
      for (const queue of totals.keys()) if (!isListed(queue) && !inRows.has(queue)) totals.delete(queue);
    },
    get size() {
      let rows = totals.size;
      for (const node of before.values()) rows += node.size;
      return rows;
    },
  };
}
