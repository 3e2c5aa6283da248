/** The file of an import, as a stream of its bytes. */
import { constants, createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Failure, systemCode } from '../../errors.ts';
import { quoted } from '../../text.ts';

export interface ImportInput {
  /** Rejects with a Failure. */
  readonly bytes: AsyncIterable<Buffer>;
  /** Undefined: nobody knows before its end. */
  readonly totalBytes: number | undefined;
  /** Until now. */
  readonly readBytes: () => number;
}

/** `-` is standard input. `E_NOT_FOUND E_DENIED E_CONNECT` */
export async function openImport(path: string, stdin: NodeJS.ReadableStream = process.stdin): Promise<ImportInput> {
  const name = path === '-' ? 'standard input' : quoted(path);
  try {
    if (path === '-') return counted(stdin as unknown as AsyncIterable<Buffer>, undefined, name);
    const file = await open(path, constants.O_RDONLY);
    const stat = await file.stat();
    if (stat.isDirectory()) {
      await file.close();
      throw new Failure('E_NOT_FOUND', `${name} is a directory; expected a file of JSON lines or CSV, or --git`);
    }
    // A pipe, as of <(…), has no size.
    const total = stat.isFile() ? stat.size : undefined;
    return counted(createReadStream('', { fd: file, highWaterMark: 256 * 1024 }), total, name);
  } catch (thrown) {
    throw told(thrown, name);
  }
}

function counted(input: AsyncIterable<Buffer | string>, totalBytes: number | undefined, name: string): ImportInput {
  let read = 0;
  async function* bytes(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of input) {
        const piece = Buffer.from(chunk as Buffer);
        read += piece.length;
        yield piece;
      }
    } catch (thrown) {
      throw told(thrown, name);
    }
  }
  return { bytes: bytes(), totalBytes, readBytes: () => read };
}

function told(thrown: unknown, name: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const details = { cause: thrown };
  switch (systemCode(thrown)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new Failure('E_NOT_FOUND', `${name} does not exist`, details);
    case 'EACCES':
    case 'EPERM':
      return new Failure('E_DENIED', `${name} may not be read by this user`, details);
    default:
      return new Failure('E_CONNECT', `${name} could not be read: ${(thrown as Error).message}`, details);
  }
}
