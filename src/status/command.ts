/** `edgestatd status`. */
import { Failure } from '../errors.ts';

export interface StatusFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly healthy?: boolean;
  readonly socket?: string;
}

/** Answers the exit code. */
export function showStatus(_flags: StatusFlags): Promise<number> {
  throw new Failure('E_BUG', 'status is not built yet');
}
