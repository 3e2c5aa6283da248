/** What `top` knows of the daemon and of its terminal. */
import type { StatusDocument, TableDocument, TableHead } from '../status/document.ts';

export interface Known {
  readonly status: StatusDocument | undefined;
  readonly heads: readonly TableHead[];
  /** The answer to the question asked last. */
  readonly table: TableDocument | undefined;
  /** Why it does not answer now. */
  readonly lost: { readonly message: string; readonly sinceMs: number } | undefined;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Those that have jobs of the table's collector, and those whose rows are there. */
export function targetsOf({ status, table }: Pick<Known, 'status' | 'table'>): string[] {
  const ofJobs = status?.jobs.filter(({ collector }) => collector === table?.collector) ?? [];
  const ofRows = table?.entries ?? [];
  return [...new Set([...ofJobs, ...ofRows].map(({ target }) => target))].sort();
}
