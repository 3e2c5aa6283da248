/** HTTP as another machine sees it: connections that begin there, with names that are looked up there. */
import type { ClientRequestArgs } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { asFailure, Failure } from '../errors.ts';
import { Agent as HttpAgent } from '../node-http.ts';
import type { Agents } from './http.ts';
import type { Link } from './ssh-wire.ts';
import { within } from './target.ts';

/** As for connections from here. */
const CONNECT_MS = 5000;

type Made = (error: Error | null, stream: Duplex) => void;
type Wanted = ClientRequestArgs & ConnectionOptions;

/** For one run: what its deadline finds open is closed. */
export function agentsThrough(link: Link, deadline: AbortSignal): Agents {
  const open = async (wanted: Wanted): Promise<Duplex> => {
    const wire = await link.wire(deadline);
    const host = wanted.host ?? 'localhost';
    const opening = wire.connectTcp(unbracketed(host), Number(wanted.port));
    const stream = await within(AbortSignal.any([deadline, AbortSignal.timeout(CONNECT_MS)]), opening).catch(
      (thrown) => {
        opening.then((late) => late.destroy()).catch(() => {});
        if (thrown instanceof Failure) throw thrown;
        throw new Failure('E_TIMEOUT', `no connection to ${host}:${wanted.port} within ${CONNECT_MS / 1000} s`);
      },
    );
    return socketLike(stream);
  };
  const make = (wanted: Wanted, made: Made | undefined, use: (stream: Duplex) => Duplex): undefined => {
    open(wanted).then(
      (stream) => made?.(null, use(stream)),
      // Node's type asks for a stream in every case.
      (thrown) => made?.(asFailure(thrown), undefined as unknown as Duplex),
    );
    return undefined;
  };

  class ThroughHttp extends HttpAgent {
    override createConnection(wanted: Wanted, made?: Made): undefined {
      return make(wanted, made, (stream) => stream);
    }
  }
  class ThroughHttps extends HttpsAgent {
    override createConnection(wanted: Wanted, made?: Made): undefined {
      return make(wanted, made, (stream) => {
        const { host: _, port: __, path: ___, ...options } = wanted;
        return connectTls({ ...options, socket: stream });
      });
    }
  }
  return { http: new ThroughHttp(), https: new ThroughHttps() };
}

function unbracketed(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** A channel has none of a socket's knobs, which the client of Node.js turns; only silence is noticed here too. */
export function socketLike(stream: Duplex): Duplex {
  let silenceMs = 0;
  let timer: NodeJS.Timeout | undefined;
  const touch = (): void => {
    clearTimeout(timer);
    if (silenceMs > 0 && !stream.destroyed) timer = setTimeout(() => stream.emit('timeout'), silenceMs).unref();
  };
  stream.once('close', () => clearTimeout(timer));
  const { push, write } = stream;
  const itself = (): Duplex => stream;
  return Object.assign(stream, {
    push(this: Duplex, ...words: Parameters<Duplex['push']>) {
      touch();
      return push.apply(this, words);
    },
    write(this: Duplex, ...words: Parameters<Duplex['write']>) {
      touch();
      return write.apply(this, words);
    },
    setTimeout(ms: number, told?: () => void) {
      silenceMs = ms;
      touch();
      if (told !== undefined) stream.once('timeout', told);
      return stream;
    },
    setKeepAlive: itself,
    setNoDelay: itself,
    ref: itself,
    unref: itself,
    resetAndDestroy: () => stream.destroy(),
  });
}
