/** What is derived from the code: dashboards and alert rules. */
import { alertsOf } from '../dashboards/alerts.ts';
import { dashboardsOf } from '../dashboards/all.ts';
import { catalogueOf, declared } from '../dashboards/catalogue.ts';
import { generatedFiles } from '../dashboards/files.ts';
import { pages } from '../dashboards/pages.ts';

/** File (from the root) → text. */
export function dashboardsFiles(_root: string): Map<string, string> {
  return generatedFiles(catalogueOf(declared));
}

/** File (from the root) → marker in it → text. */
export function dashboardsPages(): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const catalogue = catalogueOf(declared);
  return pages(dashboardsOf(catalogue), alertsOf(catalogue));
}
