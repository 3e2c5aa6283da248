/** What is derived from the code: reference pages below docs/. */

/** File (from the root) → text. */
export function docsFiles(_root: string): Map<string, string> {
  return new Map();
}
