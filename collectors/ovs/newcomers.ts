/**
 * Bridges and interfaces that were not there in the run before. What they count may be older than that: a device that
 * is moved to another bridge, a bridge whose row was lost and made again. So what they show first is where counting
 * begins, and nothing that happened since the last run.
 */
import type { Host, Kept } from '../../src/collector.ts';
import type { Sample } from '../../src/metric.ts';
import type { Layout } from './layout.ts';
import type { OvsOptions } from './options.ts';

interface Attendance extends Kept {
  /** Undefined: there was no run before. */
  names: ReadonlySet<string> | undefined;
}

type Place = Readonly<Record<string, string | undefined>>;
const nameOf = ({ bridge, port, interface: name }: Place): string => JSON.stringify([bridge, port, name]);

/**
 * Whether a sample is a counter of one of them: to be told from the next run on. To be asked for once in each run in
 * which the rows are true; in the first one nobody is new.
 */
export function newcomers(
  host: Host,
  options: OvsOptions,
  { bridges, interfaces }: Layout,
): (sample: Sample) => boolean {
  const key = `ovs attendance ${JSON.stringify(options)}`;
  const attendance = host.keep<Attendance>(key, () => ({ names: undefined, close() {} }));
  const before = attendance.names;
  const places: Place[] = [
    ...bridges.map(({ name: bridge }) => ({ bridge })),
    ...[...interfaces.values()].map(({ labels }) => ({ ...labels })),
  ];
  const names = places.map(nameOf);
  attendance.names = new Set(names);
  if (before === undefined || names.every((name) => before.has(name))) return () => false;
  const added = new Set(names.filter((name) => !before.has(name)));
  return ({ metric, labels }) => metric.kind === 'counter' && added.has(nameOf(labels));
}
