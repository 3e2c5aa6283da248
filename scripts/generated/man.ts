/** What is derived from the code: man pages, for the packages. */
import { version } from '../../src/version.ts';
import { commandPage } from './man-command.ts';
import { configurationPage } from './man-configuration.ts';
import { titleLine } from './roff.ts';

/** When the prose of the pages was last read by a person. */
const DATE = '2026-11-21';

/** File (from the root) → text. What they tell is that of this very code, wherever they are written. */
export function manFiles(_root: string): Map<string, string> {
  const commands = titleLine('edgestatd', 1, DATE, version, 'User commands');
  const formats = titleLine('edgestatd.yaml', 5, DATE, version, 'File formats');
  return new Map([
    ['config/man/edgestatd.1', `${commandPage(commands)}\n`],
    ['config/man/edgestatd.yaml.5', `${configurationPage(formats)}\n`],
  ]);
}
