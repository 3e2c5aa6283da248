/** The tags of a git repository, read by one `git for-each-ref` that runs nothing of the repository's own. */
import { basename, resolve } from 'node:path';
import { asFailure, Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { runProgram } from './program.ts';

/** As git says it, texts without their meaning yet. */
export interface GitTag {
  /** Below `refs/tags/`. */
  readonly name: string;
  /** `commit` of a plain tag; `tag` of an annotated one; `tree`, `blob`. */
  readonly type: string;
  readonly hash: string;
  /** What an annotated tag stands for. */
  readonly targetType: string;
  readonly targetHash: string;
  /** `1700000000 +0100`: of the tag and of the commit; empty where there is none. */
  readonly taggerDate: string;
  readonly commitDate: string;
  /** First paragraph of the tag's message, or of the commit's, on one line. */
  readonly subject: string;
}

export interface GitTags {
  /** The repository's folder, without `.git`: the same from wherever in it it is asked. */
  readonly name: string;
  readonly tags: readonly GitTag[];
}

const FIELDS = [
  'refname',
  'objecttype',
  'objectname',
  '*objecttype',
  '*objectname',
  'taggerdate:raw',
  'committerdate:raw',
  '*committerdate:raw',
  'contents:subject',
];
/** No tag, message or date has a NUL in it. */
const FORMAT = FIELDS.map((field) => `%(${field})%00`).join('');
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * What a repository's own configuration could have git run is turned off: its monitor, hooks, pager, and transports
 * (a partial clone fetches what is missing). Git itself refuses a repository of another user (safe.directory).
 */
const HARMLESS = [
  ...['--no-pager', '--no-optional-locks', '--literal-pathspecs'],
  ...['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'protocol.allow=never'],
  ...['file', 'git', 'ssh', 'http', 'https', 'ext'].flatMap((name) => ['-c', `protocol.${name}.allow=never`]),
];

/** `E_NOT_FOUND E_DENIED E_EXIT E_TIMEOUT E_OUTPUT_SIZE E_PARSE` */
export async function gitTags(repository: string, deadline: AbortSignal): Promise<GitTags> {
  // Absolute: it begins with no dash, and an empty one would be wherever we are.
  if (repository === '') throw new Failure('E_NOT_FOUND', 'the repository has no path; expected the path of a git one');
  const path = resolve(repository);
  const git = (...args: string[]): Promise<string> => run(['git', '-C', path, ...HARMLESS, ...args], path, deadline);
  const common = (await git('rev-parse', '--git-common-dir')).replace(/\n$/, '');
  const output = await git('for-each-ref', `--format=${FORMAT}`, '--', 'refs/tags/');
  return { name: nameOf(resolve(path, common)), tags: tagsOf(output) };
}

async function run(argv: readonly [string, ...string[]], path: string, until: AbortSignal): Promise<string> {
  // Whatever the reason of the signal is: programs are ended with a Failure.
  const ending = new AbortController();
  const end = (): void => ending.abort(new Failure('E_TIMEOUT', 'it took too long', { path }));
  until.addEventListener('abort', end, { once: true });
  if (until.aborted) end();
  // A hook that calls us has variables that say another repository than this.
  const withheld = (): string[] => Object.keys(process.env).filter((name) => name.startsWith('GIT_'));
  const limits = { maxOutputBytes: MAX_OUTPUT_BYTES, killAfterMs: 1000, withheld };
  try {
    return (await runProgram(argv, ending.signal, limits).answer).stdout;
  } catch (thrown) {
    throw explained(asFailure(thrown), path);
  } finally {
    until.removeEventListener('abort', end);
  }
}

function explained(failure: Failure, path: string): Failure {
  const { stderr = '' } = failure.evidence;
  const details = { path, cause: failure };
  const name = quoted(path, 200);
  if (stderr.includes('dubious ownership') || stderr.includes('unsafe repository')) {
    const advice = `run this as its owner, or allow it: git config --global --add safe.directory PATH`;
    return new Failure('E_DENIED', `${name} belongs to another user, and git reads none of those; ${advice}`, details);
  }
  if (stderr.includes('not a git repository')) {
    return new Failure('E_NOT_FOUND', `${name} is no git repository, and in none`, details);
  }
  if (/cannot change to .*: Permission denied/.test(stderr)) {
    return new Failure('E_DENIED', `${name} may not be read by this user`, details);
  }
  if (stderr.includes('cannot change to')) return new Failure('E_NOT_FOUND', `${name} is no directory`, details);
  return failure;
}

/** `/srv/shop/.git`, `/srv/shop.git`, and what a submodule has of its own (`…/.git/modules/shop`). */
function nameOf(gitDirectory: string): string {
  const own = gitDirectory.replace(/\/\.git$/, '');
  return basename(own).replace(/\.git$/, '') || 'repository';
}

function tagsOf(output: string): GitTag[] {
  const texts = output.split('\0');
  const tags: GitTag[] = [];
  for (let at = 0; at + FIELDS.length < texts.length; at += FIELDS.length) {
    const fields = texts.slice(at, at + FIELDS.length);
    const [ref = '', type = '', hash = '', targetType = '', targetHash = '', taggerDate = ''] = fields;
    const [own = '', target = '', subject = ''] = fields.slice(6);
    // The end of the line before is at the first field.
    const name = ref.replace(/^\n/, '').replace(/^refs\/tags\//, '');
    const commitDate = own === '' ? target : own;
    tags.push({ name, type, hash, targetType, targetHash, taggerDate, commitDate, subject });
  }
  return tags;
}
