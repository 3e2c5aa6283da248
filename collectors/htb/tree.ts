/** What was read of the devices' trees. */
import type { Failure } from '../../src/errors.ts';
import type { ClassRecord, QdiscRecord } from './record.ts';

export interface Tree {
  readonly device: string;
  /** Its HTB and HFSC qdiscs. */
  readonly qdiscs: readonly QdiscRecord[];
  readonly classes: readonly ClassRecord[];
}

export interface Forest {
  readonly trees: readonly Tree[];
  /** Wanted devices that are there and have no tree; none while it is not certain. */
  readonly bare: readonly string[];
  readonly problems: readonly Failure[];
}

/** A forest, and what stands around it. */
export interface Survey extends Forest {
  /** The HTB and HFSC qdiscs of all devices, of those too that are not wanted or could not be read. */
  readonly shaped: readonly QdiscRecord[];
}

/**
 * What remains the same while a device is renamed: its index, where the source tells it (`#7`), else its name. Index and
 * name are the kernel's own, and a tree does not outlive the move of its device to another network namespace.
 */
export function identityOf({ ifindex, device }: Pick<QdiscRecord, 'ifindex' | 'device'>): string {
  return ifindex === undefined ? (device ?? '') : `#${ifindex}`;
}

/** The same of a tree; one without qdiscs has nothing that counts. */
export function identityOfTree({ device, qdiscs: [first] }: Tree): string {
  return identityOf(first ?? { ifindex: undefined, device });
}
