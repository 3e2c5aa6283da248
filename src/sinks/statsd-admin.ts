/** The admin port of StatsD (docs/admin_interface.md there): one command a connection, a text that ends with `END`. */
import { connect } from 'node:net';
import { Failure, systemCode } from '../errors.ts';

const TIMEOUT_MS = 3000;
const MAX_BYTES = 64 * 1024 * 1024;

/** Sends one command; resolves with the answer's text. `E_CONNECT E_TIMEOUT E_OUTPUT_SIZE`. */
export function ask(host: string, port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let tail = '';
    const end = (failure?: Failure): void => {
      clearTimeout(timer);
      socket.destroy();
      if (failure === undefined) resolve(Buffer.concat(chunks).toString('utf8'));
      else reject(failure);
    };
    const timer = setTimeout(
      () => end(new Failure('E_TIMEOUT', `${host}:${port} did not answer "${command}"`)),
      TIMEOUT_MS,
    );
    socket.once('connect', () => socket.write(`${command}\n`));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      tail = (tail + chunk.toString('latin1')).slice(-8);
      if (/(?:END|ERROR)\s*$/.test(tail)) end();
      else if (bytes > MAX_BYTES)
        end(new Failure('E_OUTPUT_SIZE', `${host}:${port} answered with more than ${MAX_BYTES} bytes`));
    });
    socket.once('error', (error) =>
      end(new Failure('E_CONNECT', `${host}:${port}: ${systemCode(error) ?? error.message}`)),
    );
    socket.once('close', () => end());
  });
}

/** A gauge's value in the answer to `gauges`, which is JavaScript's text of an object (`{ 'a.b': 1 }`). */
export function gaugeIn(answer: string, name: string): number | undefined {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const found = new RegExp(`(?:^|[\\s{,])['"]?${escaped}['"]?: (-?[0-9][0-9.e+-]*)`).exec(answer);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

/** How many malformed lines the server has seen, in the answer to `stats`. */
export function badLinesIn(answer: string): number | undefined {
  const found = /^messages\.bad_lines_seen: ([0-9]+)$/m.exec(answer);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}
