/**
 * Dumps over one NETLINK_ROUTE socket (netlink(7), rtnetlink(7)): one at a time, whole or not at all.
 *
 * The kernel sends a dump in pieces and lets go of its lock between them. Of devices it tells that they changed
 * meanwhile (`NLM_F_DUMP_INTR`), of qdiscs and classes it does not: one that is added or deleted then moves others, and
 * they are missing or come twice. So the notifications of changes are joined while such a dump lasts.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import type { NetlinkRequest } from '../collector.ts';
import { type Code, Failure } from '../errors.ts';

/** A socket that is connected to the kernel. Its calls reject with a Failure. */
export interface NetlinkSocket {
  /** Its port id (`nl_pid`), which no other socket has meanwhile: the kernel writes into a message who it is for. */
  readonly port: number;
  send(message: Uint8Array): Promise<void>;
  /** At least one datagram, each in memory of its own; `overrun`: the kernel had to discard some. */
  receive(): Promise<readonly Uint8Array[] | 'overrun'>;
  /** Begins or ends to receive notifications of changed qdiscs and classes. */
  notify(on: boolean): void;
  close(): void;
}

export interface Rtnetlink {
  /** The messages of one dump, several in each buffer, without the final `NLMSG_DONE`. */
  dump(request: NetlinkRequest): Promise<readonly Uint8Array[]>;
  close(): void;
}

const HEADER = 16;
const NLM_F_REQUEST_DUMP = 0x301;
const NLM_F_DUMP_INTR = 0x10;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM = { newQdisc: 36, delQdisc: 37, getQdisc: 38, newClass: 40, delClass: 41, getClass: 42 };
const IFINDEX = 4;
/** Changes come in bursts: a tree is built in seconds, a VIF plugged in milliseconds. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 10;

const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export function createDumps(open: () => Promise<NetlinkSocket>): Rtnetlink {
  let socket: NetlinkSocket | undefined;
  let sequence = 0;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;

  const drop = (): void => {
    socket?.close();
    socket = undefined;
  };

  async function attempt(request: NetlinkRequest): Promise<Uint8Array[] | 'changed'> {
    if (closed) throw new Failure('E_ABORTED', 'netlink: the target is closed');
    socket ??= await open();
    sequence = (sequence % 0xffff_fffe) + 1;
    const dump = createDump(request, { port: socket.port, sequence });
    const notifies = dump.watches;
    if (notifies) socket.notify(true);
    await socket.send(messageOf(request, sequence));
    while (!dump.done) {
      const datagrams = await socket.receive();
      if (datagrams === 'overrun') {
        drop();
        return 'changed';
      }
      for (const datagram of datagrams) dump.take(datagram);
    }
    if (notifies) socket.notify(false);
    return dump.changed ? 'changed' : dump.datagrams;
  }

  async function dump(request: NetlinkRequest): Promise<readonly Uint8Array[]> {
    for (let tries = 0; tries < ATTEMPTS; tries++) {
      if (tries > 0) await pause(FIRST_PAUSE_MS * 2 ** (tries - 1));
      try {
        const answer = await attempt(request);
        if (answer !== 'changed') return answer;
      } catch (thrown) {
        // What is still to come would be taken for the answer to the next request.
        drop();
        throw thrown;
      }
    }
    throw new Failure(
      'E_CONNECT',
      `netlink: what was dumped changed each of ${ATTEMPTS} times; the next run tries again`,
    );
  }

  return {
    dump(request) {
      const turn = last.then(() => dump(request));
      last = turn.catch(() => {});
      return turn;
    },
    close() {
      closed = true;
      last = last.then(drop);
    },
  };
}

interface Dump {
  readonly watches: boolean;
  readonly done: boolean;
  readonly changed: boolean;
  readonly datagrams: Uint8Array[];
  take(datagram: Uint8Array): void;
}

/**
 * Collects one dump's datagrams. A notification has the port and the sequence number of whoever made the change, and
 * all of them count from 1 or from the time of day: only with the port is a message ours.
 */
function createDump({ type, body }: NetlinkRequest, ours: { readonly port: number; readonly sequence: number }): Dump {
  const watches = type === RTM.getQdisc || type === RTM.getClass;
  const device = type === RTM.getClass && body.length >= IFINDEX + 4 ? wordOf(body, IFINDEX) : undefined;
  const datagrams: Uint8Array[] = [];
  let done = false;
  let changed = false;

  /** A message of somebody else: a change, or the rest of an earlier dump. What was before our first is in it. */
  const notice = (view: DataView, at: number, length: number): void => {
    if (!watches || datagrams.length === 0 || length < HEADER + IFINDEX + 4) return;
    const what = view.getUint16(at + 4, little);
    const isQdisc = what === RTM.newQdisc || what === RTM.delQdisc;
    const isClass = what === RTM.newClass || what === RTM.delClass;
    const index = view.getUint32(at + HEADER + IFINDEX, little);
    if (device === undefined ? isQdisc : (isQdisc || isClass) && index === device) changed = true;
  };

  return {
    watches,
    get done() {
      return done;
    },
    get changed() {
      return changed;
    },
    datagrams,
    take(datagram) {
      const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
      let at = 0;
      while (at < view.byteLength && !done) {
        const length = view.byteLength - at < HEADER ? 0 : view.getUint32(at, little);
        if (length < HEADER || length > view.byteLength - at) throw malformed();
        if (view.getUint32(at + 8, little) !== ours.sequence || view.getUint32(at + 12, little) !== ours.port) {
          notice(view, at, length);
          // A datagram is one sender's.
          return;
        }
        if ((view.getUint16(at + 6, little) & NLM_F_DUMP_INTR) !== 0) changed = true;
        const what = view.getUint16(at + 4, little);
        if (what === NLMSG_DONE || what === NLMSG_ERROR) {
          const code = length >= HEADER + 4 ? view.getInt32(at + HEADER, little) : 0;
          if (code !== 0) throw errnoFailure(-code, `dump ${type}`);
          done = true;
        } else at += (length + 3) & ~3;
      }
      if (at > 0) datagrams.push(at >= datagram.length ? datagram : datagram.subarray(0, at));
    },
  };
}

function messageOf({ type, body }: NetlinkRequest, sequence: number): Uint8Array {
  const bytes = new Uint8Array(HEADER + ((body.length + 3) & ~3));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, HEADER + body.length, little);
  view.setUint16(4, type, little);
  view.setUint16(6, NLM_F_REQUEST_DUMP, little);
  view.setUint32(8, sequence, little);
  bytes.set(body, HEADER);
  return bytes;
}

function wordOf(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, little);
}

function malformed(): Failure {
  return new Failure('E_PARSE', 'netlink: the kernel’s answer does not end with its last message');
}

const CODES: Readonly<Record<string, Code>> = {
  EPERM: 'E_DENIED',
  EACCES: 'E_DENIED',
  ENODEV: 'E_NOT_FOUND',
  ENOENT: 'E_NOT_FOUND',
  // No such protocol in this kernel, or in this sandbox.
  EAFNOSUPPORT: 'E_NOT_FOUND',
  EPROTONOSUPPORT: 'E_NOT_FOUND',
  ENOTSUP: 'E_NOT_FOUND',
  ENOSYS: 'E_NOT_FOUND',
  EAGAIN: 'E_TIMEOUT',
};

/** A Failure from a number of errno(3). */
export function errnoFailure(errno: number, what: string): Failure {
  const name = Number.isSafeInteger(errno) && errno > 0 ? getSystemErrorName(-errno) : `error ${errno}`;
  const why = name === 'EAGAIN' ? 'the kernel did not answer in time' : `the kernel answered ${name}`;
  return new Failure(CODES[name] ?? 'E_CONNECT', `netlink: ${what}: ${why}`);
}
