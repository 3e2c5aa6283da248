/** What a collector sends without options. */
import type { Collector } from '../../src/collector.ts';
import { matcher } from '../../src/text.ts';

/** What the default of `include` matches, or everything where there is no such option. */
export function isDefault(collector: Collector): (name: string) => boolean {
  // One that must be told something has no defaults to look at.
  const { include } = (collector.options.safeParse({}).data ?? {}) as { readonly include?: unknown };
  return Array.isArray(include) ? matcher(include.map(String)) : () => true;
}
