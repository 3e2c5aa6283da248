/** The host keys that are known, as OpenSSH keeps them: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Pure. */
import { createHash, createHmac } from 'node:crypto';

/** A public key of a host. */
export interface HostKey {
  /** As it stands in the key itself: `ssh-ed25519`. */
  readonly type: string;
  /** Base64, as in the third field of a line and in a `.pub` file. */
  readonly key: string;
}

export interface KnownLine extends HostKey {
  /** Counted from 1. */
  readonly line: number;
  readonly marker: 'revoked' | 'cert-authority' | undefined;
  /** Patterns with commas between them, or one hashed name. */
  readonly names: string;
}

export interface KnownHosts {
  readonly lines: readonly KnownLine[];
  /** Numbers of lines that are neither comments nor of the form; they count for nothing. */
  readonly malformed: readonly number[];
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export type Judgement =
  | { readonly kind: 'known' }
  | { readonly kind: 'revoked'; readonly line: KnownLine }
  /** `known`: what it should have been. */
  | { readonly kind: 'changed'; readonly known: readonly [KnownLine, ...KnownLine[]] }
  /** `authority`: a line that would count if certificates were supported. */
  | { readonly kind: 'unknown'; readonly authority: KnownLine | undefined };

const MARKERS: ReadonlyMap<string, 'revoked' | 'cert-authority'> = new Map([
  ['@revoked', 'revoked'],
  ['@cert-authority', 'cert-authority'],
]);

export function parseKnownHosts(text: string): KnownHosts {
  const lines: KnownLine[] = [];
  const malformed: number[] = [];
  for (const [index, row] of text.split(/\r?\n/).entries()) {
    const fields = row.split(/[ \t]+/).filter((field) => field !== '');
    if (fields.length === 0 || fields[0]?.startsWith('#')) continue;
    const marker = MARKERS.get(fields[0] ?? '');
    const [names = '', type = '', key = ''] = marker === undefined ? fields : fields.slice(1);
    const isWhole = !names.startsWith('@') && typeOf(key) === type && type !== '';
    if (isWhole) lines.push({ line: index + 1, marker, names, type, key });
    else malformed.push(index + 1);
  }
  return { lines, malformed };
}

/** The type that a key says of itself (RFC 4253, section 6.6); undefined: this is no key in base64. */
function typeOf(key: string): string | undefined {
  if (!/^[A-Za-z0-9+/]{16,}={0,2}$/.test(key)) return undefined;
  const bytes = Buffer.from(key, 'base64');
  // A key in other letters would be another one, and one that is revoked so not be.
  if (bytes.toString('base64') !== key) return undefined;
  const length = bytes.length < 4 ? 0 : bytes.readUInt32BE();
  return length > 0 && length <= 64 && bytes.length > 4 + length ? bytes.toString('latin1', 4, 4 + length) : undefined;
}

/** A key as a server sends it. */
export function hostKeyOf(bytes: Buffer): HostKey {
  const key = bytes.toString('base64');
  return { type: typeOf(key) ?? '', key };
}

/** As `ssh-keygen -l` prints it: `SHA256:…`. */
export function fingerprintOf({ key }: HostKey): string {
  const hash = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}

/** The name under which a host's key stands: `[HOST]:PORT`, and for port 22 the host alone. */
export function nameOf({ host, port }: Address): string {
  const plain = plainOf(host);
  return port === 22 ? plain : `[${plain}]:${port}`;
}

const plainOf = (host: string): string => host.toLowerCase().replace(/^\[(.*)\]$/, '$1');

/** Judges the key that a server offers as ssh(1) does: by the name that is used, its address counts for nothing. */
export function judgeKey(known: KnownHosts, address: Address, offered: HostKey): Judgement {
  const exact = linesFor(known, nameOf(address));
  const plain = address.port === 22 ? exact : linesFor(known, plainOf(address.host));
  const isOffered = ({ key }: HostKey): boolean => key === offered.key;
  const revoked = [...exact, ...plain].find((one) => one.marker === 'revoked' && isOffered(one));
  if (revoked !== undefined) return { kind: 'revoked', line: revoked };
  const [first, ...others] = exact.filter(({ marker }) => marker === undefined);
  if (first !== undefined) {
    const all = [first, ...others] as const;
    return all.some(isOffered) ? { kind: 'known' } : { kind: 'changed', known: all };
  }
  // A key that is known for the host without a port is its key on all; another one tells nothing about this port.
  if (plain.some((one) => one.marker === undefined && isOffered(one))) return { kind: 'known' };
  return { kind: 'unknown', authority: [...exact, ...plain].find(({ marker }) => marker === 'cert-authority') };
}

/**
 * The types of the keys that are known for the host. `isPinned`: it may have no other; else these are only to be asked
 * for first, as they stand for the host without a port.
 */
export function knownTypes(known: KnownHosts, address: Address): { types: readonly string[]; isPinned: boolean } {
  const typesFor = (name: string): string[] => [
    ...new Set(linesFor(known, name).flatMap(({ marker, type }) => (marker === undefined ? [type] : []))),
  ];
  const types = typesFor(nameOf(address));
  return types.length > 0 ? { types, isPinned: true } : { types: typesFor(plainOf(address.host)), isPinned: false };
}

function linesFor(known: KnownHosts, name: string): KnownLine[] {
  return known.lines.filter(({ names }) => isNamed(names, name));
}

function isNamed(names: string, name: string): boolean {
  if (names.startsWith('|')) return isHashOf(names, name);
  const patterns = names.toLowerCase().split(',');
  // A pattern that is negated wins over all others of its line.
  if (patterns.some((one) => one.startsWith('!') && fits(one.slice(1), name))) return false;
  return patterns.some((one) => !one.startsWith('!') && fits(one, name));
}

/** `|1|SALT|HASH`, both base64: HMAC-SHA1 of the name. */
function isHashOf(hashed: string, name: string): boolean {
  const [, version, salt = '', hash = ''] = hashed.split('|');
  if (version !== '1') return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

/** `*` and `?` alone are special: brackets stand around hosts. Goes back to the last star only. */
function fits(pattern: string, name: string): boolean {
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = pattern[part];
    if (wanted === '*') {
      star = part++;
      starAt = at;
    } else if (wanted === '?' || wanted === name[at]) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (pattern[part] === '*') part++;
  return part === pattern.length;
}
