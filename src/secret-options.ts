/** Options of a collector that are secrets: the configuration may only say where they are. Pure. */
import { z } from 'zod';

type Path = readonly (string | number)[];

export interface SecretFault {
  /** Below the options. */
  readonly path: Path;
  /** Never with the value. */
  readonly message: string;
}

/** Not one with a default, which would stand in the file. */
const REFERENCE = /^\$\{(?:env|credential):(?![^{}]*:-[^{}])[^{}]+\}$/;

/** Secrets that stand in the file itself. `raw`: the options as they are written there, references unresolved. */
export function secretFaults(schema: z.ZodType, raw: unknown, path: Path = []): SecretFault[] {
  if (raw === undefined || raw === null) return [];
  if (isSecret(schema)) return typeof raw === 'string' && REFERENCE.test(raw) ? [] : [{ path, message: advice(path) }];
  // A plugin may bring something else that parses.
  const def = schema._zod?.def as unknown as Record<string, unknown> | undefined;
  if (def === undefined) return [];
  const below = (next: unknown, value: unknown, key: string | number): SecretFault[] =>
    secretFaults(next as z.ZodType, value, [...path, key]);
  const wrapped = def.innerType ?? (def.type === 'pipe' ? def.in : undefined);
  if (wrapped !== undefined) return secretFaults(wrapped as z.ZodType, raw, path);
  if (def.type === 'union') {
    // A map that may stand instead of a secret is none.
    const fitting = (def.options as z.ZodType[]).filter((option) => !isSecret(option) || typeof raw !== 'object');
    const all = fitting.flatMap((option) => secretFaults(option, raw, path));
    return [...new Map(all.map((fault) => [JSON.stringify(fault.path), fault])).values()];
  }
  if (Array.isArray(raw)) {
    return def.type === 'array' ? raw.flatMap((item, index) => below(def.element, item, index)) : [];
  }
  if (typeof raw !== 'object') return [];
  const shape = def.type === 'object' ? (def.shape as Readonly<Record<string, unknown>>) : {};
  return Object.entries(raw).flatMap(([key, value]) => {
    const next = def.type === 'record' ? def.valueType : Object.hasOwn(shape, key) ? shape[key] : undefined;
    return next === undefined ? [] : below(next, value, key);
  });
}

/** A schema's complaints without those of secrets, which would show them. */
export function unshown(error: z.ZodError, faults: readonly SecretFault[]): z.ZodError {
  const hidden = new Set(faults.map(({ path }) => JSON.stringify(path)));
  return new z.ZodError(error.issues.filter(({ path }) => !hidden.has(JSON.stringify(path))));
}

function isSecret(schema: z.ZodType): boolean {
  return (schema.meta?.() as { readonly secret?: unknown } | undefined)?.secret === true;
}

function advice(path: Path): string {
  const name = path.findLast((key) => typeof key === 'string') ?? 'secret';
  return `is a secret, and not one for this file; expected \${env:NAME}, \${credential:NAME}, or its file as "${name}File"`;
}
