/** What pid files say: the number of a process, or that there is none, or nothing that can be told. */
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import type { Wanted } from './options.ts';
import { pidIn } from './parse.ts';

/** `none`: there is no such file, as after an orderly end. */
export type PidFile = number | 'none' | Failure;

/** By the number of what is looked for; those without a pid file are left out. */
export async function readPidFiles(host: Host, wanted: readonly Wanted[]): Promise<ReadonlyMap<number, PidFile>> {
  const asked = wanted.flatMap(({ pidFile }, index) => (pidFile === undefined ? [] : [{ index, path: pidFile }]));
  const texts = asked.length === 0 ? [] : await host.readFiles(asked.map(({ path }) => path));
  return new Map(asked.map(({ index, path }, at) => [index, pidFileOf(path, texts[at])]));
}

function pidFileOf(path: string, text: string | Failure | undefined): PidFile {
  if (text instanceof Failure || text === undefined)
    return text === undefined || text.code === 'E_NOT_FOUND' ? 'none' : text;
  const pid = pidIn(text);
  if (pid !== undefined) return pid;
  const found = text.trim() === '' ? 'is empty' : `holds ${quoted(text.trim(), 40)}`;
  return new Failure('E_PARSE', `pid file ${quoted(path)} ${found}; expected a process id in its first line`, { path });
}
