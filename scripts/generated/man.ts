/** What is derived from the code: man pages, for the packages. */

/** File (from the root) → text. */
export function manFiles(_root: string): Map<string, string> {
  return new Map();
}
