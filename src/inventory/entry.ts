/** What an inventory says of its hosts, whatever its format, and the forms of their names and addresses. Pure. */
import { quoted } from '../text.ts';

export interface Entry {
  /** As the inventory gives them, by the names of `sshShape`; not checked yet. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly groups: readonly string[];
  /** `file:line`, or the source. */
  readonly where: string;
}

/** Something that was left out or is not used, while all else is. */
export interface Problem {
  readonly where: string;
  readonly message: string;
}

export interface Parsed {
  /** In the order of the source. */
  readonly hosts: ReadonlyMap<string, Entry>;
  readonly problems: readonly Problem[];
}

const NAME = /^(?=.*[A-Za-z0-9])[A-Za-z0-9_.-]{1,253}$/;

/** Why a text cannot name a target or a group, or undefined. */
export function nameFault(name: string): string | undefined {
  if (NAME.test(name)) return undefined;
  return `${quoted(name)} is no name; expected letters, digits, "_", "." and "-" (at most 253)`;
}

export interface Address {
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
}

const IPV6 = /^[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9_.-]+)?$/;
const PLACES = [/^\[([^[\]\s]+)\](?::([0-9]{1,5}))?$/, /^([^:[\]\s]+)(?::([0-9]{1,5}))?$/];

/** Whether a text has the form of an IPv6 address, zone included. Its digits are not checked. */
export function isIpv6(text: string): boolean {
  return IPV6.test(text);
}

/** `[user@]host[:port]`; an IPv6 address with a port stands in brackets. Undefined: it has another form. */
export function addressOf(text: string): Address | undefined {
  const at = text.lastIndexOf('@');
  const user = at < 0 ? undefined : text.slice(0, at);
  const place = text.slice(at + 1);
  if (user === '' || place === '') return undefined;
  const login = user === undefined ? {} : { user };
  if (isIpv6(place)) return { host: place, ...login };
  const found = PLACES.map((form) => form.exec(place)).find((one) => one !== null);
  const [, host, port] = found ?? [];
  if (host === undefined) return undefined;
  return { host, ...login, ...(port === undefined ? {} : { port: Number(port) }) };
}

const MAX_RANGE_LENGTH = 512;

/**
 * `hv[01:16]`, `db-[a:c]` and `r[0:8:2]`, as Ansible writes several names. A text without a range is itself.
 * Undefined: they are none, or more than `limit`.
 */
export function expanded(text: string, limit: number): readonly string[] | undefined {
  if (text.length > MAX_RANGE_LENGTH) return undefined;
  const range = /^([^[]*)\[(?:([0-9]+):([0-9]+)|([a-z]):([a-z])|([A-Z]):([A-Z]))(?::([1-9][0-9]*))?\](.*)$/s.exec(text);
  if (range === null) return [text];
  const [, before = '', from = '', to = '', low = '', high = '', Low = '', High = '', step = '1', after = ''] = range;
  const letters = low + Low;
  const code = (letter: string): number => letter.charCodeAt(0);
  const [first, last] = letters === '' ? [Number(from), Number(to)] : [code(letters), code(high + High)];
  const rest = expanded(after, limit);
  const count = Math.floor((last - first) / Number(step)) + 1;
  if (rest === undefined || count < 1 || count * rest.length > limit) return undefined;
  // `01` says how wide each number is, as in Ansible.
  const width = from.startsWith('0') ? from.length : 0;
  return Array.from({ length: count }, (_, index) => {
    const at = first + index * Number(step);
    return before + (letters === '' ? String(at).padStart(width, '0') : String.fromCharCode(at));
  }).flatMap((head) => rest.map((tail) => head + tail));
}
