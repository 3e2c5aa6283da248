/** Two readings a second apart, and what happened in between. */
import type { Host } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import type { ClassRecord } from './record.ts';
import type { Forest } from './tree.ts';
import { readTrees, type TreeOptions } from './trees.ts';

/** A problem without the label `device` is about all of them. */
type Reading = Pick<Forest, 'trees' | 'problems'>;

export interface Live {
  /** The later reading; without a tree where nothing could be read. */
  readonly reading: Reading;
  /** What a class did within the time; undefined: it cannot be told. */
  since(device: string, record: ClassRecord): Activity | undefined;
  readonly problems: readonly Failure[];
}

export interface Activity {
  readonly seconds: number;
  readonly bitsPerSecond: number;
  /** Of the ceiling. */
  readonly utilisation: number | undefined;
  readonly droppedPackets: number | undefined;
  readonly borrowedPackets: number | undefined;
}

/** A reading, and when it began. */
interface Look {
  readonly at: number | undefined;
  readonly reading: Reading;
}

/**
 * Reads all devices, whichever a job leaves out: what was not looked at is not missing. The machine's own clock and its
 * own pause: a collector has neither, and the machine may be another one.
 */
export async function readLive(host: Host, { source }: Pick<TreeOptions, 'source'>): Promise<Live> {
  const look = async (): Promise<Look> => {
    const at = await uptime(host);
    return { at, reading: await readTrees(host, { source, devices: ['*'], exclude: [] }) };
  };
  let first: Look;
  try {
    first = await look();
  } catch (thrown) {
    return { reading: { trees: [], problems: [asFailure(thrown)] }, since: () => undefined, problems: [] };
  }
  try {
    await host.run(['sleep', '1']);
    const second = await look();
    return { reading: second.reading, problems: [], since: sinceIn(first, second) };
  } catch (thrown) {
    return { reading: first.reading, since: () => undefined, problems: [asFailure(thrown)] };
  }
}

function sinceIn(first: Look, second: Look): Live['since'] {
  const seconds = first.at === undefined || second.at === undefined ? 1 : second.at - first.at;
  const old = new Map<string, ClassRecord>();
  for (const { device, classes } of first.reading.trees) {
    for (const one of classes) old.set(`${device} ${one.handle}`, one);
  }
  return (device, record) => {
    const was = old.get(`${device} ${record.handle}`);
    const bytes = was === undefined ? undefined : grown(was.sentBytes, record.sentBytes);
    if (was === undefined || bytes === undefined || seconds <= 0) return undefined;
    const bitsPerSecond = (bytes * 8) / seconds;
    const ceil = record.ceil?.bitsPerSecond;
    return {
      seconds,
      bitsPerSecond,
      utilisation: ceil === undefined || ceil === 0 ? undefined : bitsPerSecond / ceil,
      droppedPackets: grown(was.dropped, record.dropped),
      borrowedPackets: grown(was.borrowed, record.borrowed),
    };
  };
}

/** A counter that fell belongs to another class by now, or wrapped: not worth a guess over one second. */
function grown(before: number | bigint | undefined, after: number | bigint | undefined): number | undefined {
  if (before === undefined || after === undefined || after < before) return undefined;
  return Number(BigInt(after) - BigInt(before));
}

/** Seconds since the machine began (proc(5)). */
async function uptime(host: Host): Promise<number | undefined> {
  try {
    const text = await host.readFile('/proc/uptime');
    const seconds = Number.parseFloat(text);
    return Number.isFinite(seconds) ? seconds : undefined;
  } catch {
    return undefined;
  }
}
