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
