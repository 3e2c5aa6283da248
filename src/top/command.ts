/** `edgestatd top`. */
import { Failure } from '../errors.ts';

export interface TopFlags {
  readonly config?: string;
  readonly table?: string;
  readonly sort?: string;
  readonly best?: boolean;
  readonly filter?: string;
  readonly target?: string;
  readonly interval: number;
  readonly lines?: number;
  readonly once?: boolean;
  readonly socket?: string;
}

/** Answers the exit code. */
export function showTop(_flags: TopFlags): Promise<number> {
  throw new Failure('E_BUG', 'top is not built yet');
}
