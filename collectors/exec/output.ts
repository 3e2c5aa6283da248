/** Runs the program, and tells its answer from its failure. */
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import type { ExecOptions } from './options.ts';
import { parsePrinted } from './parse.ts';
import { partsOf } from './perfdata.ts';
import type { Printed } from './record.ts';

/** OK, WARNING, CRITICAL, UNKNOWN. */
const STATUSES = [0, 1, 2, 3];
/** Of what is looked at: 20,000 values have room in it, and a flood does not take the memory of all other jobs. */
const MAX_LENGTH = 4 * 1024 * 1024;

export interface Output extends Printed {
  /** Of a plugin: 0 to 3. */
  readonly status: number | undefined;
  /** The first line, without perfdata. */
  readonly said: string;
}

/** All failures of `host.outcome`, and `E_PARSE`: what it printed is not of its format. */
export async function readOutput(
  host: Host,
  { command, format }: Pick<ExecOptions, 'command' | 'format'>,
  atMs: number,
): Promise<Output> {
  // At least one word is in it, by its schema.
  const argv = command as readonly string[] as Parameters<Host['outcome']>[0];
  const isPlugin = format === 'nagios';
  const { status, stdout, stderr } = await host.outcome(argv, isPlugin ? STATUSES : [0]);
  // A plugin prints a line. A script that broke, or sudo, ends with 1 too, and that is no warning.
  if (isPlugin && stdout.trim() === '') {
    const heard = stderr === '' ? '' : `: ${quoted(stderr.split('\n', 1)[0] ?? '', 200)}`;
    const message = `${argv[0]} ended with status ${status} and printed nothing; a plugin prints a line${heard}`;
    throw new Failure('E_PARSE', message, { argv, exitCode: status, stderr });
  }
  if (stdout.length > MAX_LENGTH)
    throw new Failure('E_OUTPUT_SIZE', `${argv[0]} printed more than ${MAX_LENGTH} characters`, { argv });
  const printed = parsePrinted(format, stdout, atMs);
  return { ...printed, status: isPlugin ? status : undefined, said: partsOf(stdout).said };
}
