/** The package's version, from package.json: beside the sources, or one level further up from dist/. */
import { readFileSync } from 'node:fs';

export const version: string = readVersion();

function readVersion(): string {
  const beside = import.meta.url.endsWith('.js') ? '../../package.json' : '../package.json';
  return (JSON.parse(readFileSync(new URL(beside, import.meta.url), 'utf8')) as { version: string }).version;
}
