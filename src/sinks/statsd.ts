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
import { costOf, createPace, SHARE } from './pace.ts';
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
  /** Reasons (with their job, where it is one job's) that were said and still hold. */
  const told = new Set<string>();
  const late = new Set<string>();
  let downSinceMs = 0;
  let droppedWhileDown = 0;
  let delivering = false;
  let isDown = false;
  let closing = false;
  let closed: Promise<void> | undefined;
  let onIdle = (): void => {};

  const drop = (reason: DropReason, metrics: number, message: string, key: string = reason): void => {
    droppedMetrics.set(reason, (droppedMetrics.get(reason) ?? 0) + metrics);
    droppedWhileDown += metrics;
    if (message === '' || told.has(key)) return;
    told.add(key);
    log('sink:dropped', { sink, reason, metrics, message });
  };

  const peer = udpPeer(options.host, options.port, clock, ({ reason, code }) => {
    const why = reason === 'refused' ? `nobody listens on ${to}` : `${to} cannot be reached (${code})`;
    outbox.refused(reason, new Failure('E_CONNECT', `${why}; what is sent there is lost until that changes`));
  });
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
      told.delete('send');
      const downSeconds = Math.round((clock.monotonicMs() - downSinceMs) / 1000);
      log('sink:up', { sink, to, downSeconds, droppedMetrics: droppedWhileDown });
    },
    finished(consignment) {
      const { job, datagrams, metrics, dropped } = consignment;
      if (dropped === undefined && clock.monotonicMs() > consignment.lateAtMs) overrun(consignment);
      else if (dropped === undefined && late.delete(job) && late.size === 0) log('sink:in_pace', { sink });
      if (dropped === undefined && !delivering) {
        delivering = true;
        // Only when nobody has refused them: a refusal takes its way back.
        clock.after(REFUSAL_MS, () => {
          if (isDown) delivering = false;
          else log('sink:delivering', { sink, to, metrics, datagrams });
        });
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

  /**
   * The next batch of a job came while the one before it is still on its way: the interval is shorter than was said, so
   * what is left is spread over a share of the real one. When two wait already, the pace is not enough, and the older
   * one is given up: what waits is bounded.
   */
  const hurryOrDrop = (job: string): void => {
    const earlier = [...outbox.waiting].filter((one) => one.job === job && one.dropped === undefined);
    const nowMs = clock.monotonicMs();
    for (const one of earlier) one.dueAtMs = Math.min(one.dueAtMs, nowMs + SHARE * (nowMs - one.enqueuedAtMs));
    const [oldest] = earlier;
    if (oldest === undefined || earlier.length < 2) return;
    oldest.dropped = 'overrun';
    overrun(oldest);
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
    const dueAtMs = clock.monotonicMs() + SHARE * withinMs;
    for (const consignment of outbox.waiting) consignment.dueAtMs = Math.min(consignment.dueAtMs, dueAtMs);
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
      const key = `oversize ${job}`;
      if (longest === undefined) {
        told.delete(key);
      } else {
        const why = `the line of ${longest.path} is longer than maxBytes (${options.maxBytes})`;
        drop('oversize', oversize.length, why, key);
      }
      const metrics = datagrams.reduce((sum, datagram) => sum + datagram.metrics, 0);
      if (closing) {
        drop('stopped', metrics, '');
        return;
      }
      hurryOrDrop(job);
      if (datagrams.length === 0) return;
      const sizes = datagrams.map((datagram) => ({ bytes: datagram.payload.length, metrics: datagram.metrics }));
      const cost = sizes.reduce((sum, { bytes }) => sum + costOf(bytes), 0);
      const enqueuedAtMs = clock.monotonicMs();
      const shape = { job, metrics, datagrams: sizes.length, datagramsLeft: sizes.length };
      const times = { dueAtMs: enqueuedAtMs + SHARE * intervalMs, lateAtMs: enqueuedAtMs + intervalMs };
      outbox.expect({ ...shape, ...times, enqueuedAtMs, intervalMs, cost }, sizes);
      for (const { payload } of datagrams) client.send(payload);
    },
    counts: () => ({ ...counts, droppedMetrics }),
    close(withinMs) {
      closed ??= close(withinMs);
      return closed;
    },
  };
}
