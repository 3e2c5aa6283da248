/** What is derived from the code: dashboards and alert rules. */

/** File (from the root) → text. */
export function dashboardsFiles(_root: string): Map<string, string> {
  return new Map();
}
