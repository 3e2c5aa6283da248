/**
 * A line of a Nagios, Icinga 1 or Naemon log → a record. Pure.
 *
 * The grammar is that of `base/logging.c` of Nagios 3 and 4, which the others kept: `[epoch] TYPE: fields`, the fields
 * parted by `;`. The type is matched exactly from behind `] ` on: other lines carry the same words further inside.
 */

export type HostState = 'UP' | 'DOWN' | 'UNREACHABLE' | 'WARNING';
export type ServiceState = 'OK' | 'WARNING' | 'CRITICAL' | 'UNKNOWN';
export type State = HostState | ServiceState;
export type Change = 'started' | 'stopped' | 'disabled';

/** What a line is about: a host, or one of its services. */
export interface Subject {
  readonly host: string;
  /** Undefined: the host itself. */
  readonly service: string | undefined;
}

export interface StateRecord extends Subject {
  /** `alert`: it became so. `state`: it is so, as the log tells when it begins or the program starts. */
  readonly kind: 'alert' | 'state';
  readonly atSeconds: number;
  readonly state: State;
  readonly isHard: boolean;
  /** What the plugin said; may hold anything. */
  readonly output: string;
}

export interface FlapRecord extends Subject {
  readonly kind: 'flap';
  readonly atSeconds: number;
  readonly change: Change;
}

/** A line that counts nothing; `begin`: a new log or a start of the program, behind which all states may be listed. */
export interface OtherRecord {
  readonly kind: 'other' | 'begin';
  readonly atSeconds: number;
}

export interface Unreadable {
  readonly kind: 'unreadable';
  /** What is wrong, and what to do where that is known. */
  readonly why: string;
}

export type Line = StateRecord | FlapRecord | OtherRecord | Unreadable;

/** Longer names than these are in no configuration. */
const MAX_NAME = 255;
/** Of a plugin's output; Nagios itself cuts it at 8 KiB. */
const MAX_OUTPUT = 1000;

const HEAD = /^\[([0-9]{1,11})\] /;
const ISO =
  /^\[([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2}))\] /;
const ICINGA2 = /^\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} [+-][0-9]{4}\] \w+\//;
const IN_WORDS = /^\[[^\]\n]{0,40}[0-9]{1,2}:[0-9]{2}[^\]\n]{0,20}\] /;
const HOST = /^([^;]+);(UP|DOWN|UNREACHABLE|WARNING);(HARD|SOFT);[0-9]+(?:;|$)/;
const SERVICE = /^([^;]+);([^;]+);(OK|WARNING|CRITICAL|UNKNOWN);(HARD|SOFT);[0-9]+(?:;|$)/;
const HOST_FLAP = /^([^;]+);(STARTED|STOPPED|DISABLED);/;
const SERVICE_FLAP = /^([^;]+);([^;]+);(STARTED|STOPPED|DISABLED);/;
const TYPE = /^(?:(HOST|SERVICE) (ALERT|FLAPPING ALERT)|(?:CURRENT|INITIAL) (HOST|SERVICE) STATE): /;
const BEGIN = /^(?:LOG ROTATION: |(?:Nagios|Icinga|Naemon|Shinken) [^;]{1,60} starting\.\.\. \(PID=)/i;

/** One line without its end. */
export function parseLine(line: string): Line {
  const text = line.charCodeAt(0) === 0 ? line.replace(/^\0+/, '') : line;
  const head = HEAD.exec(text);
  if (head !== null) return recordOf(text.slice(head[0].length), Number(head[1]));
  const iso = ISO.exec(text);
  const atMs = iso === null ? Number.NaN : Date.parse(iso[1]?.replace(/([+-][0-9]{2})([0-9]{2})$/, '$1:$2') ?? '');
  if (iso !== null && Number.isFinite(atMs)) return recordOf(text.slice(iso[0].length), Math.floor(atMs / 1000));
  return { kind: 'unreadable', why: strangeness(text) };
}

function strangeness(text: string): string {
  if (ICINGA2.test(text))
    return 'this is the log of Icinga 2 itself; enable its CompatLogger and follow compat/icinga.log';
  if (IN_WORDS.test(text))
    return 'its time is in words, of a time zone that is not told; follow the log as it is written, with seconds since 1970 in brackets';
  return 'expected "[seconds since 1970] " in front; is this the log of Nagios, Icinga 1 or Naemon?';
}

/** When the first line of a text was written, in seconds since the epoch. */
export function timeOf(text: string): number | undefined {
  const line = parseLine(text.slice(0, text.indexOf('\n') >>> 0));
  return line.kind === 'unreadable' ? undefined : line.atSeconds;
}

function recordOf(text: string, atSeconds: number): Line {
  const type = TYPE.exec(text);
  if (type === null) return { kind: BEGIN.test(text) ? 'begin' : 'other', atSeconds };
  const fields = text.slice(type[0].length);
  const isService = (type[1] ?? type[3]) === 'SERVICE';
  if (type[2] === 'FLAPPING ALERT') return flapOf(fields, isService, atSeconds) ?? malformed(type[0]);
  return stateOf(fields, isService, type[2] === 'ALERT' ? 'alert' : 'state', atSeconds) ?? malformed(type[0]);
}

function malformed(type: string): Unreadable {
  return { kind: 'unreadable', why: `"${type.slice(0, -2)}" without the fields that belong to it` };
}

/** `host;STATE;TYPE;attempt;output` and `host;service;STATE;TYPE;attempt;output`; the output may hold `;` too. */
function stateOf(
  fields: string,
  isService: boolean,
  kind: 'alert' | 'state',
  atSeconds: number,
): StateRecord | undefined {
  const found = (isService ? SERVICE : HOST).exec(fields);
  if (found === null) return undefined;
  const [all, host = '', ...rest] = found;
  const service = isService ? rest[0] : undefined;
  const [state, level] = isService ? rest.slice(1) : rest;
  if (isTooLong(host, service)) return undefined;
  const output = fields.slice(all.length, all.length + MAX_OUTPUT);
  return { kind, atSeconds, host, service, state: state as State, isHard: level === 'HARD', output };
}

/** `host;STARTED; …` and `host;service;STARTED; …`. */
function flapOf(fields: string, isService: boolean, atSeconds: number): FlapRecord | undefined {
  const found = (isService ? SERVICE_FLAP : HOST_FLAP).exec(fields);
  if (found === null) return undefined;
  const [, host = '', ...rest] = found;
  const service = isService ? rest[0] : undefined;
  if (isTooLong(host, service)) return undefined;
  return { kind: 'flap', atSeconds, host, service, change: rest.at(-1)?.toLowerCase() as Change };
}

function isTooLong(host: string, service = ''): boolean {
  return host.length > MAX_NAME || service.length > MAX_NAME;
}

/** Whether nothing is wrong in this state. */
export function isFine(state: State): boolean {
  return state === 'OK' || state === 'UP';
}
