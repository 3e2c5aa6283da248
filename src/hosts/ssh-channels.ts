/** Opens channels of one connection, so that each call ends, whatever the server does or does not do. */
import type { Duplex } from 'node:stream';
import { Failure } from '../errors.ts';
import { channelFailure, type Purpose, placeOf } from './ssh-failures.ts';
import type { Opened, SshChannel, SshClient } from './ssh-library.ts';
import type { SshSettings } from './ssh-options.ts';
import { channelStream, closeChannel } from './ssh-stream.ts';
import type { Ending, Wire, WireSession } from './ssh-wire.ts';

export interface Channels extends Pick<Wire, 'exec' | 'connectUnix' | 'connectTcp'> {
  /** The connection is over: what waits is rejected with the reason, and what is open ends. */
  end(failure: Failure): void;
  /** Whether the server has sent more than it was given leave to, which would fill the memory. */
  isFlooded(): boolean;
}

/** What ssh2 gives leave for is 2 MiB for each channel. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** For a server to confirm that a session is closed. */
const CLOSING_MS = 1000;

/** `limitMs`: until when a server must have opened a channel. */
export function createChannels(client: SshClient, settings: SshSettings, limitMs: number): Channels {
  let over: Failure | undefined;
  /** What is told of the end; a promise would keep what once waited for it. */
  const told = new Set<(failure: Failure) => void>();
  const channels = new Set<SshChannel>();

  /** `use` is called before anything else of the channel can happen. */
  const open = <Value>(
    purpose: Purpose,
    start: (opened: Opened) => void,
    use: (channel: SshChannel) => Value,
  ): Promise<Value> =>
    new Promise((resolve, reject) => {
      if (over !== undefined) return reject(over);
      let isLate = false;
      const fail = (failure: Failure): void => {
        isLate = true;
        clearTimeout(timer);
        told.delete(fail);
        reject(failure);
      };
      const timer = setTimeout(
        () => fail(new Failure('E_TIMEOUT', `${placeOf(settings)} opened no channel in time; it hangs`)),
        limitMs,
      );
      told.add(fail);
      const opened: Opened = (error, channel) => {
        if (isLate && channel !== undefined) closeChannel(channel);
        if (isLate) return;
        if (error !== undefined && error !== null) return fail(over ?? channelFailure(error, purpose, settings));
        if (channel.outgoing?.packetSize === 0) {
          closeChannel(channel);
          // ssh2 would write packets of nothing for ever.
          return fail(new Failure('E_CONNECT', `${placeOf(settings)} opens a channel that takes no byte`));
        }
        clearTimeout(timer);
        told.delete(fail);
        channels.add(channel);
        channel.once('close', () => channels.delete(channel));
        resolve(use(channel));
      };
      try {
        start(opened);
      } catch (error) {
        // ssh2 throws when the connection is over and nobody was told yet.
        fail(new Failure('E_CONNECT', `${placeOf(settings)} is no longer connected`, { cause: error }));
      }
    });

  const forward = (purpose: Purpose, start: (opened: Opened) => void): Promise<Duplex> =>
    open(purpose, start, (channel) => {
      const stream = channelStream(channel, false);
      const fail = (failure: Failure): void => void stream.destroy(failure);
      told.add(fail);
      stream.once('close', () => told.delete(fail));
      return stream;
    });

  return {
    exec: (command) =>
      open(
        { kind: 'exec' },
        (opened) => client.exec(command, opened),
        (channel) => sessionOf(channel, told),
      ),
    connectUnix: (path) =>
      forward({ kind: 'unix', path }, (opened) => client.openssh_forwardOutStreamLocal(path, opened)),
    connectTcp: (host, port) =>
      forward({ kind: 'tcp', to: `${host}:${port}` }, (opened) =>
        client.forwardOut('127.0.0.1', 0, host, port, opened),
      ),
    end(failure) {
      over ??= failure;
      for (const tell of [...told]) tell(failure);
      told.clear();
    },
    isFlooded: () =>
      [...channels].some((channel) => channel.readableLength + channel.stderr.readableLength > MAX_UNREAD_BYTES),
  };
}

function sessionOf(channel: SshChannel, told: Set<(failure: Failure) => void>): WireSession {
  const stream = channelStream(channel, true);
  const ended = Promise.withResolvers<Ending>();
  let ending: Ending = { code: undefined, signal: undefined };
  channel.on('exit', (code: unknown, signal: unknown) => {
    ending = {
      code: typeof code === 'number' ? code : undefined,
      signal: typeof signal === 'string' ? signal.replace(/^SIG/, '') : undefined,
    };
  });
  const end = (): void => {
    told.delete(end);
    ended.resolve(ending);
  };
  told.add(end);
  channel.once('close', end);
  return {
    stdin: stream,
    stdout: stream,
    stderr: channel.stderr,
    ended: ended.promise,
    signal(name) {
      const { id, state } = channel.outgoing ?? {};
      if (id !== undefined && (state === 'open' || state === 'eof')) channel._client?._protocol?.signal(id, name);
    },
    destroy() {
      stream.destroy();
      // A server leaves it open for as long as the command runs, which is not told that nobody listens any more.
      const timer = setTimeout(end, CLOSING_MS);
      ended.promise.then(() => clearTimeout(timer));
    },
  };
}
