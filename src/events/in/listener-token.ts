/** Who may hand in events over HTTP: who has the token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../errors.ts';
import { readWhole } from '../../hosts/file.ts';
import { quoted } from '../../text.ts';

export interface TokenOptions {
  readonly token?: string | undefined;
  /** Read at each request, so that one that is renewed counts at once. */
  readonly tokenFile?: string | undefined;
}

const MAX_FILE_BYTES = 64 * 1024;
const READ_MS = 2000;

/** Whether the header has the token. Where its file cannot be read or is empty, nobody has: it rejects with a Failure. */
export async function isAllowed(header: string | undefined, { token, tokenFile }: TokenOptions): Promise<boolean> {
  if (token === undefined && tokenFile === undefined) return true;
  const wanted = token ?? (await tokenOf(tokenFile ?? ''));
  const [, given] = /^Bearer +(\S+) *$/i.exec(header ?? '') ?? [];
  // Hashes are of one length, and tell nothing of how far two texts agree.
  return given !== undefined && timingSafeEqual(hash(given), hash(wanted));
}

async function tokenOf(path: string): Promise<string> {
  const text = await readWhole(path, AbortSignal.timeout(READ_MS), MAX_FILE_BYTES).answer;
  const token = text.trim();
  if (token === '') throw new Failure('E_NOT_FOUND', `${quoted(path)} is empty; expected the token in it`, { path });
  // It could not stand in a header, so that nobody could have it.
  if (/\s/.test(token)) throw new Failure('E_PARSE', `${quoted(path)} has blanks in it; expected one token`, { path });
  return token;
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
