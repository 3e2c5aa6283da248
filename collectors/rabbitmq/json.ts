/**
 * Fields of JSON that nobody promises: whatever does not have the form that is documented is unknown, and no error.
 * Old brokers write `[]` for an empty object, `""` or null for no number, and words where there is no number.
 */
export type Fields = Readonly<Record<string, unknown>>;

/** An object's own fields; of anything else there are none. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : none;
}

const none: Fields = Object.freeze({});

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/** A finite number that is not negative: what is counted, or an amount. */
export function amount(fields: Fields, key: string): number | undefined {
  const value = own(fields, key);
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

export function textIn(fields: Fields, key: string): string | undefined {
  const value = own(fields, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function flagIn(fields: Fields, key: string): boolean | undefined {
  const value = own(fields, key);
  return typeof value === 'boolean' ? value : undefined;
}

/** Their sum, where at least one is known: the broker leaves out what never happened. */
export function sumOf(fields: Fields, ...keys: readonly string[]): number | undefined {
  const known = keys.map((key) => amount(fields, key)).filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}
