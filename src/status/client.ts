/** Asks a running daemon by its socket: for `status` and `top`. */
import { defaultConfigFile, SYSTEM_FILE } from '../config.ts';
import { readConfigFile, valueAt } from '../config-file.ts';
import { Failure, systemCode } from '../errors.ts';
import { Agent, request } from '../node-http.ts';
import { resolveReferences } from '../references.ts';
import { quoted } from '../text.ts';
import type { StatusDocument, TableDocument, TablesDocument } from './document.ts';
import { readStatus, readTable, readTables } from './document-read.ts';
import { ownSurroundings, type PlaceSurroundings, realPath, socketToAsk } from './place.ts';

/**
 * The socket of the daemon that this configuration is of. Reads only `status.socket` of the file: references to secrets
 * that are the service's alone are no reason to fail. `E_CONFIG` where the file cannot be read.
 */
export type SocketOf = (
  flags: { readonly config?: string; readonly socket?: string },
  around?: PlaceSurroundings,
) => string;

export const socketOf: SocketOf = ({ config, socket }, around = ownSurroundings()) => {
  if (socket !== undefined) return socket;
  const file = config ?? defaultConfigFile();
  const read = readConfigFile(file);
  if ('refusal' in read) throw new Failure('E_CONFIG', read.refusal.join('\n'));
  const told = resolveReferences(valueAt(read.data, ['status', 'socket']), around.env).value;
  if (told === false) {
    const where = read.place(['status', 'socket']);
    throw new Failure('E_CONFIG', `${where}: status.socket is false, so that the daemon cannot be asked; remove it`);
  }
  if (typeof told === 'string') return told;
  return socketToAsk(file, realPath(file) === realPath(SYSTEM_FILE), around);
};

/**
 * Each of these rejects: `E_CONNECT` nobody answers there, `E_DENIED` not this user's, `E_TIMEOUT`, `E_HTTP_STATUS` an
 * error that the daemon said (`evidence.status`: 400 of a wrong question, 404 of a table that it has not), or one of a
 * daemon that is older than this command and does not know the question; `E_PARSE` no JSON of ours. The message says
 * which socket, and what to do.
 */
export interface Client {
  /** What an older or newer daemon does not tell is absent, empty or 0 in it; `format` is as it says. */
  status(): Promise<StatusDocument>;
  tables(): Promise<TablesDocument>;
  table(name: string, question: URLSearchParams): Promise<TableDocument>;
  close(): void;
}

const ANSWER_MS = 5000;
const MAX_BYTES = 64 * 2 ** 20;

interface Answered {
  readonly status: number;
  readonly body: string;
}

export function createClient(socket: string, answerMs = ANSWER_MS): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });

  const ask = async (path: string): Promise<unknown> => {
    let answer: Answered;
    try {
      answer = await get(agent, socket, path, answerMs);
    } catch (thrown) {
      throw connectFailure(thrown, socket, answerMs);
    }
    const { status, body } = answer;
    const value = jsonOf(body);
    if (status === 200 && value !== undefined) return value;
    if (status === 200) {
      const message = `what answers on ${quoted(socket)} is no edgestatd: no JSON`;
      throw new Failure('E_PARSE', message, { path: socket });
    }
    const said = valueAt(value, ['error']);
    const isKnown = typeof said === 'string' && (status !== 404 || /^\/tables\/./.test(path));
    const message = isKnown
      ? `the daemon at ${quoted(socket)} says: ${quoted(said, 500).slice(1, -1)}`
      : `what answers on ${quoted(socket)} says status ${status} to ${path}: is it an older edgestatd? Restart it`;
    throw new Failure('E_HTTP_STATUS', message, { path: socket, status });
  };
  return {
    status: async () => readStatus(await ask('/status'), socket),
    tables: async () => readTables(await ask('/tables'), socket),
    table: async (name, question) => {
      const query = question.size === 0 ? '' : `?${question}`;
      return readTable(await ask(`/tables/${encodeURIComponent(name)}${query}`), socket);
    },
    close: () => agent.destroy(),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function get(agent: InstanceType<typeof Agent>, socketPath: string, path: string, answerMs: number): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(answerMs);
    const asked = request({ agent, socketPath, path, signal, headers: { host: 'localhost' } }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) asked.destroy(new Error(`the answer is larger than ${MAX_BYTES} bytes`));
        chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

const START = 'is it running? See "systemctl status edgestatd", or start it with "edgestatd run"';

function connectFailure(thrown: unknown, socket: string, answerMs: number): Failure {
  const at = quoted(socket, 200);
  const details = { path: socket, cause: thrown };
  const code = systemCode(thrown) ?? '';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new Failure('E_CONNECT', `no daemon answers: there is no socket ${at}; ${START}`, details);
  }
  if (code === 'ECONNREFUSED') {
    return new Failure('E_CONNECT', `no daemon answers on the socket ${at}; ${START}`, details);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    const message = `this user may not ask the daemon at ${at}; be root, or join the group of the socket (edgestatd)`;
    return new Failure('E_DENIED', message, details);
  }
  if (code === 'ABORT_ERR' || (thrown as Error).name === 'TimeoutError') {
    return new Failure('E_TIMEOUT', `the daemon at ${at} has not answered within ${answerMs / 1000} s`, details);
  }
  if (code.startsWith('HPE_')) {
    return new Failure('E_PARSE', `what answers on ${at} is no edgestatd: it does not speak HTTP`, details);
  }
  return new Failure('E_CONNECT', `the daemon at ${at} could not be asked: ${(thrown as Error).message}`, details);
}
