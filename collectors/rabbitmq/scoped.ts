import { Failure } from '../../src/errors.ts';

/** The failure as a problem that leaves what has these labels unknown, and nothing else. */
export function scoped(failure: Failure, labels: Readonly<Record<string, string | undefined>>): Failure {
  const { code, message, evidence } = failure;
  return new Failure(code, message, { ...evidence, labels, cause: failure });
}

/** Labels of a problem that leaves nothing unknown. */
export const NOTHING = { scope: 'none' } as const;
