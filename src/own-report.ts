/** The daemon's report of itself: what its sinks, its events and its process did, as points like those of a job. */
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { targetName } from './config-faults.ts';
import type { Events } from './events/events.ts';
import { basePath, createNaming } from './naming.ts';
import { type ProcessProbe, sinkSamples } from './self.ts';
import type { Delivery, Sink } from './sinks/sink.ts';
import { createTotals } from './totals.ts';

export interface OwnReport {
  readonly clock: Clock;
  readonly probe: ProcessProbe;
  readonly config: () => Config;
  readonly sinks: () => readonly Sink[];
  readonly events: () => Events | undefined;
}

/** Reports are sent this often. */
export const SELF_EVERY_MS = 10_000;

/** Each call is one report. */
export function createOwnReport({ clock, probe, config, sinks, events }: OwnReport): () => Delivery {
  let own = ownTotals(config());
  return () => {
    const { naming } = ownTotals(config());
    if (naming.base !== own.naming.base) own = ownTotals(config());
    const open = sinks();
    const ofEvents = events()?.reading() ?? { samples: [] };
    const samples = [...probe.samples(), ...sinkSamples(open), ...ofEvents.samples];
    // What waits on a disk that cannot be looked at is unknown, and has not ended.
    const blind = open.filter((sink) => sink.counts().waiting === undefined).map(({ name }) => ({ sink: name }));
    const unread = [...blind, ...(ofEvents.unread ?? [])];
    const named = samples.map((one) => ({ path: own.naming.path(one.metric, one.labels), sample: one }));
    const points = own.totals.apply({ named, problems: [], unread, ratios: [], readAtMs: clock.monotonicMs() });
    return { job: 'edgestatd', atMs: clock.wallMs(), intervalMs: SELF_EVERY_MS, points };
  };
}

function ownTotals(config: Config) {
  const naming = createNaming(basePath(config.prefix, targetName('local', config.targets), 'edgestatd'));
  return { naming, totals: createTotals(naming, { startsFromZero: true }) };
}
