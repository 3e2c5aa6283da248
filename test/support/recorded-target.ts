/**
 * A target that answers from files what a machine once answered: `session.yaml` and the raw outputs beside it.
 * What was not recorded does not exist there, so a collector that asks for something else fails as in the field.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { parse } from 'yaml';
import { z } from 'zod';
import type { FilePart, NetlinkRequest, Outcome } from '../../src/collector.ts';
import { asFailure, type Code, codes, type Evidence, Failure } from '../../src/errors.ts';
import type { Argv } from '../../src/host.ts';
import { textOf as bodyText, jsonOf } from '../../src/hosts/http-text.ts';
import { exitFailure } from '../../src/hosts/program.ts';
import { keeper, type Target, within } from '../../src/hosts/target.ts';
import { exchangesOf, questionsOf, recordedSockets, type SocketAnswer, socketQuestion } from './recorded-sockets.ts';

const failure = z.strictObject({
  code: z.enum(Object.keys(codes) as [Code, ...Code[]]),
  message: z.string().min(1),
  /** Of an HTTP answer. */
  status: z.int().min(100).max(599).optional(),
});
const argv = z.array(z.string()).min(1);
const hex = z.string().regex(/^(?:[0-9a-f]{2})+$/);

const answersShape = {
  /** Path on the machine → file of the recording, or why it could not be read. */
  files: z
    .record(
      z.string().startsWith('/'),
      z.union([
        z.string(),
        z.strictObject({ file: z.string(), identity: z.string().min(1) }),
        z.strictObject({ failure }),
      ]),
    )
    .default({}),
  /** Path of a directory → the names in it, or why it could not be read. */
  directories: z
    .record(z.string().startsWith('/'), z.union([z.array(z.string().min(1)), z.strictObject({ failure })]))
    .default({}),
  /** Program and arguments → file of the recording with its stdout and how it ended, or how it failed. */
  programs: z
    .array(
      z.union([
        z.strictObject({ argv, file: z.string(), status: z.int().default(0), stderr: z.string().default('') }),
        z.strictObject({ argv, failure }),
      ]),
    )
    .default([]),
  /** Path of a unix socket → what it says there (JSON-RPC), or why nobody can connect. */
  sockets: z.record(z.string().startsWith('/'), z.union([exchangesOf, z.strictObject({ failure })])).default({}),
  /** URL → file with the body, JSON or text, or why there was none. */
  http: z.record(z.url(), z.union([z.string(), z.strictObject({ failure })])).default({}),
  /** Message type and, where it matters, the request's body (hex, quoted) → file with the received messages. */
  netlink: z
    .array(
      z.union([
        z.strictObject({ type: z.int(), body: hex.optional(), file: z.string() }),
        z.strictObject({ type: z.int(), body: hex.optional(), failure }),
      ]),
    )
    .default([]),
};
const answers = z.strictObject(answersShape);
const sessionFile = z.strictObject({
  ...answersShape,
  /** The options that the collector runs with. */
  options: z.record(z.string(), z.unknown()),
  /** Instead of these: what successive runs read. */
  readings: z.array(answers).min(2).optional(),
});

interface RecordedFile {
  readonly file: string;
  readonly identity?: string;
  /** Of a program. */
  readonly status?: number;
  readonly stderr?: string;
}

type Answer =
  | RecordedFile
  | { readonly names: readonly string[] }
  | { readonly failure: z.infer<typeof failure> }
  /** A socket that takes connections. */
  | { readonly up: true }
  | SocketAnswer;

export interface Session {
  readonly options: Readonly<Record<string, unknown>>;
  /** One for each run; a question (a path, the words of a command, a request) → its answer. */
  readonly readings: readonly ReadonlyMap<string, Answer>[];
  /** The files of the recording. */
  readonly references: readonly string[];
}

const fileKey = (path: string): string => `file ${path}`;
const directoryKey = (path: string): string => `directory ${path}`;
const httpKey = (url: string): string => `http ${url}`;
const programKey = (words: readonly string[]): string => `program ${JSON.stringify(words)}`;

const netlinkKey = (type: number, body?: string): string => `netlink ${type}${body === undefined ? '' : ` ${body}`}`;

export function readSession(folder: string): Session {
  const data = sessionFile.parse(parse(readFileSync(join(folder, 'session.yaml'), 'utf8')));
  const readings = (data.readings ?? [data]).map(({ files, directories, programs, sockets, http, netlink }) => {
    const recorded = new Map<string, Answer>();
    const add = (question: string, answer: Answer): void => {
      if (recorded.has(question)) throw new Error(`${folder}/session.yaml answers twice: ${question}`);
      recorded.set(question, 'file' in answer ? { ...answer, file: join(folder, answer.file) } : answer);
    };
    for (const [path, answer] of Object.entries(files))
      add(fileKey(path), typeof answer === 'string' ? { file: answer } : answer);
    for (const [path, answer] of Object.entries(directories))
      add(directoryKey(path), Array.isArray(answer) ? { names: answer } : answer);
    for (const [url, answer] of Object.entries(http))
      add(httpKey(url), typeof answer === 'string' ? { file: answer } : answer);
    for (const { argv: words, ...answer } of programs) add(programKey(words), answer);
    for (const [path, answer] of Object.entries(sockets)) {
      if ('failure' in answer) add(socketQuestion(path), answer);
      else {
        add(socketQuestion(path), { up: true });
        for (const [question, exchange] of questionsOf(path, answer)) add(question, exchange);
      }
    }
    for (const { type, body, ...answer } of netlink) add(netlinkKey(type, body), answer);
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
  const readingOf = (run: number): number => Math.max(0, Math.min(run, readings.length) - 1);
  const lookIn = (index: number, question: string): Answer | undefined => {
    const answer = readings[index]?.get(question);
    if (answer !== undefined) asked[index]?.add(question);
    return answer;
  };
  /** The answer to a question, or the Failure that was recorded; what was not recorded does not exist. */
  const demand = (index: number, question: string, evidence: Evidence): Exclude<Answer, { failure: unknown }> => {
    const answer = lookIn(index, question);
    if (answer === undefined) throw new Failure('E_NOT_FOUND', `${question} is not in the recording`, evidence);
    if ('failure' in answer) {
      const { code, message, status } = answer.failure;
      throw new Failure(code, message, status === undefined ? evidence : { ...evidence, status });
    }
    return answer;
  };
  const contentOf = async (index: number, question: string, evidence: Evidence): Promise<Buffer> => {
    const answer = demand(index, question, evidence);
    if (!('file' in answer)) throw new Failure('E_BUG', `${question} has no file`, evidence);
    return readFileSync(answer.file);
  };
  const textOf = async (index: number, question: string, evidence: Evidence): Promise<string> =>
    (await contentOf(index, question, evidence)).toString('utf8');

  const fileOf = async (index: number, path: string): Promise<string> => textOf(index, fileKey(path), { path });
  const outcomeOf = async (index: number, words: Argv, statuses: readonly number[]): Promise<Outcome> => {
    const answer = demand(index, programKey(words), { argv: words });
    if (!('file' in answer)) throw new Failure('E_BUG', `${words[0]} has no file`, { argv: words });
    const { status = 0, stderr = '' }: RecordedFile = answer;
    if (status !== 0 && !statuses.includes(status))
      throw exitFailure(words, { code: status, signal: undefined }, stderr);
    return { status, stdout: readFileSync(answer.file, 'utf8'), stderr };
  };
  const partOf = async (index: number, path: string, offset: number, maxBytes: number): Promise<FilePart> => {
    const answer = demand(index, fileKey(path), { path });
    if (!('file' in answer)) throw new Failure('E_BUG', `${path} has no file`, { path });
    const { file, identity = path }: RecordedFile = answer;
    const whole = readFileSync(file);
    const bytes = whole.subarray(offset, offset + maxBytes);
    return { bytes, size: whole.length, identity };
  };
  const namesIn = async (index: number, path: string): Promise<readonly string[]> => {
    const answer = demand(index, directoryKey(path), { path });
    return 'names' in answer ? answer.names.toSorted() : [];
  };

  const sockets = recordedSockets(
    (path) => 'up' in (lookIn(readingOf(runs), socketQuestion(path)) ?? {}),
    (question) => {
      const answer = lookIn(readingOf(runs), question);
      return answer !== undefined && ('file' in answer || 'error' in answer) ? answer : undefined;
    },
  );
  const connect = async (path: string, until: AbortSignal): Promise<Duplex> => {
    until.throwIfAborted();
    demand(readingOf(runs), socketQuestion(path), { path });
    return sockets.connect(path, until);
  };
  const kept = keeper({ connect });
  return {
    name,
    open(deadline) {
      runs += 1;
      const index = readingOf(runs);
      sockets.begin();
      const body = (url: string): Promise<Buffer> => contentOf(index, httpKey(url), { url });
      const dump = async ({ type, body }: NetlinkRequest): Promise<readonly Uint8Array[]> => {
        const exact = netlinkKey(type, Buffer.from(body).toString('hex'));
        return [await contentOf(index, readings[index]?.has(exact) ? exact : netlinkKey(type), {})];
      };
      return {
        name,
        run: (words) =>
          within(
            deadline,
            outcomeOf(index, words, []).then(({ stdout }) => stdout),
          ),
        outcome: (words, statuses) => within(deadline, outcomeOf(index, words, statuses)),
        readFile: (path) => within(deadline, fileOf(index, path)),
        readFiles: (paths) => within(deadline, Promise.all(paths.map((path) => fileOf(index, path).catch(asFailure)))),
        readPart: (path, offset, maxBytes) => within(deadline, partOf(index, path, offset, maxBytes)),
        list: (path) => within(deadline, namesIn(index, path)),
        connect: (path) => within(deadline, connect(path, deadline)),
        getJson: (url) =>
          within(
            deadline,
            body(url).then((bytes) => jsonOf(bytes, false, url)),
          ),
        getText: (url) =>
          within(
            deadline,
            body(url).then((bytes) => bodyText(bytes, false, url)),
          ),
        netlink: (request) => within(deadline, dump(request)),
        keep(key, make) {
          deadline.throwIfAborted();
          return kept.keep(key, make);
        },
        async settled() {},
      };
    },
    renew: kept.renew,
    async close() {
      kept.close();
      sockets.close();
    },
    unasked: () =>
      readings.flatMap((recorded, index) =>
        [...recorded.keys()].filter((key) => !asked[index]?.has(key)).map((key) => `run ${index + 1}: ${key}`),
      ),
  };
}
