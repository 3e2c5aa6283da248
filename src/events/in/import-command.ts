/** `edgestatd event import`: events of a file, of standard input, or of the tags of a git repository. */
import type { Clock } from '../../clock.ts';
import { asFailure, Failure } from '../../errors.ts';
import { quoted } from '../../text.ts';
import { waitsFor } from '../commands.ts';
import { openDesk } from '../desk.ts';
import type { EventsOptions } from '../options.ts';
import { createStamp } from '../taking.ts';
import { eventsOfGit } from './git.ts';
import { type ImportResult, importEvents } from './import.ts';
import { openImport } from './import-file.ts';
import { createProgress, type Progress } from './import-progress.ts';
import { formatOf, type ImportFormat, type ImportRow, readEvents } from './import-rows.ts';

export interface Import {
  readonly file: string | undefined;
  readonly git?: string;
  readonly tags: readonly string[];
  readonly format?: ImportFormat;
  readonly strict?: boolean;
}

export interface Imported {
  readonly printed: string[];
  /** For stderr. */
  readonly notes: string[];
  /** A row was none. */
  readonly failed: boolean;
}

interface Input {
  readonly name: string;
  readonly rows: AsyncIterable<ImportRow>;
  readonly source: string;
  readonly progress: Progress;
  readonly notes: readonly string[];
}

const GIT_MS = 60_000;

export async function importInto(options: EventsOptions, wanted: Import, clock: Clock): Promise<Imported> {
  const input = await inputOf(wanted, clock);
  const desk = await openDesk(options, clock);
  try {
    const { name, rows, source, progress } = input;
    const strict = wanted.strict === true;
    const importing = importEvents({ rows, take: desk.take, source, strict, onProgress: progress.show });
    const result = await importing.catch((thrown) => named(name, thrown)).finally(progress.clear);
    const notes = [...input.notes, ...faultLines(name, result, strict)];
    if (result.added > 0) notes.push(...waitsFor(options, desk.hasDaemon));
    return { printed: [summary(name, result)], notes, failed: result.faulty > 0 };
  } finally {
    desk.close();
  }
}

/** What ends an import says where: what is wrong with a row says so already. */
function named(name: string, thrown: unknown): never {
  const { code, message, evidence } = asFailure(thrown);
  if (code !== 'E_PARSE' || message.includes(name)) throw thrown;
  throw new Failure(code, `${quoted(name)}: ${message}`, { ...evidence, cause: thrown });
}

function summary(name: string, { read, added, known, faulty }: ImportResult): string {
  const wrong = faulty === 0 ? '' : `, ${faulty} wrong`;
  return `${quoted(name)}: ${read} read, ${added} added, ${known} known already${wrong}`;
}

function faultLines(name: string, { faults, faulty }: ImportResult, strict: boolean): string[] {
  const lines = faults.map(({ message }) => `${name}: ${message}`);
  if (faulty > faults.length) lines.push(`${name}: … and ${faulty - faults.length} more`);
  if (strict && faulty > 0) lines.push(`${name}: nothing was taken (--strict)`);
  return lines;
}

async function inputOf(wanted: Import, clock: Clock): Promise<Input> {
  const { file, git, tags, format } = wanted;
  if ((file === undefined) === (git === undefined)) {
    throw new Failure('E_CONFIG', 'event import: expected a file (- is standard input), or --git REPOSITORY');
  }
  const stamp = createStamp(clock.wallMs);
  if (git !== undefined) {
    if (format !== undefined) throw new Failure('E_CONFIG', 'event import: --format is for files, and not for --git');
    return ofGit(git, tags, stamp());
  }
  if (tags.length > 0) throw new Failure('E_CONFIG', 'event import: --tags is for --git alone');
  const path = file ?? '-';
  const { bytes, readBytes, totalBytes } = await openImport(path);
  const name = path === '-' ? 'standard input' : path;
  const progress = createProgress(process.stderr, { name, readBytes, totalBytes }, clock);
  return { name, rows: readEvents(bytes, format ?? formatOf(path), stamp), source: 'import', progress, notes: [] };
}

async function ofGit(repo: string, tags: readonly string[], nowUs: number): Promise<Input> {
  const { rows, skipped } = await eventsOfGit({ repo, tags, nowUs, deadline: AbortSignal.timeout(GIT_MS) });
  const notes = skipped.map(({ tag, reason }) => `${repo}: the tag ${quoted(tag)} was left out: ${reason}`);
  const none: Progress = { show: () => {}, clear: () => {} };
  const all = async function* (): AsyncGenerator<ImportRow> {
    yield* rows;
  };
  return { name: repo, rows: all(), source: 'git', progress: none, notes };
}
