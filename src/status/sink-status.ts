/** What a sink, and what events, say of themselves in the status document. */
import type { SinkConfig } from '../config.ts';
import type { EventsSeen } from '../events/event-metrics.ts';
import type { Sink } from '../sinks/sink.ts';
import type { EventsStatus, ProblemStatus, SinkStatus } from './document.ts';
import type { TroubleNotes } from './trouble-notes.ts';

/** A sink that is open, its settings, and what was overheard of it. */
export interface OpenSink {
  readonly sink: Sink;
  readonly settings: SinkConfig;
  readonly notes: TroubleNotes;
}

/** One that sends to several is up while any of them takes; what is wrong with the others is told all the same. */
export function sinkStatus({ sink, settings, notes }: OpenSink): SinkStatus {
  const counts = sink.counts();
  const { waiting } = counts;
  const places = placesOf(settings);
  const [problem] = longest(notes.down.values());
  return {
    ...{ name: sink.name, type: settings.type, to: places.join(', ') },
    state: notes.down.size >= places.length ? 'down' : 'up',
    ...(problem === undefined ? {} : { problem }),
    sentMetrics: counts.sentMetrics,
    ...(counts.sentDatagrams === undefined ? {} : { sentDatagrams: counts.sentDatagrams }),
    ...{ sentBytes: counts.sentBytes, droppedMetrics: Object.fromEntries(counts.droppedMetrics) },
    ...(counts.resentMetrics === undefined ? {} : { resentMetrics: counts.resentMetrics }),
    ...(waiting === undefined ? {} : { spool: spoolOf(waiting) }),
  };
}

function placesOf(settings: SinkConfig): readonly string[] {
  if (settings.type === 'carbon') return settings.destinations;
  if (settings.type === 'stdout') return ['stdout'];
  const { host, port } = settings;
  return [`${host.includes(':') ? `[${host}]` : host}:${port}`];
}

/** Those that last longest come first. */
function longest(problems: Iterable<ProblemStatus>): ProblemStatus[] {
  return [...problems].sort((one, other) => one.sinceMs - other.sinceMs);
}

function spoolOf({ metrics, bytes, oldestSeconds }: NonNullable<ReturnType<Sink['counts']>['waiting']>) {
  return { metrics, bytes, ...(oldestSeconds === undefined ? {} : { oldestSeconds }) };
}

/** Of the destinations that are configured, and of others of which the spool knows. */
export function eventsStatus(
  spool: string,
  { spool: found, delivered }: EventsSeen,
  { down }: TroubleNotes,
  nowMs: number,
): EventsStatus {
  const waiting = new Map(found?.waiting.map((one) => [one.destination, one]));
  const names = [...new Set([...delivered.keys(), ...waiting.keys()])];
  return {
    spool,
    ...(found === undefined ? {} : { bytes: found.bytes }),
    destinations: names.map((name) => {
      const one = waiting.get(name);
      const problem = down.get(name);
      return {
        ...{ name, delivered: delivered.get(name) ?? 0 },
        ...(found === undefined ? {} : { waiting: one?.waiting ?? 0, dead: one?.dead ?? 0 }),
        // The clock may have been set back since.
        ...(one?.oldestMs === undefined ? {} : { oldestSeconds: Math.max(0, nowMs - one.oldestMs) / 1000 }),
        ...(problem === undefined ? {} : { problem }),
      };
    }),
  };
}
