/** What a reload keeps: what has the settings that it had. */

export interface Kept<Value> {
  readonly settings: string;
  readonly value: Value;
}

/** Opens what is new or has other settings, and keeps the rest as it is. */
export function keep<Settings, Value>(
  old: ReadonlyMap<string, Kept<Value>>,
  wanted: readonly Settings[],
  keyOf: (settings: Settings) => string,
  open: (settings: Settings) => Value,
): { readonly kept: Map<string, Kept<Value>>; readonly dropped: Value[] } {
  const kept = new Map<string, Kept<Value>>();
  for (const one of wanted) {
    const key = keyOf(one);
    const settings = JSON.stringify(one);
    const before = old.get(key);
    kept.set(key, before?.settings === settings ? before : { settings, value: open(one) });
  }
  const dropped = [...old].filter(([key, { value }]) => kept.get(key)?.value !== value).map(([, { value }]) => value);
  return { kept, dropped };
}
