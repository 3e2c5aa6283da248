/**
 * A NETLINK_ROUTE socket of this machine, by libc through koffi (an optional package; this is its only importer).
 *
 * Another process can hold the kernel's lock for seconds, so what asks or waits runs on the thread pool; a dump's
 * datagrams are received several in one call.
 */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { createDumps, errnoFailure, type NetlinkSocket, type Rtnetlink } from './netlink-dump.ts';

const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = process.arch === 'ppc64' ? 18 : 20;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const RTNLGRP_TC = 4;
const MSG_TRUNC = 0x20;
const MSG_WAITFORONE = 0x10000;
const EINTR = 4;
const ENOBUFS = 105;

/** The kernel puts no more than 32 KiB of a dump into one datagram. */
const DATAGRAM_BYTES = 32 * 1024;
const DATAGRAMS = 8;
/** No thread of the pool waits longer than that. */
const ANSWER_SECONDS = 5;

type Libc = Awaited<ReturnType<typeof loadLibc>>;

let libc: Promise<Libc> | undefined;

export function createRtnetlink(): Rtnetlink {
  return createDumps(async () => {
    libc ??= loadLibc();
    return openSocket(await libc);
  });
}

/** `E_NOT_FOUND` where koffi is not installed, or has no build for this machine. */
async function loadLibc() {
  try {
    const { default: koffi } = await import('koffi');
    // The libc that this process has loaded, whichever it is.
    const library = koffi.load(null);
    const vector = koffi.struct({ base: 'void *', length: 'size_t' });
    const header = koffi.struct({
      ...{ name: 'void *', nameLength: 'uint32_t', vectors: 'void *', count: 'size_t' },
      ...{ control: 'void *', controlLength: 'size_t', flags: 'int' },
    });
    const message = koffi.struct({ header, length: 'uint32_t' });
    return {
      koffi,
      types: { vector, header, message },
      socket: library.func('int socket(int domain, int type, int protocol)'),
      connect: library.func('int connect(int fd, void *address, uint32_t length)'),
      getsockname: library.func('int getsockname(int fd, void *address, void *length)'),
      setsockopt: library.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)'),
      send: library.func('intptr_t send(int fd, void *bytes, size_t length, int flags)'),
      recvmmsg: library.func('int recvmmsg(int fd, void *messages, uint32_t count, int flags, void *timeout)'),
      close: library.func('int close(int fd)'),
    };
  } catch (thrown) {
    const why = thrown instanceof Error ? quoted(thrown.message.split('\n', 1)[0] ?? '') : 'for no known reason';
    const text = `netlink needs the optional package koffi, which did not load (${why}); the source tc works without it`;
    throw new Failure('E_NOT_FOUND', text, { cause: thrown });
  }
}

function openSocket(api: Libc): NetlinkSocket {
  const { koffi } = api;
  const descriptor: number = api.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
  if (descriptor < 0) throw errnoFailure(koffi.errno(), 'socket');
  const must = (result: number, what: string): void => {
    if (result >= 0) return;
    const failure = errnoFailure(koffi.errno(), what);
    api.close(descriptor);
    throw failure;
  };
  // struct sockaddr_nl of the kernel itself: a socket that is connected takes no message from another process.
  const kernel = new Uint8Array(12);
  new Uint16Array(kernel.buffer)[0] = AF_NETLINK;
  must(api.connect(descriptor, kernel, kernel.length), 'connect');
  const own = new Uint32Array(3);
  must(api.getsockname(descriptor, own, Uint32Array.of(own.byteLength)), 'getsockname');
  const [, port = 0] = own;
  const timeout = Buffer.alloc(koffi.sizeof('long') * 2);
  koffi.encode(timeout, 0, 'long', ANSWER_SECONDS);
  must(api.setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length), 'SO_RCVTIMEO');
  const inbox = createInbox(api);

  let calls = 0;
  let closing = false;
  /** A descriptor that is closed while a call waits to use it may be another file by then. */
  const closeIfIdle = (): void => {
    if (closing && calls === 0) api.close(descriptor);
  };
  type Callback = (error: Error | null, result: number) => void;
  const call = async (what: string, start: (done: Callback) => void): Promise<number> => {
    for (;;) {
      calls += 1;
      const { result, errno } = await new Promise<{ result: number; errno: number }>((resolve, reject) => {
        // The errno of the call is there only within its callback.
        start((error, result) => (error === null ? resolve({ result, errno: koffi.errno() }) : reject(error)));
      }).finally(() => {
        calls -= 1;
        closeIfIdle();
      });
      if (result >= 0) return result;
      if (errno === ENOBUFS) return -ENOBUFS;
      if (errno !== EINTR || closing) throw errnoFailure(errno, what);
    }
  };

  return {
    port,
    async send(message) {
      const sent = await call('send', (done) => api.send.async(descriptor, message, message.length, 0, done));
      if (sent < 0) throw errnoFailure(ENOBUFS, 'send');
    },
    async receive() {
      const count = await call('receive', (done) =>
        api.recvmmsg.async(descriptor, inbox.messages, DATAGRAMS, MSG_WAITFORONE, null, done),
      );
      return count < 0 ? 'overrun' : Array.from({ length: count }, (_, index) => inbox.copy(index));
    },
    notify(on) {
      const group = Uint32Array.of(RTNLGRP_TC);
      const name = on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;
      if (api.setsockopt(descriptor, SOL_NETLINK, name, group, 4) < 0) throw errnoFailure(koffi.errno(), 'membership');
    },
    close() {
      if (closing) return;
      closing = true;
      closeIfIdle();
    },
  };
}

/** Memory for the datagrams of one recvmmsg(2), and struct mmsghdr of each that says where it is. */
function createInbox({ koffi, types }: Libc) {
  const size = koffi.sizeof(types.message);
  const lengthAt = koffi.offsetof(types.message, 'length');
  const flagsAt = koffi.offsetof(types.header, 'flags');
  const data = Buffer.alloc(DATAGRAMS * DATAGRAM_BYTES);
  const vectors = Buffer.alloc(DATAGRAMS * koffi.sizeof(types.vector));
  const messages = Buffer.alloc(DATAGRAMS * size);
  for (let index = 0; index < DATAGRAMS; index++) {
    const vectorAt = index * koffi.sizeof(types.vector);
    const base = koffi.address(data) + BigInt(index * DATAGRAM_BYTES);
    koffi.encode(vectors, vectorAt, types.vector, { base, length: DATAGRAM_BYTES });
    koffi.encode(messages, index * size, types.message, {
      header: {
        ...{ name: null, nameLength: 0, vectors: koffi.address(vectors) + BigInt(vectorAt), count: 1 },
        ...{ control: null, controlLength: 0, flags: 0 },
      },
      length: 0,
    });
  }
  return {
    messages,
    /** Kept alive by this: the kernel writes into it. */
    data,
    vectors,
    /** The next call overwrites the memory. */
    copy(index: number): Uint8Array {
      const length: number = koffi.decode(messages, index * size + lengthAt, 'uint32_t');
      const flags: number = koffi.decode(messages, index * size + flagsAt, 'int');
      if ((flags & MSG_TRUNC) !== 0) {
        throw new Failure('E_OUTPUT_SIZE', `netlink: a datagram of the kernel is larger than ${DATAGRAM_BYTES} bytes`);
      }
      const from = index * DATAGRAM_BYTES;
      return new Uint8Array(data.subarray(from, from + Math.min(length, DATAGRAM_BYTES)));
    },
  };
}
