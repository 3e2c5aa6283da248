/** The frame of netlink(7): messages in a datagram, attributes in a message. Pure; nothing read here is trusted. */

/** Bytes of a message's header (struct nlmsghdr), and of an attribute's (struct rtattr). */
const HEADER = 16;
const ATTRIBUTE = 4;

/** The byte order of this machine, which is its kernel's: requests are written in it. */
export const nativeLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** One message; used anew for the next one. */
export interface Message {
  readonly view: DataView;
  readonly little: boolean;
  readonly type: number;
  /** Where its body begins and ends. */
  readonly from: number;
  readonly to: number;
}

/** Calls `take` with each message. Returns false where the rest of the bytes is not a message. */
export function eachMessage(bytes: Uint8Array, take: (message: Message) => void): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.byteLength;
  if (size < HEADER) return size === 0;
  // No message is as long as its length would be in the other byte order.
  const little = view.getUint32(0, true) <= size;
  const message = { view, little, type: 0, from: 0, to: 0 };
  let at = 0;
  while (at + HEADER <= size) {
    const length = view.getUint32(at, little);
    if (length < HEADER || length > size - at) return false;
    message.type = view.getUint16(at + 4, little);
    message.from = at + HEADER;
    message.to = at + length;
    take(message);
    at += (length + 3) & ~3;
  }
  return at >= size;
}

/** Where the attributes of one message lie, by their type; one table serves all messages, so that none is made anew. */
export interface Attributes {
  /** Finds them between two offsets. False: an attribute is too short or reaches over the end. */
  find(view: DataView, from: number, to: number, little: boolean): boolean;
  /** The offset of an attribute's payload of at least so many bytes; 0: it is not there, -1: it is shorter. */
  at(type: number, bytes: number): number;
  /** Behind the end of an attribute's payload. */
  end(type: number): number;
}

const TYPE = 0x3fff;

export function createAttributes(types: number): Attributes {
  const starts = new Int32Array(types);
  const ends = new Int32Array(types);
  return {
    find(view, from, to, little) {
      starts.fill(0);
      let at = from;
      while (at + ATTRIBUTE <= to) {
        const length = view.getUint16(at, little);
        if (length < ATTRIBUTE || length > to - at) return false;
        const type = view.getUint16(at + 2, little) & TYPE;
        if (type < types) {
          starts[type] = at + ATTRIBUTE;
          ends[type] = at + length;
        }
        at += (length + 3) & ~3;
      }
      return at >= to;
    },
    at(type, bytes) {
      const start = starts[type] ?? 0;
      if (start === 0) return 0;
      return (ends[type] ?? 0) - start < bytes ? -1 : start;
    },
    end: (type) => ends[type] ?? 0,
  };
}

const WORD = 2 ** 32;

/** A 64-bit number; a bigint above 2^53. */
export function wide(view: DataView, at: number, little: boolean): number | bigint {
  const high = view.getUint32(little ? at + 4 : at, little);
  const low = view.getUint32(little ? at : at + 4, little);
  return high < 2 ** 21 ? high * WORD + low : (BigInt(high) << 32n) | BigInt(low);
}

/** The text of a name's attribute: up to its NUL. */
export function nameAt(view: DataView, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) {
    const code = view.getUint8(at);
    if (code === 0) return text;
    // Device names are bytes; beyond ASCII they are UTF-8 by custom.
    if (code > 0x7e) return decodeRest(view, from, to);
    text += String.fromCharCode(code);
  }
  return text;
}

function decodeRest(view: DataView, from: number, to: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from, to - from);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
