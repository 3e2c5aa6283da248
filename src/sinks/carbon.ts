/**
 * The carbon sink: plaintext lines over TCP or TLS, each with the time of its run, and on the disk what is not known to
 * be taken. Points become lines once; each destination (`mode: all`), or all together (`failover`), has a lane of its
 * own from there on.
 */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { chunksOf } from './carbon-chunk.ts';
import { createLane, type Lane } from './carbon-lane.ts';
import { carbonLine } from './carbon-lines.ts';
import { type CarbonSinkOptions, type Endpoint, endpointOf, spoolPath } from './carbon-options.ts';
import { createSlots } from './carbon-slots.ts';
import { createSpool } from './carbon-spool.ts';
import type { Delivery, DropReason, Sink, Waiting } from './sink.ts';

/** What waits in memory, of all lanes: to be sent, to be known as taken, and to be sent again after a disconnect. */
const MEMORY_BYTES = 8 * 2 ** 20;

export function carbonSink(options: CarbonSinkOptions & { readonly name: string }, clock: Clock, log: Log): Sink {
  const sink = options.name;
  const counts = { sentMetrics: 0, sentBytes: 0, resentMetrics: 0 };
  const droppedMetrics = new Map<DropReason, number>();
  const told = new Set<string>();
  const slots = createSlots();
  const lanes = new Map<string, Lane>();
  let droppedAtDown = new Map<string, number>();
  let closed: Promise<void> | undefined;

  const dropped = (): number => [...droppedMetrics.values()].reduce((sum, metrics) => sum + metrics, 0);
  const drop = (reason: DropReason, metrics: number, message = WHY[reason] ?? ''): void => {
    droppedMetrics.set(reason, (droppedMetrics.get(reason) ?? 0) + metrics);
    if (message === '' || told.has(reason)) return;
    told.add(reason);
    log('sink:dropped', { sink, reason, metrics, message });
  };

  const shape = lanesOf(options);
  const spool = createSpool(
    {
      ...{ path: spoolPath(options), maxBytes: options.maxBytes, maxAgeMs: options.maxAge },
      lanes: shape.map(({ key }) => key),
    },
    clock,
    {
      failed: ({ code, message }) => log('sink:spool_failed', { sink, code, message }),
      works: () => log('sink:spool_works', { sink }),
      moved: (to) => log('sink:spool_moved', { sink, message: movedTo(spoolPath(options), to) }),
      dropped: (reason, stored) => lanes.get(stored.lane)?.dropped(reason, stored),
    },
  );
  for (const { key, endpoints } of shape) {
    const lane = createLane({ ...options, key, endpoints, memoryBytes: MEMORY_BYTES / shape.length }, spool, clock, {
      sent(metrics, again, bytes) {
        counts.sentMetrics += metrics;
        counts.resentMetrics += again;
        counts.sentBytes += bytes;
      },
      takenBack(metrics) {
        counts.sentMetrics -= metrics;
      },
      dropped: drop,
      replayed: (to, metrics, seconds) => log('sink:replayed', { sink, to, metrics, seconds }),
      delivering: (to) => log('sink:delivering', { sink, to, metrics: counts.sentMetrics }),
      down(to, { code, message }) {
        droppedAtDown = new Map(droppedAtDown).set(to, dropped());
        log('sink:down', { sink, to, code, message });
      },
      up(to, downSeconds) {
        const droppedMetrics = dropped() - (droppedAtDown.get(to) ?? 0);
        // What is dropped in the next outage is said again.
        told.clear();
        log('sink:up', { sink, to, downSeconds, droppedMetrics });
      },
    });
    lanes.set(key, lane);
  }

  const linesOf = function* ({ job, atMs, intervalMs, points }: Delivery): Generator<string> {
    const seconds = slots.secondsOf(job, atMs, intervalMs);
    for (const point of points) {
      const line = carbonLine(point, seconds, options);
      if (line === 'invalid' || line === 'oversize') drop(line, 1);
      else if (line !== 'none') yield line.line;
    }
  };

  return {
    name: sink,
    write(delivery) {
      spool.tend();
      for (const chunk of chunksOf(linesOf(delivery), delivery.atMs)) {
        if (closed !== undefined) drop('stopped', chunk.metrics);
        else for (const lane of lanes.values()) lane.take(chunk);
      }
    },
    counts: () => ({ ...counts, droppedMetrics, waiting: together([...lanes.values()].map((lane) => lane.waiting())) }),
    close(withinMs) {
      closed ??= Promise.all([...lanes.values()].map((lane) => lane.close(withinMs))).then(() => spool.close());
      return closed;
    },
  };
}

/** Which endpoints share what waits. The key names it on the disk, so it stays the same when others come or go. */
function lanesOf({ destinations, mode }: CarbonSinkOptions): { key: string; endpoints: Endpoint[] }[] {
  const endpoints = destinations.flatMap((text) => endpointOf(text) ?? []);
  if (mode === 'failover') return [{ key: 'failover', endpoints }];
  return endpoints.map((endpoint) => ({ key: endpoint.to, endpoints: [endpoint] }));
}

const WHY: Partial<Record<DropReason, string>> = {
  unspooled: 'there is no place left in memory, and the spool cannot be used; the oldest is dropped',
  spool_full: 'the spool has reached its bound (maxBytes); the oldest is dropped',
  expired: 'it waited for longer than maxAge',
  oversize: 'a line is longer than Carbon takes',
  invalid: 'a name holds blanks or control characters, which would end it',
};

function movedTo(path: string, to: string): string {
  return `${path} was no usable database: it is ${to} now, what waited there is not sent, and a new one was begun`;
}

function together(all: readonly (Waiting | undefined)[]): Waiting | undefined {
  const known = all.filter((one) => one !== undefined);
  if (known.length === 0) return undefined;
  const ages = known.flatMap(({ oldestSeconds }) => oldestSeconds ?? []);
  return {
    metrics: known.reduce((sum, { metrics }) => sum + metrics, 0),
    bytes: known.reduce((sum, { bytes }) => sum + bytes, 0),
    oldestSeconds: ages.length === 0 ? undefined : Math.max(...ages),
  };
}
