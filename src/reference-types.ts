/** A value that is one whole reference takes the type that its schema wants: `port: ${env:STATSD_PORT}`. Pure. */
import type { z } from 'zod';
import type { Reference, ReferencePath } from './references.ts';

export interface TypedParse<Value> {
  readonly parsed: z.ZodSafeParseResult<Value>;
  /** References that do not fit, each once; never with what they stand for. Paths as those of a ZodError. */
  readonly faults: readonly { readonly path: ReferencePath; readonly message: string }[];
  /** Those that became a number or a boolean: no secrets. */
  readonly typed: readonly Reference[];
}

/** What a schema wants instead of a text. */
type Wanted = 'number' | 'boolean' | number | boolean;

interface Want {
  readonly path: readonly PropertyKey[];
  readonly wanted: Wanted;
  /** A text might do as well there. */
  readonly isChoice: boolean;
  /** Of a union whose other branches zod does not tell of. */
  readonly isGuess?: boolean;
}

const GUESSES: readonly Wanted[] = ['number', 'boolean'];

/** Parses `value`, which stands at `above` in the document; texts that the schema refuses are converted strictly. */
export function parseTyped<Value>(
  schema: z.ZodType<Value>,
  value: unknown,
  references: readonly Reference[],
  above: ReferencePath = [],
): TypedParse<Value> {
  const whole = new Map(references.filter(({ isWhole }) => isWhole).map((one) => [keyOf(one.path), one]));
  const faults = new Map<string, TypedParse<Value>['faults'][number]>();
  const tried = new Set<string>();
  const typed: Reference[] = [];
  let current = value;
  // Each round tries at least one reference that was not tried: what a conversion uncovers may want another.
  for (;;) {
    const parsed = schema.safeParse(current);
    if (parsed.success || whole.size === 0) return { parsed, faults: [...faults.values()], typed };
    const wants = Map.groupBy(wantsIn(parsed.error.issues, [], false), ({ path }) => keyOf([...above, ...path]));
    const open = [...wants].filter(([key]) => whole.has(key) && !tried.has(key));
    if (open.length === 0) return { parsed, faults: [...faults.values()], typed };
    for (const [key, choices] of open) {
      tried.add(key);
      const reference = whole.get(key);
      const [first] = choices;
      if (reference === undefined || first === undefined) continue;
      const path = first.path as ReferencePath;
      const next = choices
        .map(({ wanted }) => converted(reference.text, wanted))
        .filter((one) => one !== undefined)
        .map((one) => replaced(current, path, one))
        .find((one) => !first.isGuess || !isRefused(schema, one, path));
      if (next !== undefined) {
        typed.push(reference);
        current = next;
      } else if (!first.isChoice) {
        const form = first.wanted === 'number' ? 'a number in decimal digits' : 'true or false';
        const was = reference.text === '' ? 'is empty' : 'holds something else';
        faults.set(key, { path, message: `expected ${form}; ${reference.source} ${was}` });
      }
    }
  }
}

function isRefused(schema: z.ZodType, value: unknown, path: ReferencePath): boolean {
  const { error } = schema.safeParse(value);
  return error?.issues.some((issue) => keyOf(issue.path) === keyOf(path)) === true;
}

function keyOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path);
}

/** Issues of zod that a number or a boolean instead of a text might mend. */
function wantsIn(
  issues: readonly z.core.$ZodIssue[],
  above: readonly PropertyKey[],
  isChoice: boolean,
): readonly Want[] {
  return issues.flatMap((issue): readonly Want[] => {
    const path = [...above, ...issue.path];
    if (issue.code === 'invalid_union') return issue.errors.flatMap((branch) => wantsIn(branch, path, true));
    if (issue.code === 'invalid_value')
      return issue.values
        .filter((one) => typeof one === 'number' || typeof one === 'boolean')
        .map((wanted) => ({ path, wanted, isChoice: true }));
    // A union tells only of the branch that takes texts, where there is one and it takes others.
    if (issue.code === 'invalid_format' || issue.code === 'custom')
      return GUESSES.map((wanted) => ({ path, wanted, isChoice: true, isGuess: true }));
    if (issue.code !== 'invalid_type') return [];
    if (issue.expected === 'number' || issue.expected === 'int') return [{ path, wanted: 'number', isChoice }];
    return issue.expected === 'boolean' ? [{ path, wanted: 'boolean', isChoice }] : [];
  });
}

const DECIMAL = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;

function converted(text: string, wanted: Wanted): number | boolean | undefined {
  if (wanted === 'number') return DECIMAL.test(text) ? Number(text) : undefined;
  if (wanted === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  return text === String(wanted) ? wanted : undefined;
}

/** A copy of `node` with another value at a path that is there. */
function replaced(node: unknown, [key, ...rest]: ReferencePath, value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(node)) return node.map((item, index) => (index === key ? replaced(item, rest, value) : item));
  const map = node as Readonly<Record<string, unknown>>;
  return { ...map, [key]: replaced(map[key], rest, value) };
}
