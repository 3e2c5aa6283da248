/** Files and directories of another machine, by a shell there that stays: as src/hosts/file.ts does here. */
import { Failure } from '../errors.ts';
import type { FilePart } from '../host.ts';
import { quoted } from '../text.ts';
import { fileFailure, tooLarge } from './file.ts';
import { complaint, kindFailure, located, missing, systemError } from './ssh-complaints.ts';
import { fileScript, listScript, partScript } from './ssh-script.ts';
import type { Answer, Question } from './ssh-shell.ts';
import type { Shells } from './ssh-shells.ts';
import { within } from './target.ts';

/** What is asked of a shell, until the deadline; the letters are those of `k`. */
interface Told extends Answer {
  readonly kinds: string;
  /** That of `r`. */
  readonly status: string;
}

/** Offsets of dd(1) are in blocks. */
const BLOCK_BYTES = 4096;

export async function ask(
  shells: Shells,
  deadline: AbortSignal,
  question: Pick<Question, 'script' | 'hasStderr' | 'maxBytes'>,
  onOver: () => Failure,
): Promise<Told> {
  const { shell, release } = await shells.take(deadline);
  let kinds = '';
  let status = '';
  let over: Failure | undefined;
  // A shell that hangs in a system call is ended; there is no other way to have it stop.
  const end = (): void => shell.destroy(deadline.reason as Failure);
  deadline.addEventListener('abort', end, { once: true });
  try {
    const { answer } = shell.ask({
      ...question,
      onToken: ({ letter, text }) => {
        if (letter === 'k') kinds += text;
        else if (letter === 'r') status = text;
      },
      onOver: () => {
        over = onOver();
        shell.destroy(over);
      },
    });
    const told = await within(deadline, answer);
    return { ...told, kinds, status };
  } finally {
    deadline.removeEventListener('abort', end);
    release();
  }
}

/** The text of a whole file as UTF-8. `cut`: how much is read at most, so that what is larger costs no shell. */
export async function readWholeThere(
  shells: Shells,
  path: string,
  deadline: AbortSignal,
  maxBytes: number,
  cut?: number,
): Promise<string> {
  const reply = await ask(
    shells,
    deadline,
    { script: (marker) => fileScript(marker, path, cut), hasStderr: true, maxBytes },
    () => tooLarge(path, maxBytes),
  ).catch((thrown) => {
    throw located(thrown, path);
  });
  const failure = kindFailure(path, reply.kinds, 'fp') ?? complaint(path, reply.stderr);
  if (failure !== undefined) throw failure;
  return reply.stdout.toString('utf8');
}

export async function readPartThere(
  shells: Shells,
  path: string,
  deadline: AbortSignal,
  { offset, maxBytes }: { readonly offset: number; readonly maxBytes: number },
): Promise<FilePart> {
  const skip = Math.floor(offset / BLOCK_BYTES);
  const before = offset - skip * BLOCK_BYTES;
  const count = Math.ceil((before + maxBytes) / BLOCK_BYTES);
  const reply = await ask(
    shells,
    deadline,
    {
      script: (marker) => partScript(marker, path, skip, count),
      hasStderr: true,
      maxBytes: count * BLOCK_BYTES + 256,
    },
    () => tooLarge(path, count * BLOCK_BYTES),
  ).catch((thrown) => {
    throw located(thrown, path);
  });
  const failure = kindFailure(path, reply.kinds, 'f') ?? complaint(path, reply.stderr);
  if (failure !== undefined) throw failure;
  return partIn(path, reply.stdout, { before, offset, maxBytes });
}

/** A line `DEVICE:INODE SIZE`, and blocks. */
export function partIn(
  path: string,
  stdout: Buffer,
  { before, offset, maxBytes }: { readonly before: number; readonly offset: number; readonly maxBytes: number },
): FilePart {
  const line = stdout.indexOf('\n');
  const [, identity, digits] = /^([0-9]+:[0-9]+) ([0-9]+)$/.exec(stdout.toString('latin1', 0, Math.max(0, line))) ?? [];
  if (identity === undefined) {
    throw new Failure('E_PARSE', `${quoted(path)}: stat(1) did not tell its size and inode`, { path });
  }
  const size = Number(digits);
  const wanted = Math.max(0, Math.min(maxBytes, size - offset));
  const from = line + 1 + before;
  // The file may have grown since its size was read: what came then belongs to the next part.
  return { bytes: Buffer.from(stdout.subarray(from, from + wanted)), size, identity };
}

export async function listThere(
  shells: Shells,
  path: string,
  deadline: AbortSignal,
  maxBytes: number,
): Promise<string[]> {
  const { stdout, kinds } = await ask(
    shells,
    deadline,
    { script: (marker) => listScript(marker, path), hasStderr: false, maxBytes },
    () => new Failure('E_OUTPUT_SIZE', `the names in ${quoted(path)} take more than ${maxBytes} bytes`, { path }),
  ).catch((thrown) => {
    throw located(thrown, path);
  });
  if (!kinds.startsWith('d')) throw kindFailure(path, kinds, '') ?? missing(path);
  // It went away while it was read, as that of a process that ends: nothing in it is known.
  if (kinds.endsWith('n')) throw missing(path);
  const names = stdout
    .toString('utf8')
    .split('\0')
    .filter((one) => one !== '')
    .map((one) => one.slice(path.length + 1));
  if (names.length === 0 && kinds === 'dx') throw fileFailure(path, systemError('EACCES', 'Permission denied'));
  return names.filter((name) => name !== '.' && name !== '..').toSorted();
}
