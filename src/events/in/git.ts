/** Releases of a git repository as events: one for each tag, the same whenever it is read. */
import { createHash } from 'node:crypto';
import { asFailure, Failure } from '../../errors.ts';
import { type GitTag, type GitTags, gitTags } from '../../hosts/git.ts';
import { matcher, quoted } from '../../text.ts';
import { type Event, eventOf, MAX_WHAT, tagOf } from '../event.ts';
import type { ImportRow } from './import-rows.ts';

export interface GitImport {
  readonly rows: readonly ImportRow[];
  /** Tags that stand for no commit: of a file (blob) or a tree. */
  readonly skipped: readonly { readonly tag: string; readonly reason: string }[];
}

export interface GitSource {
  /** The repository, or any folder in it. */
  readonly repo: string;
  /** Globs; none: all. */
  readonly tags: readonly string[];
  readonly nowUs: number;
  readonly deadline: AbortSignal;
}

/**
 * `what` is the tag, `v1.2.3`; the event's tags are `release` and the repository's name; `data` is the message's first
 * paragraph and the commit. Its time is that of the tagger or, where there is none, of the commit. Rejects as `gitTags`
 * does, and with `E_NOT_FOUND` where no tag matches.
 */
export async function eventsOfGit({ repo, tags: globs, nowUs, deadline }: GitSource): Promise<GitImport> {
  const found = await gitTags(repo, deadline);
  const isWanted = globs.length === 0 ? () => true : matcher(globs);
  const wanted = found.tags.filter(({ name }) => isWanted(name));
  if (wanted.length === 0) {
    const [first] = found.tags;
    const example = first === undefined ? 'it has none' : `it has ${found.tags.length}, such as ${quoted(first.name)}`;
    const globText = globs.length === 0 ? '' : ` that matches ${globs.map((glob) => quoted(glob)).join(', ')}`;
    throw new Failure('E_NOT_FOUND', `the repository ${quoted(found.name)} has no tag${globText}: ${example}`);
  }
  const isRelease = ({ type, targetType }: GitTag): boolean =>
    type === 'commit' || (type === 'tag' && ['commit', 'tag'].includes(targetType));
  const skipped = wanted
    .filter((tag) => !isRelease(tag))
    .map(({ name, type, targetType }) => ({ tag: name, reason: `it is the tag of a ${targetType || type}` }));
  return { rows: wanted.filter(isRelease).map((tag, index) => rowOf(tag, found, index + 1, nowUs)), skipped };
}

function rowOf(tag: GitTag, found: GitTags, line: number, nowUs: number): ImportRow {
  const place = `tag ${quoted(tag.name)}`;
  try {
    return { line, place, event: eventOfTag(tag, found.name, nowUs) };
  } catch (thrown) {
    const { code, message } = asFailure(thrown);
    return { line, place, fault: new Failure(code, `${place}: ${message}`, { cause: thrown }) };
  }
}

const MAX_SUBJECT = 1000;
/** Not git's own abbreviation, which grows with the repository: the same tag would be another event. */
const SHORT_HASH = 12;

function eventOfTag(tag: GitTag, repository: string, nowUs: number): Event {
  const { name, hash, targetHash, taggerDate, commitDate, subject } = tag;
  // A commit is told by its committer: it is what a rebase or a cherry-pick made anew.
  // Git says 0 of a time that it does not understand.
  const [, seconds] = /^([1-9][0-9]*) [+-][0-9]{4}$/.exec(taggerDate || commitDate) ?? [];
  if (seconds === undefined) throw new Failure('E_PARSE', 'neither it nor its commit has a time that git understands');
  const commit = (targetHash || hash).slice(0, SHORT_HASH);
  const body = {
    id: idOf(repository, name, hash),
    what: cut(name, MAX_WHAT),
    tags: [...new Set(['release', tagOf(repository)])],
    data: `${cut(subject, MAX_SUBJECT)}\ncommit ${commit}`.trim(),
    when: Number(seconds),
  };
  return eventOf(body, { nowUs, strict: true, repeatable: true });
}

/** A tag that is moved to another commit is another release, hence the hash. */
function idOf(repository: string, tag: string, hash: string): string {
  const id = `git:${oneLine(repository)}:${oneLine(tag)}:${hash}`;
  if (id.length <= 128) return id;
  return `git:${createHash('sha256').update(id).digest('hex')}`;
}

function cut(text: string, limit: number): string {
  const characters = [...oneLine(text)];
  return characters.length > limit ? `${characters.slice(0, limit - 1).join('')}…` : characters.join('');
}

/** Git takes C1 and Unicode's line ends into names and messages. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').toWellFormed();
}
