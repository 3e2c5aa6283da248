/** One connected UDP socket to a host that may move, be absent or return. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../clock.ts';
import { Failure, systemCode } from '../errors.ts';

export interface UdpPeer {
  /** Makes sure of a socket to the host's present address; rejects with `E_CONNECT`. */
  ready(): Promise<void>;
  /** Hands a datagram to the kernel. Only after `ready`. */
  send(payload: string, done: (error: Error | null) => void): void;
  close(): void;
}

interface Address {
  readonly address: string;
  /** 4 or 6. */
  readonly family: number;
}

/** A host name is looked up again after this time, and after every failure. */
const LOOKUP_AGAIN_MS = 60_000;

/**
 * `onRefused` is called when the peer's machine says that nobody listens. Only a connected socket is told so, and the
 * datagram that it is about was lost (udp(7)).
 */
export function udpPeer(
  host: string,
  port: number,
  clock: Clock,
  onRefused: () => void,
  resolve: (host: string) => Promise<readonly Address[]> = (name) => lookup(name, { all: true }),
): UdpPeer {
  let socket: Socket | undefined;
  let address = '';
  let lookedUpAtMs = Number.NEGATIVE_INFINITY;
  let opening: Promise<void> | undefined;

  const drop = (): void => {
    socket?.removeAllListeners('error');
    // An error that arrives between here and the close has nobody to go to.
    socket?.on('error', () => {});
    socket?.close();
    socket = undefined;
  };

  const connectTo = async (next: string, family: number): Promise<void> => {
    const fresh = createSocket(family === 6 ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((connected, reject) => {
        fresh.once('error', reject);
        fresh.connect(port, next, connected);
      });
    } catch (error) {
      fresh.close();
      throw error;
    }
    fresh.removeAllListeners('error');
    fresh.on('error', (error) => {
      if (systemCode(error) === 'ECONNREFUSED') onRefused();
    });
    // The daemon lives by its timers: a socket alone is no reason to.
    fresh.unref();
    drop();
    socket = fresh;
    address = next;
  };

  const open = async (): Promise<void> => {
    try {
      const literal = isIP(host);
      const found = literal === 0 ? await resolve(host) : [{ address: host, family: literal }];
      lookedUpAtMs = clock.monotonicMs();
      const same = found.some((entry) => entry.address === address);
      const [first] = found;
      if (first === undefined) throw new Error('no address');
      if (socket === undefined || !same) await connectTo(first.address, first.family);
    } catch (error) {
      drop();
      lookedUpAtMs = Number.NEGATIVE_INFINITY;
      const why = systemCode(error) ?? (error as Error).message;
      throw new Failure('E_CONNECT', `${host} port ${port} cannot be reached: ${why}`, { cause: error });
    }
  };

  return {
    async ready() {
      const known = socket !== undefined && (isIP(host) !== 0 || clock.monotonicMs() - lookedUpAtMs < LOOKUP_AGAIN_MS);
      if (known) return;
      opening ??= open().finally(() => {
        opening = undefined;
      });
      await opening;
    },
    send(payload, done) {
      if (socket === undefined) {
        done(new Failure('E_CONNECT', 'no socket'));
        return;
      }
      socket.send(payload, (error) => {
        if (error !== null && systemCode(error) === 'ECONNREFUSED') {
          onRefused();
          done(null);
        } else {
          // An address that went away (ENETUNREACH, EADDRNOTAVAIL): a fresh socket for the next batch.
          if (error !== null && systemCode(error) !== 'EMSGSIZE') drop();
          done(error);
        }
      });
    },
    close: drop,
  };
}
