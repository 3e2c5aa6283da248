/** StatsD lines → datagrams, filled as far as they go and never over the limit. Pure. */
import type { TagStyle } from '../naming.ts';
import type { Point } from '../point.ts';
import { statsdLine } from './lines.ts';

export interface Packing {
  readonly maxBytes: number;
  readonly single: boolean;
  readonly tags: TagStyle;
}

export interface Packed {
  readonly datagrams: readonly Datagram[];
  /** Points whose line alone is over the limit. */
  readonly oversize: readonly Point[];
}

export interface Datagram {
  /** Lines joined by `\n`, without a last one. ASCII, so its length is its size in bytes. */
  readonly payload: string;
  readonly metrics: number;
}

interface Open {
  text: string;
  metrics: number;
}

/** A line that does not fit waits in a second or third datagram while later, shorter ones fill the first. */
const OPEN_DATAGRAMS = 3;

export function pack(points: Iterable<Point>, { maxBytes, single, tags }: Packing): Packed {
  const datagrams: Datagram[] = [];
  const oversize: Point[] = [];
  const open: Open[] = [];
  const done = ({ text, metrics }: Open): void => void datagrams.push({ payload: text, metrics });

  for (const point of points) {
    const line = statsdLine(point, tags);
    if (line === undefined) continue;
    if (line.length > maxBytes) {
      oversize.push(point);
      continue;
    }
    if (single) {
      // The receiver reads the first line only: even the two lines of a negative gauge go alone, in order.
      const parts = line.split('\n');
      for (const [index, payload] of parts.entries())
        datagrams.push({ payload, metrics: index === parts.length - 1 ? 1 : 0 });
      continue;
    }
    const room = maxBytes - line.length - 1;
    let fits = open[0];
    for (let i = 1; fits !== undefined && fits.text.length > room; i++) fits = open[i];
    if (fits !== undefined) {
      fits.text += `\n${line}`;
      fits.metrics += 1;
      continue;
    }
    if (open.length === OPEN_DATAGRAMS) {
      const fullest = open.reduce((a, b) => (b.text.length > a.text.length ? b : a));
      open.splice(open.indexOf(fullest), 1);
      done(fullest);
    }
    open.push({ text: line, metrics: 1 });
  }
  open.forEach(done);
  return { datagrams, oversize };
}
