/**
 * A target that answers from files what a machine once answered: `session.yaml` and the raw outputs beside it.
 * What was not recorded does not exist there, so a collector that asks for something else fails as in the field.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Code, codes, Failure } from '../../src/errors.ts';
import { keeper, type Target, within } from '../../src/hosts/target.ts';

const failure = z.strictObject({ code: z.enum(Object.keys(codes) as [Code, ...Code[]]), message: z.string().min(1) });
const argv = z.array(z.string()).min(1);

const answersShape = {
  /** Path on the machine → file of the recording, or why it could not be read. */
  files: z.record(z.string().startsWith('/'), z.union([z.string(), z.strictObject({ failure })])).default({}),
  /** Program and arguments → file of the recording with its stdout, or how it failed. */
  programs: z
    .array(z.union([z.strictObject({ argv, file: z.string() }), z.strictObject({ argv, failure })]))
    .default([]),
};
const answers = z.strictObject(answersShape);
const sessionFile = z.strictObject({
  ...answersShape,
  /** The options that the collector runs with. */
  options: z.record(z.string(), z.unknown()),
  /** Instead of `files` and `programs`: what successive runs read. */
  readings: z.array(answers).min(2).optional(),
});

type Answer = { readonly file: string } | { readonly failure: z.infer<typeof failure> };

export interface Session {
  readonly options: Readonly<Record<string, unknown>>;
  /** One for each run; a question (`path`, or the words of a command) → its answer. */
  readonly readings: readonly ReadonlyMap<string, Answer>[];
  /** The files of the recording. */
  readonly references: readonly string[];
}

const fileKey = (path: string): string => `file ${path}`;
const programKey = (words: readonly string[]): string => `program ${JSON.stringify(words)}`;

export function readSession(folder: string): Session {
  const data = sessionFile.parse(parse(readFileSync(join(folder, 'session.yaml'), 'utf8')));
  const readings = (data.readings ?? [data]).map(({ files, programs }) => {
    const recorded = new Map<string, Answer>();
    for (const [path, answer] of Object.entries(files))
      recorded.set(fileKey(path), typeof answer === 'string' ? { file: join(folder, answer) } : answer);
    for (const program of programs)
      recorded.set(
        programKey(program.argv),
        'file' in program ? { file: join(folder, program.file) } : { failure: program.failure },
      );
    return recorded;
  });
  const all = readings.flatMap((recorded) => [...recorded.values()]);
  const references = all.flatMap((answer) => ('file' in answer ? [answer.file] : []));
  return { options: data.options, readings, references };
}

export interface RecordedTarget extends Target {
  /** What was recorded and never asked for, as `run 1: file /proc/net/snmp`. */
  unasked(): string[];
}

/** The first run gets the first reading, and so on; the last one is repeated. */
export function recordedTarget(name: string, { readings }: Session): RecordedTarget {
  const asked = readings.map(() => new Set<string>());
  let runs = 0;
  const refuse = async (what: string): Promise<never> => {
    throw new Failure('E_NOT_FOUND', `${what} is not in the recording`);
  };
  const kept = keeper({ connect: (path) => refuse(`socket ${path}`) });
  return {
    name,
    open(deadline) {
      const index = Math.min(runs, readings.length - 1);
      runs += 1;
      const answerTo = async (question: string, evidence: { argv?: readonly string[]; path?: string }) => {
        asked[index]?.add(question);
        const answer = readings[index]?.get(question);
        if (answer === undefined) throw new Failure('E_NOT_FOUND', `${question} is not in the recording`, evidence);
        if ('failure' in answer) throw new Failure(answer.failure.code, answer.failure.message, evidence);
        return readFileSync(answer.file, 'utf8');
      };
      return {
        name,
        run: (words) => within(deadline, answerTo(programKey(words), { argv: words })),
        readFile: (path) => within(deadline, answerTo(fileKey(path), { path })),
        connect: (path) => within(deadline, refuse(`socket ${path}`)),
        getJson: (url) => within(deadline, refuse(url)),
        netlink: ({ type }) => within(deadline, refuse(`netlink dump ${type}`)),
        keep: kept.keep,
        async settled() {},
      };
    },
    async close() {
      kept.close();
    },
    unasked: () =>
      readings.flatMap((recorded, index) =>
        [...recorded.keys()].filter((key) => !asked[index]?.has(key)).map((key) => `run ${index + 1}: ${key}`),
      ),
  };
}
