/** A channel as a stream like any other: ssh2's throws when it is used late, and is not destroyed by `destroy`. */
import { Duplex } from 'node:stream';
import type { SshChannel } from './ssh-library.ts';

/**
 * `isHalfOpen`: what is written here may go on after the other side has said all that it had to say, as for a program;
 * else the stream ends with it, as a socket does. Its errors have a listener: they are its user's to see.
 */
export function channelStream(channel: SshChannel, isHalfOpen: boolean): Duplex {
  let isEnded = false;
  const stream = new Duplex({
    allowHalfOpen: isHalfOpen,
    read: () => void channel.resume(),
    write(chunk, _, done) {
      attempt(() => channel.write(chunk, done), done);
    },
    final(done) {
      attempt(() => {
        channel.end();
        done();
      }, done);
    },
    destroy(error, done) {
      closeChannel(channel);
      done(error);
    },
  });
  stream.on('error', () => {});
  channel.on('error', () => {});
  channel.stderr.on('error', () => {});
  channel.on('data', (chunk: Buffer) => {
    if (!isEnded && !stream.destroyed && !stream.push(chunk)) channel.pause();
  });
  const end = (): void => {
    if (isEnded) return;
    isEnded = true;
    if (!stream.destroyed) stream.push(null);
  };
  channel.on('end', end);
  channel.on('close', () => {
    end();
    // Nobody reads any more what is written.
    if (!stream.destroyed) stream.end();
  });
  return stream;
}

/** Closes it from this side, and drops what it still brings: it is closed only when that is read. */
export function closeChannel(channel: SshChannel): void {
  channel.removeAllListeners('data');
  attempt(
    () => {
      channel.close();
      channel.stderr.resume();
      channel.resume();
    },
    () => {},
  );
}

function attempt(call: () => void, failed: (error: Error) => void): void {
  try {
    call();
  } catch (error) {
    failed(error as Error);
  }
}
