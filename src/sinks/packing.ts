/** How a configuration packs: what `once` and the stdout sink show as the exact datagrams. Pure. */
import type { Packing } from './pack.ts';
import type { StatsdSinkOptions } from './statsd-options.ts';

export function packing(options: Pick<StatsdSinkOptions, 'maxBytes' | 'packing' | 'tags'>): Packing {
  return { maxBytes: options.maxBytes, single: options.packing === 'single', tags: options.tags };
}

/** As the first StatsD sink packs, or as one with nothing but defaults would. */
export function packingOf(sinks: readonly (StatsdSinkOptions | { readonly type: 'carbon' | 'stdout' })[]): Packing {
  const statsd = sinks.find((sink) => sink.type === 'statsd');
  return statsd === undefined ? { maxBytes: 1432, single: false, tags: 'none' } : packing(statsd);
}
