/**
 * The StatsD sink. hot-shots (this is its only importer) is the client: it takes each datagram to the transport and
 * tracks what is in flight. Names, lines, packing, pace and socket are ours: hot-shots checks no value, paces nothing,
 * and over UDP never learns that nobody listens.
 */
import { StatsD } from 'hot-shots';
import type { Clock } from '../clock.ts';
import { Failure } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Consignment, createOutbox } from './outbox.ts';
import { costOf, createPace } from './pace.ts';
import { pack } from './pack.ts';
import { packing } from './packing.ts';
import type { DropReason, Sink } from './sink.ts';
import type { StatsdSinkOptions } from './statsd-options.ts';
import { udpPeer } from './udp.ts';

/** Time for the word that nobody listens. */
const REFUSAL_MS = 100;

/** The part of hot-shots' client that is not in its types: a whole message, as its own metrics pass it on. */
interface Client {
  send(message: string, tags?: undefined, callback?: (error?: Error | null) => void): void;
  close(callback: (error?: Error) => void): void;
}

export function statsdSink(options: StatsdSinkOptions & { readonly name: string }, clock: Clock, log: Log): Sink {
  const sink = options.name;
  const to = `${options.host}:${options.port}`;
  const counts = { sentMetrics: 0, sentDatagrams: 0, sentBytes: 0, paceOverruns: 0 };
  const droppedMetrics = new Map<DropReason, number>();
  const told = new Set<DropReason>();
  const late = new Set<string>();
  let downSinceMs = 0;
  let droppedWhileDown = 0;
  let delivering = false;
  let isDown = false;
  let closing = false;
  let closed: Promise<void> | undefined;
  let onIdle = (): void => {};

  const drop = (reason: DropReason, metrics: number, message: string): void => {
    droppedMetrics.set(reason, (droppedMetrics.get(reason) ?? 0) + metrics);
    droppedWhileDown += metrics;
    if (message === '' || told.has(reason)) return;
    told.add(reason);
    log('sink:dropped', { sink, reason, metrics, message });
  };

  const peer = udpPeer(options.host, options.port, clock, () =>
    outbox.refused(new Failure('E_CONNECT', `nobody listens on ${to}; what is sent there is lost until a server does`)),
  );
  const pace = createPace(options.burst, options.maxBytes);
  const outbox = createOutbox(() => peer, pace, clock, {
    sent(metrics, bytes) {
      counts.sentMetrics += metrics;
      counts.sentDatagrams += 1;
      counts.sentBytes += bytes;
    },
    lost(metrics, datagrams, bytes) {
      counts.sentMetrics -= metrics;
      counts.sentDatagrams -= datagrams;
      counts.sentBytes -= bytes;
    },
    dropped: drop,
    down(_reason, failure) {
      isDown = true;
      downSinceMs = clock.monotonicMs();
      droppedWhileDown = 0;
      log('sink:down', { sink, to, code: failure.code, message: failure.message });
    },
    up() {
      isDown = false;
      const downSeconds = Math.round((clock.monotonicMs() - downSinceMs) / 1000);
      log('sink:up', { sink, to, downSeconds, droppedMetrics: droppedWhileDown });
    },
    finished(consignment) {
      const { job, datagrams, metrics, dropped } = consignment;
      if (dropped === undefined && !delivering) {
        delivering = true;
        // Only when nobody has refused them: a refusal takes its way back.
        clock.after(REFUSAL_MS, () => {
          if (isDown) delivering = false;
          else log('sink:delivering', { sink, to, metrics, datagrams });
        });
      }
      if (dropped === undefined && !isLate(consignment, clock) && late.delete(job) && late.size === 0) {
        log('sink:in_pace', { sink });
      }
      if (outbox.waiting.size === 0) onIdle();
    },
  });

  const overrun = (consignment: Consignment): void => {
    const { job, datagrams, intervalMs, enqueuedAtMs } = consignment;
    counts.paceOverruns += 1;
    if (late.has(job)) return;
    late.add(job);
    const seconds = Math.round((clock.monotonicMs() - enqueuedAtMs) / 100) / 10;
    log('sink:overrun', { sink, job, datagrams, seconds, intervalSeconds: intervalMs / 1000 });
  };

  const client = new StatsD({
    protocol: 'stream',
    stream: outbox.stream,
    // Datagrams come packed. hot-shots' own buffer would put them together again.
    maxBufferSize: 0,
    // Else DD_* variables of the environment add tags and telemetry that StatsD counts as bad lines.
    datadog: false,
    includeDataDogTags: false,
    includeDatadogTelemetry: false,
    host: options.host,
    port: options.port,
    errorHandler: (error) => drop('send', 0, error.message),
  }) as unknown as Client;

  const close = async (withinMs: number): Promise<void> => {
    closing = true;
    // What waits is spread over the time that is left, and no longer over its interval.
    for (const consignment of outbox.waiting) {
      consignment.enqueuedAtMs = clock.monotonicMs();
      consignment.intervalMs = Math.min(consignment.intervalMs, withinMs);
    }
    if (outbox.waiting.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(withinMs, resolve);
        onIdle = () => {
          cancel();
          resolve();
        };
      });
    }
    for (const consignment of outbox.waiting) consignment.dropped ??= 'stopped';
    await new Promise<void>((resolve) => client.close(() => resolve()));
    peer.close();
  };

  return {
    name: sink,
    write({ job, intervalMs, points }) {
      const { datagrams, oversize } = pack(points, packing(options));
      const [longest] = oversize;
      if (longest !== undefined) {
        drop('oversize', oversize.length, `the line of ${longest.path} is longer than maxBytes (${options.maxBytes})`);
      }
      const metrics = datagrams.reduce((sum, datagram) => sum + datagram.metrics, 0);
      if (closing) {
        drop('stopped', metrics, '');
        return;
      }
      for (const earlier of outbox.waiting) {
        if (earlier.job !== job || earlier.dropped !== undefined) continue;
        earlier.dropped = 'overrun';
        overrun(earlier);
      }
      if (datagrams.length === 0) return;
      const sizes = datagrams.map((datagram) => ({ bytes: datagram.payload.length, metrics: datagram.metrics }));
      const cost = sizes.reduce((sum, { bytes }) => sum + costOf(bytes), 0);
      const enqueuedAtMs = clock.monotonicMs();
      const shape = { job, metrics, datagrams: sizes.length, datagramsLeft: sizes.length };
      outbox.expect({ ...shape, enqueuedAtMs, intervalMs, cost }, sizes);
      for (const { payload } of datagrams) client.send(payload);
    },
    counts: () => ({ ...counts, droppedMetrics }),
    close(withinMs) {
      closed ??= close(withinMs);
      return closed;
    },
  };
}

function isLate({ enqueuedAtMs, intervalMs }: Consignment, clock: Clock): boolean {
  return clock.monotonicMs() - enqueuedAtMs > intervalMs;
}
