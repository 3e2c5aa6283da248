/** argv and exit codes only. 0: done. 1: something failed. 2: wrong usage or configuration. */
import { CommanderError } from 'commander';
import { Failure } from './errors.ts';
import { buildProgram } from './program.ts';
import { printable } from './text.ts';

/** Runs a command, and ends the process: what a collector left behind (a timer, a hung read) must not hold it. */
export async function main(argv: readonly string[]): Promise<never> {
  // What ends by an empty event loop has not ended well.
  process.exitCode = 1;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that has enough (head), or a terminal that was closed, is no failure; a full disk is.
      broken ||= error.code !== 'EPIPE' && error.code !== 'EIO';
    });
  }
  let code: number;
  try {
    code = await dispatch(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      code = error.exitCode === 0 ? 0 : 2;
    } else if (error instanceof Failure && error.code === 'E_CONFIG') {
      process.stderr.write(`${error.message}\n`);
      code = 2;
    } else if (error instanceof Failure && error.code !== 'E_BUG') {
      process.stderr.write(`edgestatd: ${error.code}: ${printable(error.message)}\n`);
      code = 1;
    } else {
      process.stderr.write(
        `edgestatd: ${printable(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`,
      );
      code = 1;
    }
  }
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(code === 0 && broken ? 1 : code);
}

let broken = false;
const WRITTEN_MS = 5000;

/** Resolves when a stream has given away what it holds, or will not. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, WRITTEN_MS);
    stream.write('', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function dispatch(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = buildProgram((result) => {
    code = result;
  });
  await program.parseAsync([...argv], { from: 'user' });
  return code;
}
