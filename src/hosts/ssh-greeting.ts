/** The first line that a server says (RFC 4253, section 4.2): where whatever listens there is found to be none. */
import type { Duplex } from 'node:stream';
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { closedFailure, placeOf, wireFailure } from './ssh-failures.ts';
import type { SshSettings } from './ssh-options.ts';

/** A server may say other lines before; OpenSSH takes as much of it. */
const MAX_BYTES = 64 * 1024;

/**
 * Resolves when the line is there, and leaves it and all after it in the stream, paused. ssh2 itself loses a part of a
 * greeting that comes in more than two pieces, and waits for the end of an endless one.
 */
export function awaitGreeting(socket: Duplex, settings: SshSettings): Promise<void> {
  const scene = { settings, stage: 'greeting' } as const;
  const chunks: Buffer[] = [];
  let total = 0;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      socket.pause();
      socket.off('data', take).off('error', fail).off('end', close).off('close', close);
    };
    const fail = (error: unknown): void => {
      stop();
      reject(wireFailure(error, scene));
    };
    const close = (): void => {
      stop();
      const said = Buffer.concat(chunks);
      reject(total === 0 ? closedFailure(scene) : foreign(said, settings));
    };
    const take = (chunk: Buffer): void => {
      total += chunk.length;
      chunks.push(chunk);
      // Only a line's end can make a difference, so that single bytes are not looked at again and again.
      if (!chunk.includes(10) && total <= MAX_BYTES) return;
      const said = Buffer.concat(chunks);
      const at = said.indexOf('SSH-') === 0 ? 0 : said.indexOf('\nSSH-') + 1;
      const isThere = (at > 0 || said.indexOf('SSH-') === 0) && said.includes(10, at);
      if (isThere) {
        stop();
        socket.unshift(said.subarray(at));
        resolve();
      } else if (total > MAX_BYTES) {
        stop();
        reject(foreign(said, settings));
      }
    };
    socket.on('data', take).on('error', fail).on('end', close).on('close', close);
  });
}

function foreign(said: Buffer, settings: SshSettings): Failure {
  const text = quoted(said.toString('latin1', 0, 200).trim(), 100);
  return new Failure('E_CONNECT', `${placeOf(settings)} does not greet as an SSH server does, but says ${text}`);
}
