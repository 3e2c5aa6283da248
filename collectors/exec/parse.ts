/** What a program printed → values, by its format. Pure. */
import { parseGraphite } from './graphite-lines.ts';
import { parseJson } from './json-array.ts';
import { parsePerfdata } from './perfdata.ts';
import type { Printed } from './record.ts';

export const formats = ['nagios', 'graphite', 'json'] as const;
export type Format = (typeof formats)[number];

/** `E_PARSE` where nothing of the text can be told apart. `atMs`: when the run began. */
export function parsePrinted(format: Format, stdout: string, atMs: number): Printed {
  if (format === 'graphite') return parseGraphite(stdout, atMs);
  return format === 'json' ? parseJson(stdout) : parsePerfdata(stdout);
}
