/** What Carbon has stored, read from its Whisper files by Whisper itself. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PYTHON } from './graphite-files.ts';

const program = new URL('./carbon-points.py', import.meta.url).pathname;

/** One place for a point in a Whisper file; null when it has none. */
export interface Slot {
  readonly seconds: number;
  readonly value: number | null;
}

export interface PointReader {
  /**
   * Per series its slots from one second to another, both included, of the finest archive that goes back that far;
   * undefined when there is no such series. Slots that are older than all archives are not among them.
   */
  read(series: readonly string[], from: number, until: number): Promise<Map<string, Slot[] | undefined>>;
  close(): void;
}

/** Where a series is stored below the folder of Whisper files. Carbon sorts tags before it does that. */
export function fileOf(series: string): string {
  const [name = '', ...tags] = series.split(';');
  if (tags.length === 0) return `${name.replaceAll('.', '/').replace(/^\/+/, '')}.wsp`;
  const hash = createHash('sha256')
    .update([name, ...tags.toSorted()].join(';'))
    .digest('hex');
  return join('_tagged', hash.slice(0, 3), hash.slice(3, 6), `${hash}.wsp`);
}

/** The name of each file, with dots; of a tagged series no more can be told from it than `_tagged.…`. */
export const seriesIn = (directory: string): string[] =>
  globSync('**/*.wsp', { cwd: directory })
    .map((file) => file.slice(0, -'.wsp'.length).replaceAll('/', '.'))
    .toSorted();

type Found = readonly [step: number, first: number, values: readonly (number | null)[]] | null;

/** One program reads all: to start one takes longer than to read hundreds of files. */
export function pointReader(directory: string, env: NodeJS.ProcessEnv): PointReader {
  const start = () => {
    const child = spawn(PYTHON, [program], { stdio: ['pipe', 'pipe', 'pipe'], env });
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaints += chunk;
    });
    child.stdin.on('error', () => {});
    const ended = once(child, 'close').then(() => {
      throw new Error(`the reader of Whisper files ended: ${complaints}`);
    });
    ended.catch(() => {});
    return { child, ended, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  };
  let running: ReturnType<typeof start> | undefined;
  // One question at a time: answers come in order.
  let last: Promise<unknown> = Promise.resolve();

  async function answer(series: readonly string[], from: number, until: number): Promise<readonly Found[]> {
    running ??= start();
    const { child, ended, lines } = running;
    child.stdin.write(`${JSON.stringify([series.map((one) => join(directory, fileOf(one))), from, until])}\n`);
    const { value } = await Promise.race([lines.next(), ended]);
    if (value === undefined) return ended;
    return JSON.parse(value);
  }

  return {
    async read(series, from, until) {
      const answered = last.then(() => answer(series, Math.ceil(from), Math.floor(until)));
      last = answered.catch(() => {});
      const found = await answered;
      return new Map(
        series.map((one, index) => {
          const file = found[index] ?? null;
          if (file === null) return [one, undefined];
          const [step, first, values] = file;
          return [one, values.map((value, place) => ({ seconds: first + place * step, value }))];
        }),
      );
    },
    close() {
      running?.child.kill('SIGKILL');
    },
  };
}
