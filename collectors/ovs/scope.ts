/** What a problem leaves unknown, and how one source's failure becomes a problem beside the others' numbers. */
import { asFailure, Failure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';

/** Every label of this collector's metrics. */
const LABELS = [
  ...['bridge', 'port', 'interface', 'controller', 'role', 'state', 'error', 'manager', 'datapath', 'daemon'],
  ...['facility', 'event', 'table', 'match', 'type', 'version'],
] as const;

export type Label = (typeof LABELS)[number];
export type Scope = Readonly<Partial<Record<Label, string | undefined>>>;

/** All series that have none but these labels, and these values. */
export function only(labels: readonly Label[], exact: Scope = {}): Scope {
  const others = LABELS.filter((label) => !labels.includes(label) && !(label in exact));
  return { ...Object.fromEntries(others.map((label) => [label, undefined])), ...exact };
}

/** What one source gave. */
export interface Part {
  readonly samples: readonly Sample[];
  readonly problems: readonly Failure[];
}

export const nothing: Part = { samples: [], problems: [] };

export function joined(parts: readonly Part[]): Part {
  return { samples: parts.flatMap(({ samples }) => samples), problems: parts.flatMap(({ problems }) => problems) };
}

/** The same failure, with what it leaves unknown. */
export function problem(thrown: unknown, scope: Scope, about = ''): Failure {
  const { code, message, evidence } = asFailure(thrown);
  return new Failure(code, `${about}${message}`, { ...evidence, labels: scope, cause: thrown });
}

/** What a source gives; when it fails, a problem with its scope. */
export async function attempt(scope: Scope, about: string, read: () => Promise<readonly Sample[]>): Promise<Part> {
  try {
    return { samples: await read(), problems: [] };
  } catch (thrown) {
    return { samples: [], problems: [problem(thrown, scope, about)] };
  }
}
