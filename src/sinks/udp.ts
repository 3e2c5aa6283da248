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

/** What the network says of a datagram that was sent: nobody listens there, or there is no way there. */
export type Refusal = { readonly reason: 'refused' | 'unreachable'; readonly code: string };

/**
 * `onRefused` is called when the network says that a datagram was lost. Only a connected socket is told so (udp(7)).
 * A host with several addresses is then tried at another one.
 */
export function udpPeer(
  host: string,
  port: number,
  clock: Clock,
  onRefused: (refusal: Refusal) => void,
  resolve: (host: string) => Promise<readonly Address[]> = (name) => lookup(name, { all: true }),
): UdpPeer {
  let socket: Socket | undefined;
  let address = '';
  let avoided = '';
  let lookedUpAtMs = Number.NEGATIVE_INFINITY;
  let opening: Promise<void> | undefined;

  const drop = (): void => {
    socket?.removeAllListeners('error');
    // An error that arrives between here and the close has nobody to go to.
    socket?.on('error', () => {});
    socket?.close();
    socket = undefined;
  };

  const refuse = (code: string): void => {
    // The name may have moved, and another of its addresses may be the one where somebody listens.
    avoided = address;
    lookedUpAtMs = Number.NEGATIVE_INFINITY;
    onRefused({ reason: code === 'ECONNREFUSED' ? 'refused' : 'unreachable', code });
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
    fresh.on('error', (error) => refuse(systemCode(error) ?? error.message));
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
      const others = found.filter((entry) => entry.address !== avoided);
      const usable = others.length > 0 ? others : found;
      avoided = '';
      const [first] = usable;
      if (first === undefined) throw new Error('no address');
      const stays = socket !== undefined && usable.some((entry) => entry.address === address);
      if (!stays) await connectTo(first.address, first.family);
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
          refuse('ECONNREFUSED');
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
