/** Many small files of another machine in one question, as src/hosts/file-many.ts reads them here. */
import { randomBytes } from 'node:crypto';
import { Failure } from '../errors.ts';
import { tooLarge } from './file.ts';
import { SMALL_BYTES } from './file-many.ts';
import { complaint, kindFailure } from './ssh-complaints.ts';
import { ask, readWholeThere } from './ssh-files.ts';
import { filesScript } from './ssh-script.ts';
import type { Shells } from './ssh-shells.ts';

/** Of paths in one question: cat(1) gets them as words, of which Linux takes 128 KiB at the least. */
const MAX_WORDS_BYTES = 100_000;
const NEWLINE = 0x0a;
/** What a cat of all might wait for without end: FIFOs and devices. */
const ODD = /[po]/;

/** The text of each small file, or why there is none. */
export async function readManyThere(
  shells: Shells,
  paths: readonly string[],
  deadline: AbortSignal,
): Promise<(string | Failure)[]> {
  const texts: (string | Failure)[] = [];
  for (let from = 0; from < paths.length; ) {
    let to = from;
    for (let bytes = 0; to < paths.length && (to === from || bytes < MAX_WORDS_BYTES); to++) {
      bytes += 4 * (paths[to]?.length ?? 0) + 20;
    }
    texts.push(...(await readSome(shells, paths.slice(from, to), deadline)));
    from = to;
  }
  return texts;
}

async function readSome(
  shells: Shells,
  paths: readonly string[],
  deadline: AbortSignal,
): Promise<(string | Failure)[]> {
  const separator = randomBytes(16).toString('hex');
  // One that is too large is found by asking one by one.
  const maxBytes = 1024 * 1024 + paths.length * 8192;
  const over = new Failure('E_OUTPUT_SIZE', 'some of the files are large');
  const reply = await ask(
    shells,
    deadline,
    { script: (marker) => filesScript(marker, separator, paths), hasStderr: false, maxBytes },
    () => over,
  ).catch((thrown) => {
    if (thrown === over) return undefined;
    throw thrown;
  });
  const kinds = reply?.stdout.toString('latin1', 0, Math.max(0, reply.stdout.indexOf('\n'))) ?? '';
  const together =
    reply && parts(reply.stdout.subarray(kinds.length + 1), `E=${separator}\0`, paths, kinds, reply.status);
  if (together !== undefined) return together;
  const odd = paths.filter((_, at) => ODD.test(kinds.charAt(at)));
  const isPart = kinds.length === paths.length && odd.length > 0;
  const even = isPart ? paths.filter((_, at) => !ODD.test(kinds.charAt(at))) : [];
  const read = even.length === 0 ? [] : await readSome(shells, even, deadline);
  const texts: (string | Failure)[] = [];
  let next = 0;
  for (const [at, path] of paths.entries()) {
    const one = isPart && !ODD.test(kinds.charAt(at)) ? read[next++] : undefined;
    texts.push(one ?? (await readOne(shells, path, deadline)));
  }
  return texts;
}

async function readOne(shells: Shells, path: string, deadline: AbortSignal): Promise<string | Failure> {
  try {
    return whole(path, Buffer.from(await readWholeThere(shells, path, deadline, 2 * SMALL_BYTES, SMALL_BYTES + 1)));
  } catch (thrown) {
    deadline.throwIfAborted();
    if (thrown instanceof Failure && thrown.evidence.path === path) return thrown;
    throw thrown;
  }
}

/** `kinds`: a letter for each. Undefined: they were not read together. */
function parts(
  contents: Buffer,
  separator: string,
  paths: readonly string[],
  kinds: string,
  status: string,
): (string | Failure)[] | undefined {
  if (kinds.length !== paths.length) return undefined;
  const texts: (string | Failure)[] = [];
  let from = 0;
  for (const [at, path] of paths.entries()) {
    const to = contents.indexOf(separator, from, 'latin1');
    if (to < 0) return undefined;
    const bytes = contents.subarray(from, to);
    texts.push(kindFailure(path, kinds.charAt(at), 'f') ?? complaintIn(path, bytes, status) ?? whole(path, bytes));
    from = to + separator.length;
  }
  return from === contents.length ? texts : undefined;
}

/** What cat(1) could not read it says of, in the place of the content or at its end; then it ends with another status. */
function complaintIn(path: string, bytes: Buffer, status: string): Failure | undefined {
  if (status === '0' || bytes.at(-1) !== NEWLINE) return undefined;
  const text = bytes.toString('utf8');
  // GNU quotes what is odd in a name; BusyBox has words of its own, and none for the name where a read failed.
  const forms = [`cat: ${path}: `, `cat: can't open '${path}': `, 'cat: read error: '];
  const at = /[^\w./:@%+,=-]/.test(path)
    ? text.search(/(?<![^\n])cat: /)
    : Math.max(...forms.map((form) => text.lastIndexOf(form)));
  return at < 0 ? undefined : complaint(path, text.slice(at, -1), true);
}

function whole(path: string, bytes: Buffer): string | Failure {
  return bytes.length > SMALL_BYTES ? tooLarge(path, SMALL_BYTES) : bytes.toString('utf8');
}
