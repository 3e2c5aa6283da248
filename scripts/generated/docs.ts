/** What is derived from the code: reference pages below docs/. */
import { metricsPage } from './metrics-page.ts';
import { optionsPage } from './options-page.ts';

/** File (from the root) → text. */
export function docsFiles(_root: string): Map<string, string> {
  return new Map([
    ['docs/metrics.md', metricsPage()],
    ['docs/options.md', optionsPage()],
  ]);
}
