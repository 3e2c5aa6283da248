/** What this side logs in with: a key from a file, read at each connection, or an agent that holds it. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { fileFailure, readWhole } from './file.ts';
import { fingerprintOf, hostKeyOf } from './known-hosts.ts';
import { connectUnix } from './socket.ts';
import { placeOf } from './ssh-failures.ts';
import type { LoginAttempt, ParseKey, PrivateKey } from './ssh-library.ts';
import type { SshSettings } from './ssh-options.ts';
import { within } from './target.ts';

export interface Identity {
  readonly attempts: readonly LoginAttempt[];
  /** For messages; no secret: `the key of "/etc/edgestatd/id_ed25519" (SHA256:…)`. */
  readonly name: string;
}

/** A private key, or a passphrase; more is something else. */
const MAX_BYTES = 256 * 1024;

/**
 * The ways to log in, in the order in which they are tried. `E_CONFIG`: none is configured, or the key is of no use (a
 * public one, encrypted, another passphrase); `E_DENIED` also for a key that others may read; `E_NOT_FOUND E_CONNECT
 * E_TIMEOUT`.
 */
export async function identityOf(settings: SshSettings, parseKey: ParseKey, until: AbortSignal): Promise<Identity> {
  const { user: username, keyFile, agent } = settings;
  const attempts: LoginAttempt[] = [];
  const names: string[] = [];
  if (keyFile !== undefined) {
    const key = await keyIn(keyFile, settings, parseKey, until);
    attempts.push({ type: 'publickey', username, key });
    names.push(`the key of ${quoted(keyFile)} (${fingerprintOf(hostKeyOf(key.getPublicSSH()))})`);
  }
  if (agent !== undefined) {
    await knock(agent, settings, until);
    attempts.push({ type: 'agent', username, agent });
    names.push(`the keys that the agent ${quoted(agent)} holds`);
  }
  if (attempts.length === 0) {
    const message = `${placeOf(settings)} has no key to log in with; set keyFile, or agent`;
    throw new Failure('E_CONFIG', message);
  }
  return { attempts, name: names.join(' and ') };
}

async function keyIn(path: string, settings: SshSettings, parseKey: ParseKey, until: AbortSignal): Promise<PrivateKey> {
  await refuseReadable(path, until);
  const text = await readWhole(path, until, MAX_BYTES).answer;
  const { passphraseFile } = settings;
  const passphrase =
    settings.passphrase ??
    (passphraseFile === undefined
      ? undefined
      : (await readWhole(passphraseFile, until, MAX_BYTES).answer).replace(/\r?\n$/, ''));
  const parsed = parsedOnce(text, passphrase, parseKey);
  if (parsed instanceof Error) throw keyFailure(path, parsed.message, settings);
  if (parsed.isPrivateKey()) return parsed;
  throw new Failure('E_CONFIG', `${quoted(path)} is a public key; keyFile needs the private one`, { path });
}

/** As ssh(1) does: a key of this user that others may read is no secret. A key of root is none of this user's to judge. */
async function refuseReadable(path: string, until: AbortSignal): Promise<void> {
  const { uid, mode } = await within(until, stat(path)).catch((thrown) => {
    throw thrown instanceof Failure ? thrown : fileFailure(path, thrown);
  });
  if (uid !== process.getuid?.() || (mode & 0o077) === 0) return;
  const bits = (mode & 0o777).toString(8).padStart(4, '0');
  const message = `the private key ${quoted(path)} may be read by others (mode ${bits}), so it is not used; chmod 0600`;
  throw new Failure('E_DENIED', message, { path });
}

/**
 * What a text was parsed to. To decrypt a key takes a good part of a second, in which nothing else happens; hundreds of
 * targets log in with the same.
 */
const parsedBefore = new Map<string, PrivateKey | Error>();
const MAX_PARSED = 64;

function parsedOnce(text: string, passphrase: string | undefined, parseKey: ParseKey): PrivateKey | Error {
  const id = createHash('sha256')
    .update(JSON.stringify([text, passphrase]))
    .digest('base64');
  const before = parsedBefore.get(id);
  if (before !== undefined) return before;
  const all = parseSafely(text, passphrase, parseKey);
  const [first] = Array.isArray(all) ? (all as readonly PrivateKey[]) : [all as PrivateKey | Error];
  const parsed = first ?? new Error('there is no key in it');
  const [oldest] = parsedBefore.keys();
  if (parsedBefore.size >= MAX_PARSED && oldest !== undefined) parsedBefore.delete(oldest);
  parsedBefore.set(id, parsed);
  return parsed;
}

function parseSafely(text: string, passphrase: string | undefined, parseKey: ParseKey): ReturnType<ParseKey> {
  try {
    return parseKey(text, passphrase);
  } catch (error) {
    return error as Error;
  }
}

/** `reason`: as ssh2 says it. */
function keyFailure(path: string, reason: string, { passphrase, passphraseFile }: SshSettings): Failure {
  const failure = (text: string): Failure =>
    new Failure('E_CONFIG', `the private key ${quoted(path)} ${text}`, { path });
  if (/no passphrase given/i.test(reason)) {
    return failure('is encrypted, and no passphrase is configured; set passphraseFile, or use an agent');
  }
  if (/passphrase|bad decrypt|integrity check/i.test(reason)) {
    const where =
      passphrase === undefined && passphraseFile !== undefined
        ? ` of ${quoted(passphraseFile)}`
        : ' that is configured';
    return failure(`is not opened by the passphrase${where}`);
  }
  return failure(`could not be read: ${quoted(reason)}; expected OpenSSH or PEM, of type ed25519, ecdsa or rsa`);
}

/** What is wrong with an agent's socket is said better by the socket. */
async function knock(path: string, settings: SshSettings, until: AbortSignal): Promise<void> {
  try {
    const socket = await connectUnix(path, until).answer;
    socket.destroy();
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'E_TIMEOUT' || error.code === 'E_ABORTED') throw error;
    throw new Failure(error.code, `${placeOf(settings)}: the agent's ${error.message}`, { path, cause: error });
  }
}
