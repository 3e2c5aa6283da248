/** Finds the files to which the log was rotated: in the directory of archives and beside the log. */
import type { FilePart, Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import type { Place } from './memory.ts';
import { timeOf } from './parse.ts';
import { fits, hasContent, hexOf, isTelling, readAt } from './read.ts';

/** The newest so many by their names are looked into. */
const MAX_FILES = 40;
const AT_ONCE = 8;
const HEAD_BYTES = 256;
const COMPRESSED = /\.(?:gz|bz2|xz|zst|lz4|Z)$/;

/** A rotated log. */
export interface Rotated {
  readonly path: string;
  readonly identity: string;
  readonly size: number;
  /** Its first bytes, in hex: a copy has the same ones. */
  readonly head: string;
  /** When its first line was written. */
  readonly firstSeconds: number;
  readonly order: NameOrder;
}

/** What a name says of its age. Numbers of logrotate(8) go up with age, dates go down. */
export interface NameOrder {
  readonly kind: 'number' | 'date' | 'other';
  /** Greater is newer. */
  readonly rank: number;
}

const split = (path: string): readonly [folder: string, name: string] => {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash) || '/', path.slice(slash + 1)];
};

export function archiveOf({ log, archive }: { readonly log: string; readonly archive?: string | undefined }): string {
  return archive ?? `${split(log)[0].replace(/\/$/, '')}/archives`;
}

/**
 * `nagios-03-01-2026-14.log` (month, day, year, hour), `nagios.log.1`, `nagios.log-20260301`, `nagios.log.2026-03-01`.
 * Undefined: it is no rotated log of this name.
 */
export function orderOf(name: string, log: string): NameOrder | undefined {
  const stem = log.replace(/\.[^.]*$/, '');
  if (name === log || !name.startsWith(stem)) return undefined;
  const rest = name.slice(name.startsWith(log) ? log.length : stem.length);
  if (!/^[-._]/.test(rest)) return undefined;
  const numbered = /^\.([0-9]{1,5})(?:\.|$)/.exec(rest);
  if (numbered !== null) return { kind: 'number', rank: -Number(numbered[1]) };
  const own = /^-([0-9]{2})-([0-9]{2})-([0-9]{4})-([0-9]{2})\./.exec(rest);
  if (own !== null) {
    const [month, day, year, hour] = own.slice(1).map(Number);
    return { kind: 'date', rank: Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour) };
  }
  const dated = /^[-._]([0-9]{4})[-_.]?([0-9]{2})[-_.]?([0-9]{2})(?:[-_.]?([0-9]{2}))?(?:[^0-9]|$)/.exec(rest);
  if (dated !== null) {
    const [year, month, day, hour] = dated.slice(1).map((part) => Number(part ?? 0));
    return { kind: 'date', rank: Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour) };
  }
  return { kind: 'other', rank: 0 };
}

interface Candidate {
  readonly path: string;
  readonly order: NameOrder;
}

interface Listed {
  readonly candidates: readonly Candidate[];
  /** Rotated logs that cannot be read since they are compressed. */
  readonly compressed: number;
  readonly problems: readonly Failure[];
}

async function listRotated(host: Host, log: string, archive: string): Promise<Listed> {
  const [folder, name] = split(log);
  const candidates: Candidate[] = [];
  const problems: Failure[] = [];
  let compressed = 0;
  for (const directory of new Set([folder, archive])) {
    try {
      for (const each of await host.list(directory)) {
        const order = orderOf(each, name);
        if (order === undefined) continue;
        if (COMPRESSED.test(each)) compressed += 1;
        else candidates.push({ path: `${directory === '/' ? '' : directory}/${each}`, order });
      }
    } catch (thrown) {
      const failure = asFailure(thrown);
      // Where nothing is archived there is no such directory.
      if (failure.code !== 'E_NOT_FOUND') problems.push(failure);
    }
  }
  return { candidates, compressed, problems };
}

/** The newest of each kind of name: ranks of two kinds say nothing of each other. */
function newest(candidates: readonly Candidate[]): readonly Candidate[] {
  const kinds = ['number', 'date', 'other'] as const;
  return kinds.flatMap((kind) =>
    candidates
      .filter(({ order }) => order.kind === kind)
      .toSorted((a, b) => b.order.rank - a.order.rank)
      .slice(0, kind === 'other' ? MAX_FILES / 4 : MAX_FILES),
  );
}

async function eachOf<From, To>(all: readonly From[], work: (one: From) => Promise<To | undefined>): Promise<To[]> {
  const done: To[] = [];
  const queue = [...all];
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const result = await work(one);
      if (result !== undefined) done.push(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, all.length) }, worker));
  return done;
}

/** A file that was moved on or removed meanwhile is none; nor is one that may not be read, which is worth a word. */
async function partOr(read: Promise<FilePart>, denied: Failure[]): Promise<FilePart | undefined> {
  return read.catch((thrown: unknown) => {
    const failure = asFailure(thrown);
    if (failure.code === 'E_DENIED') denied.push(failure);
    else if (failure.code !== 'E_NOT_FOUND') throw failure;
    return undefined;
  });
}

const headDecoder = new TextDecoder('utf-8');

async function look(host: Host, { path, order }: Candidate, denied: Failure[]): Promise<Rotated | undefined> {
  const part = await partOr(host.readPart(path, 0, HEAD_BYTES), denied);
  const firstSeconds = part === undefined ? undefined : timeOf(headDecoder.decode(part.bytes));
  if (part === undefined || firstSeconds === undefined) return undefined;
  const { identity, size, bytes } = part;
  return { path, order, identity, size, head: hexOf(bytes), firstSeconds };
}

/** What was written first stands first; within one second the names tell, where they can. */
function byAge(a: Rotated, b: Rotated): number {
  if (a.firstSeconds !== b.firstSeconds) return a.firstSeconds - b.firstSeconds;
  return a.order.kind === b.order.kind ? a.order.rank - b.order.rank : 0;
}

export interface Chain {
  /** The file of the place, and what was written after it, without the log itself. */
  readonly files: readonly Rotated[];
  /** Why the file of the place is not among them; undefined: it is the first. */
  readonly gap: Failure | undefined;
}

/** The files between the place and the log (`current`: its beginning), in the order in which they were written. */
export async function chainFrom(
  host: Host,
  where: { readonly log: string; readonly archive: string },
  place: Place,
  current: FilePart,
  lastSeconds: number | undefined,
): Promise<Chain> {
  const { candidates, compressed, problems } = await listRotated(host, where.log, where.archive);
  const isNewer = newerThan(current);
  const denied: Failure[] = [];
  const looked = (await eachOf(newest(candidates), (one) => look(host, one, denied))).filter((one) => !isNewer(one));
  const old = await findOld(host, place, looked);
  const others = looked.filter(({ identity, head }) => identity !== old?.identity && !isCopy(head, old?.head ?? ''));
  const files = distinct(others).toSorted(byAge);
  if (old !== undefined) return { files: [old, ...files.filter((one) => byAge(old, one) < 0)], gap: undefined };
  const later = files.filter(({ firstSeconds }) => lastSeconds !== undefined && firstSeconds >= lastSeconds);
  return { files: later, gap: gapOf(where, place, compressed, [...problems, ...denied]) };
}

/** Whether one is a copy of the other, which may have grown since: both begin with a time, and with the same line. */
function isCopy(head: string, other: string): boolean {
  return head !== '' && other !== '' && (head.startsWith(other) || other.startsWith(head));
}

/** Whether it is the log itself, a copy of it, or was written after it: the log may be rotated again meanwhile. */
function newerThan(current: FilePart): (one: Rotated) => boolean {
  const bytes = current.bytes.subarray(0, HEAD_BYTES);
  const currentHead = hexOf(bytes);
  const beganSeconds = timeOf(headDecoder.decode(bytes)) ?? Number.POSITIVE_INFINITY;
  return ({ identity, head, firstSeconds }) =>
    identity === current.identity || isCopy(head, currentHead) || firstSeconds > beganSeconds;
}

/** Whether the log is still the one that `current` is the beginning of: it was not rotated meanwhile. */
export async function isStill(host: Host, log: string, current: FilePart): Promise<boolean> {
  const { identity, size, bytes } = await host.readPart(log, 0, HEAD_BYTES);
  const head = hexOf(current.bytes.subarray(0, HEAD_BYTES));
  return (
    identity === current.identity &&
    size >= current.size &&
    hexOf(bytes).startsWith(head) &&
    (size === 0) === (head === '')
  );
}

/** By its identity, or, where it was copied, by its content; of several copies the one that has most. */
async function findOld(host: Host, place: Place, looked: readonly Rotated[]): Promise<Rotated | undefined> {
  const found = await eachOf(looked, async (one) => {
    const part = one.size < place.position ? undefined : await partOr(readAt(host, one.path, place, 0), []);
    if (part === undefined || part.identity !== one.identity) return undefined;
    if (fits(part, place)) return { one, isSame: true };
    return isTelling(place) && hasContent(part, place) ? { one, isSame: false } : undefined;
  });
  found.sort((a, b) => Number(b.isSame) - Number(a.isSame) || b.one.size - a.one.size);
  return found[0]?.one;
}

/** A copy of a file is not read twice. */
function distinct(all: readonly Rotated[]): Rotated[] {
  const kept: Rotated[] = [];
  for (const one of all.toSorted((a, b) => b.size - a.size))
    if (!kept.some(({ head }) => isCopy(head, one.head))) kept.push(one);
  return kept;
}

function gapOf(
  { log, archive }: { readonly log: string; readonly archive: string },
  { position }: Place,
  compressed: number,
  problems: readonly Failure[],
): Failure {
  const [reason] = problems;
  const what = `the log ${quoted(log)} was rotated or truncated, and what it held from byte ${position} on is not found`;
  const where = `beside it or in ${quoted(archive)}: alerts may be missing in the counts`;
  const advice =
    reason !== undefined
      ? reason.message
      : compressed > 0
        ? 'the rotated logs there are compressed; let logrotate keep the last one as it is (delaycompress)'
        : 'name the directory of rotated logs as "archive"';
  return new Failure(reason?.code ?? 'E_NOT_FOUND', `${what} ${where}; ${advice}`, { path: log });
}
