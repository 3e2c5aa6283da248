/** Whether the key that a host offers is its key: never silently, and with what to do where it is not. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import {
  fingerprintOf,
  type HostKey,
  hostKeyOf,
  type Judgement,
  judgeKey,
  type KnownHosts,
  knownTypes,
  nameOf,
} from './known-hosts.ts';
import { readKnownHosts, rememberKey } from './known-hosts-file.ts';
import { placeOf } from './ssh-failures.ts';
import type { SshSettings } from './ssh-options.ts';

export interface Trust {
  /** What the server may prove itself by, best first: a host of which one type is known must not show another. */
  readonly algorithms: readonly string[];
  /** Undefined: it is accepted. */
  refusal(key: Buffer): Failure | undefined;
  /** Writes a key that was accepted as new; to be done when the server has proved that it has it. */
  remember(until: AbortSignal): Promise<void>;
}

/** Types of host keys to the algorithms of signatures; SHA-1 (`ssh-rsa`) is none of them. In order of preference. */
const ALGORITHMS: ReadonlyMap<string, readonly string[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);

/** Reads the file of known hosts. `E_AUTH` where none of its keys could be verified; else as `readKnownHosts`. */
export async function trustFor(settings: SshSettings, until: AbortSignal): Promise<Trust> {
  const { knownHostsFile: path } = settings;
  const known = await readKnownHosts(path, until);
  const { types, isPinned } = knownTypes(known, settings);
  const first = [...ALGORITHMS.keys()].filter((type) => types.includes(type));
  if (isPinned && first.length === 0) {
    const advice = 'expected ssh-ed25519, ecdsa or ssh-rsa; add such a key of it';
    const message = `${quoted(path)} knows only host keys of type ${quoted(types.join(', '))} for it; ${advice}`;
    throw new Failure('E_AUTH', `${placeOf(settings)}: ${message}`, { path });
  }
  const others = isPinned ? [] : [...ALGORITHMS.keys()].filter((type) => !types.includes(type));
  let accepted: HostKey | undefined;
  let isNew = false;
  return {
    algorithms: [...first, ...others].flatMap((type) => ALGORITHMS.get(type) ?? []),
    refusal(bytes) {
      const offered = hostKeyOf(bytes);
      // When keys are exchanged anew within a connection, the host must not have become another one.
      if (accepted !== undefined && accepted.key === offered.key) return undefined;
      const judgement = judgeKey(known, settings, offered);
      if (accepted === undefined && judgement.kind === 'unknown' && settings.hostKeys === 'acceptNew') isNew = true;
      else if (judgement.kind !== 'known') return failureOf(judgement, offered, settings, known);
      accepted = offered;
      return undefined;
    },
    async remember(end) {
      if (!isNew || accepted === undefined) return;
      const judgement = await rememberKey(path, settings, accepted, end);
      if (judgement.kind !== 'known') throw failureOf(judgement, accepted, settings, known);
      isNew = false;
    },
  };
}

function failureOf(
  judgement: Exclude<Judgement, { kind: 'known' }>,
  offered: HostKey,
  settings: SshSettings,
  known: KnownHosts & { readonly isThere: boolean },
): Failure {
  const { knownHostsFile: path } = settings;
  const at = (line: number): string => quoted(`${path}:${line}`, 200);
  const name = nameOf(settings);
  const key = `${quoted(offered.type)} ${fingerprintOf(offered)}`;
  const failure = (message: string, line?: number): Failure =>
    new Failure('E_AUTH', `${placeOf(settings)}: ${message}`, line === undefined ? { path } : { path, line });
  switch (judgement.kind) {
    case 'revoked':
      return failure(
        `HOST KEY REVOKED: it offers ${key}, which ${at(judgement.line.line)} revokes; somebody else may have that key, give the host a new one`,
        judgement.line.line,
      );
    case 'changed': {
      const was = judgement.known.find(({ type }) => type === offered.type) ?? judgement.known[0];
      const advice = `if it was installed anew, remove that line (ssh-keygen -R ${quoted(name)}) and add its new key`;
      return failure(
        `HOST KEY CHANGED: it offers ${key}, but ${at(was.line)} has ${was.type} ${fingerprintOf(was)}; somebody may stand in between, so nothing is asked there; ${advice}`,
        was.line,
      );
    }
    case 'unknown': {
      const notes = [
        known.isThere ? '' : 'that file does not exist',
        judgement.authority === undefined
          ? ''
          : `line ${judgement.authority.line} is a certificate authority, which is not supported`,
        known.malformed.length === 0 ? '' : `not readable there: line ${known.malformed.slice(0, 5).join(', ')}`,
      ].filter((note) => note !== '');
      const about = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
      const advice = 'compare that with ssh-keygen -lf of its /etc/ssh/ssh_host_*_key.pub, and add the key';
      return failure(
        `host key not known: it offers ${key}, and ${quoted(path)} has none for ${quoted(name)}${about}; ${advice}`,
      );
    }
  }
}
