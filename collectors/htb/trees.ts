/** The class trees of a machine's devices, by netlink or by tc(8): the same records, whichever it was. */
import type { Host } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import { matcher } from '../../src/text.ts';
import { readByNetlink } from './by-netlink.ts';
import { readByTc } from './by-tc.ts';
import type { Survey } from './tree.ts';

export const sources = ['auto', 'netlink', 'tc'] as const;

export interface TreeOptions {
  readonly source: (typeof sources)[number];
  readonly devices: readonly string[];
  readonly exclude: readonly string[];
}

export interface Trees extends Survey {
  /** Which source it was. */
  readonly source: 'netlink' | 'tc';
}

export async function readTrees(host: Host, options: TreeOptions): Promise<Trees> {
  const included = matcher(options.devices);
  const excluded = matcher(options.exclude);
  const wanted = (device: string): boolean => included(device) && !excluded(device);
  if (options.source !== 'tc') {
    try {
      return { ...(await readByNetlink(host, wanted)), source: 'netlink' };
    } catch (thrown) {
      // Not this machine, or no koffi: tc knows the same.
      if (options.source === 'netlink' || asFailure(thrown).code !== 'E_NOT_FOUND') throw thrown;
    }
  }
  const asker = JSON.stringify([options.devices, options.exclude]);
  return { ...(await readByTc(host, wanted, asker)), source: 'tc' };
}
