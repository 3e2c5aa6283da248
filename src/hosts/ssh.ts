/** One SSH connection, over a socket or through another machine; the only module that knows ssh2. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { Failure } from '../errors.ts';
import { createChannels } from './ssh-channels.ts';
import { closedFailure, lateFailure, placeOf, type Scene, type Stage, wireFailure } from './ssh-failures.ts';
import { awaitGreeting } from './ssh-greeting.ts';
import { type Identity, identityOf } from './ssh-keys.ts';
import type { SshLibrary } from './ssh-library.ts';
import type { SshSettings } from './ssh-options.ts';
import { type Trust, trustFor } from './ssh-trust.ts';
import type { Wire } from './ssh-wire.ts';
import { within } from './target.ts';

/** A dead peer is noticed after `(silences + 1) * probeMs`. */
export interface Pace {
  /** How often it is asked whether it lives. */
  readonly probeMs: number;
  /** So many questions may stay without an answer. */
  readonly silences: number;
  /** For a server to open a channel. */
  readonly channelMs: number;
}

export interface Watched {
  /** Called with how far the attempt has come. */
  readonly told?: (stage: Stage) => void;
}

const USUAL: Pace = { probeMs: 4000, silences: 2, channelMs: 10_000 };
/** For one of several addresses of a name, before the next is tried too; the default is too short for far machines. */
const ADDRESS_MS = 2000;
/** For the goodbye of a connection that is ended here. */
const GOODBYE_MS = 500;

/**
 * Connects, verifies the host key and logs in. `until` ends the attempt, not the connection. `through`: the machine on
 * the way, whose connection this one does not end. `E_CONNECT E_AUTH E_TIMEOUT`; for files and options of this side also
 * `E_CONFIG E_NOT_FOUND E_DENIED`; `E_DENIED` also where the machine on the way forbids it.
 */
export async function dial(
  settings: SshSettings,
  until: AbortSignal,
  through?: Wire,
  { told = () => {}, ...more }: Partial<Pace> & Watched = {},
): Promise<Wire> {
  if (until.aborted) throw until.reason;
  const pace = { ...USUAL, ...more };
  const library = await loadLibrary();
  // What is wrong on this side is said before anybody is disturbed.
  const [identity, trust] = await Promise.all([
    identityOf(settings, library.utils.parseKey, until),
    trustFor(settings, until),
  ]);
  const bounded = <Value>(stage: Stage, work: Promise<Value>): Promise<Value> => {
    told(stage);
    return within(until, work).catch((error) => {
      throw until.aborted && error === until.reason ? lateReason(until, { settings, stage }) : error;
    });
  };
  const socket = await bounded('connect', socketTo(settings, until, through));
  try {
    await bounded('greeting', awaitGreeting(socket, settings));
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return logIn(library, socket, { settings, identity, trust, until, pace, told });
}

/** At first use: a daemon without such targets has nothing of it in its memory. */
async function loadLibrary(): Promise<SshLibrary> {
  const { default: library } = await import('ssh2');
  // Its own types are those of an older Node.js; see ssh-library.ts.
  return library as unknown as SshLibrary;
}

/** Why the attempt has ended: its time, said by what it waited for, or what else its owner says. */
function lateReason(until: AbortSignal, scene: Scene): Failure {
  const reason: unknown = until.reason;
  return reason instanceof Failure && reason.code !== 'E_TIMEOUT' ? reason : lateFailure(scene);
}

/** Without Nagle's algorithm from the beginning: it costs 40 ms for each small request, and ssh2 leaves it on. */
async function socketTo(settings: SshSettings, until: AbortSignal, through: Wire | undefined): Promise<Duplex> {
  const host = settings.host.replace(/^\[(.*)\]$/, '$1');
  if (through !== undefined) {
    const stream = await through.connectTcp(host, settings.port);
    if (until.aborted) stream.destroy();
    return stream;
  }
  const socket = connect({ host, port: settings.port, noDelay: true, autoSelectFamilyAttemptTimeout: ADDRESS_MS });
  // It stays: whatever comes later is told by the end of the connection.
  socket.on('error', () => {});
  const end = (): void => void socket.destroy();
  until.addEventListener('abort', end, { once: true });
  try {
    await once(socket, 'connect', { signal: until });
    return socket;
  } catch (error) {
    socket.destroy();
    throw until.aborted ? until.reason : wireFailure(error, { settings, stage: 'connect' });
  } finally {
    until.removeEventListener('abort', end);
  }
}

interface Login extends Required<Watched> {
  readonly settings: SshSettings;
  readonly identity: Identity;
  readonly trust: Trust;
  readonly until: AbortSignal;
  readonly pace: Pace;
}

/** All that ssh2 tells ends in one place, and the first reason wins. */
function logIn(library: SshLibrary, socket: Duplex, login: Login): Promise<Wire> {
  const { settings, identity, trust, until, pace, told } = login;
  const client = new library.Client();
  const channels = createChannels(client, settings, pace.channelMs);
  const opened = Promise.withResolvers<Wire>();
  const ended = Promise.withResolvers<Failure>();
  const silenceMs = (pace.silences + 1) * pace.probeMs;
  let scene: Scene = { settings, stage: 'handshake', identity: identity.name, silenceMs };
  told(scene.stage);
  let isOver = false;

  const finish = (failure: Failure, close: () => void): void => {
    if (isOver) return;
    isOver = true;
    until.removeEventListener('abort', abort);
    opened.reject(failure);
    ended.resolve(failure);
    channels.end(failure);
    close();
  };
  const fail = (failure: Failure): void => finish(failure, () => socket.destroy());
  const abort = (): void => fail(lateReason(until, scene));
  const wire: Wire = {
    exec: channels.exec,
    connectUnix: channels.connectUnix,
    connectTcp: channels.connectTcp,
    ended: ended.promise,
    end() {
      const failure = new Failure('E_ABORTED', `${placeOf(settings)} was closed on this side`);
      finish(failure, () => {
        const timer = setTimeout(() => socket.destroy(), GOODBYE_MS);
        socket.once('close', () => clearTimeout(timer));
        client.end();
      });
    },
  };

  let refusal: Failure | undefined;
  const ways = [...identity.attempts];
  client.on('error', (error: unknown) => fail(refusal ?? wireFailure(error, scene)));
  client.on('end', () => fail(closedFailure(scene)));
  client.on('close', () => fail(closedFailure(scene)));
  client.on('banner', (banner: string) => {
    scene = { ...scene, banner: banner.slice(0, 1000) };
  });
  client.on('handshake', () => {
    if (scene.stage !== 'handshake') return;
    scene = { ...scene, stage: 'login' };
    told(scene.stage);
  });
  client.on('ready', () => {
    scene = { ...scene, stage: 'ready' };
    until.removeEventListener('abort', abort);
    opened.resolve(wire);
  });
  until.addEventListener('abort', abort, { once: true });
  if (until.aborted) abort();
  else {
    client.connect({
      sock: socket,
      username: settings.user,
      // Without compression, by which a small packet becomes a large one.
      algorithms: { serverHostKey: trust.algorithms, compress: ['none'] },
      // Anything but `false` is a yes to ssh2, and an exception would go past it.
      hostVerifier(key) {
        try {
          refusal = trust.refusal(key);
        } catch (error) {
          refusal = wireFailure(error, scene);
        }
        return refusal === undefined;
      },
      authHandler(left, isPartial, next) {
        scene = { ...scene, ...(left === null ? {} : { methods: left }), isPartial: isPartial === true };
        // The server has proved by now that it has its host key.
        trust.remember(until).then(
          () => next(ways.shift() ?? false),
          (error: unknown) => fail(wireFailure(error, scene)),
        );
        return undefined;
      },
      keepaliveInterval: pace.probeMs,
      keepaliveCountMax: pace.silences,
      // The attempt has a limit of its own.
      readyTimeout: 0,
      // Others than OpenSSH say themselves what they do not know.
      strictVendor: false,
    });
    socket.on('data', () => {
      if (channels.isFlooded()) {
        fail(new Failure('E_CONNECT', `${placeOf(settings)} sends more than it may; the connection was ended`));
      }
    });
  }
  return opened.promise;
}
