/**
 * Trees that are older than this job's sight of them: their device was renamed to one that is asked for, or is known to
 * tc by another name now. A tree that is seen for the first time is otherwise as young as it looks, since none outlives
 * the move of its device from another network namespace.
 */
import type { Host, Kept } from '../../src/collector.ts';
import { identityOf, identityOfTree, type Tree } from './tree.ts';
import type { Trees } from './trees.ts';

/** A device with a tree, as one run saw it. */
interface Sight {
  readonly sentBytes: number;
  /** Its classes are among what the job has told. */
  readonly told: boolean;
}

interface Memory extends Kept {
  source: Trees['source'];
  /** By identity; undefined: there was no run before. */
  sights: ReadonlyMap<string, Sight> | undefined;
}

/**
 * Whether a tree is old: its totals of this run are where counting begins, and no increments. To be asked for once in
 * each run, and not in one that is too late to be believed; in the first one no tree is old.
 */
export function oldTrees(host: Host, options: object, forest: Trees): (tree: Tree) => boolean {
  const { source, trees, shaped, problems } = forest;
  const fresh = (): Memory => ({ source, sights: undefined, close() {} });
  const memory = host.keep<Memory>(`htb trees ${JSON.stringify(options)}`, fresh);
  const before = memory.sights;
  const isOtherSource = memory.source !== source;
  const read = new Set(trees.map(identityOfTree));
  const sights = new Map<string, Sight>();
  for (const record of shaped) {
    const identity = identityOf(record);
    const { device } = record;
    const sentBytes = (sights.get(identity)?.sentBytes ?? 0) + Number(record.sentBytes ?? 0);
    // What could not be read is as known as before; a problem without labels may be that of any device.
    const isUnread = problems.some(({ evidence: { labels } }) => labels === undefined || labels.device === device);
    const told = read.has(identity) || (isUnread && before?.get(identity)?.told === true);
    sights.set(identity, { sentBytes, told });
  }
  memory.source = source;
  memory.sights = sights;
  if (before === undefined) return () => false;
  const least = source === 'tc' ? leastOfVanished(before, sights) : Number.POSITIVE_INFINITY;
  return (tree) => {
    if (isOtherSource) return true;
    const identity = identityOfTree(tree);
    const sight = before.get(identity);
    return sight === undefined ? (sights.get(identity)?.sentBytes ?? 0) >= least : !sight.told;
  };
}

/**
 * A new name may be that of a tree that has vanished under another, and has not sent less since. One that has sent less
 * than before has vanished too: its name is now that of another tree.
 */
function leastOfVanished(before: ReadonlyMap<string, Sight>, now: ReadonlyMap<string, Sight>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const [identity, { sentBytes }] of before) {
    const there = now.get(identity);
    if (there === undefined || there.sentBytes < sentBytes) least = Math.min(least, sentBytes);
  }
  return least;
}
