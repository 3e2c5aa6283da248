/** Two readings a second apart, and what happened in between. */
import type { Host } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import type { ClassRecord } from './record.ts';
import { readTrees, type TreeOptions, type Trees } from './trees.ts';

export interface Live {
  readonly trees: Trees;
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

/** The machine's own clock and its own pause: a collector has neither, and the machine may be another one. */
export async function readLive(host: Host, options: TreeOptions): Promise<Live> {
  const first = await readTrees(host, options);
  const before = await uptime(host);
  try {
    await host.run(['sleep', '1']);
  } catch (thrown) {
    return { trees: first, since: () => undefined, problems: [asFailure(thrown)] };
  }
  const [after, second] = [await uptime(host), await readTrees(host, options)];
  const seconds = before === undefined || after === undefined ? 1 : after - before;
  const old = new Map<string, ClassRecord>();
  for (const { device, classes } of first.trees) for (const one of classes) old.set(`${device} ${one.handle}`, one);
  return {
    trees: second,
    problems: [],
    since(device, record) {
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
    },
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
