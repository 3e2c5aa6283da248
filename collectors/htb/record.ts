/**
 * What a reading of an HTB (or HFSC) tree is made of, whichever source it came from: tc(8)'s text, its JSON, or
 * rtnetlink(7). Pure. Undefined: the source does not say it.
 */
import type { Failure } from '../../src/errors.ts';

/** A rate and what it may really be: text rounds (iproute2 until 3.12) or truncates (since 3.14) to a thousandth. */
export interface Rate {
  /** As the source says it. */
  readonly bitsPerSecond: number;
  /** It is no other than that. */
  readonly exact: boolean;
  /** The smallest and the largest rate that the source would show in this way; `Infinity` where 32 bits are full. */
  readonly atLeastBitsPerSecond: number;
  readonly atMostBitsPerSecond: number;
}

/** A counter or gauge as the kernel gives it; a bigint above 2^53. */
export type Count = number | bigint;

export interface Totals {
  readonly sentBytes: Count | undefined;
  readonly sentPackets: Count | undefined;
  /** 32 bits wide in the kernel, as are overlimits and requeues. */
  readonly dropped: number | undefined;
  readonly overlimits: number | undefined;
  readonly requeues: number | undefined;
  /** tc's text shows whole KiB within 16 bytes of them as `Kb`, whole MiB within 1 KiB as `Mb`. */
  readonly backlogBytes: number | undefined;
  readonly backlogPackets: number | undefined;
}

export interface ClassRecord extends Totals {
  readonly kind: 'htb' | 'hfsc';
  /** `1:367c`, as tc prints it: hexadecimal, and no minor number where it is 0 (`1:`). */
  readonly handle: string;
  readonly major: number;
  readonly minor: number;
  /** The parent class's handle; undefined: the class is at the root. */
  readonly parent: string | undefined;
  /** The handle of the qdisc in the class: `10:`. */
  readonly leaf: string | undefined;
  /** 0 of a class without children; text says it with `-d`. */
  readonly level: number | undefined;
  /** Of leaf classes alone. */
  readonly prio: number | undefined;
  /** Of leaf classes alone, in bytes; text says it with `-d`. */
  readonly quantum: number | undefined;
  /** HFSC: the second slope of the real-time curve (`rt` or `sc`). */
  readonly rate: Rate | undefined;
  /** HFSC: the second slope of the upper limit (`ul`). */
  readonly ceil: Rate | undefined;
  readonly lended: number | undefined;
  readonly borrowed: number | undefined;
  readonly giants: number | undefined;
  /** Signed, in the ticks of /proc/net/psched. */
  readonly tokens: number | undefined;
  readonly ctokens: number | undefined;
  /**
   * 64 once `sentPackets` is above 2^32 - 1, else 32. Kernels from 5.5 count in 64 bits and give them only when 32 do
   * not suffice, so that a smaller number does not tell its width; one that is 64 wide never goes down at 2^32.
   */
  readonly packetsBits: 32 | 64;
}

export interface QdiscRecord extends Totals {
  /** `htb`, `hfsc`, `fq_codel`, `ingress` … */
  readonly kind: string;
  /** The device's name; undefined where the source does not say it (`tc qdisc show dev …`). */
  readonly device: string | undefined;
  /** Netlink alone. */
  readonly ifindex: number | undefined;
  /** `1:`. */
  readonly handle: string;
  /** `root` or a handle; undefined: neither (`ingress` has its own). */
  readonly parent: string | undefined;
  /** HTB: packets that no class took. 32 bits wide. */
  readonly directPackets: number | undefined;
  /** HTB and HFSC: the minor number of the class for what no filter matches; 0: there is none. */
  readonly defaultMinor: number | undefined;
  /** As of a class. */
  readonly packetsBits: 32 | 64;
}

export interface Parsed<Record> {
  readonly records: readonly Record[];
  /** `E_PARSE`; a bounded number of them. */
  readonly problems: readonly Failure[];
}

export const MAX_U32 = 0xffff_ffff;

const hexadecimal = /^[0-9a-f]{1,4}$/;

/** A handle as tc prints it, from its two halves: `1:b`, `1:`, `:1`, `0:`. */
export function handleText(major: number, minor: number): string {
  if (minor === 0) return `${major.toString(16)}:`;
  return `${major === 0 ? '' : major.toString(16)}:${minor.toString(16)}`;
}

/** The halves of a handle's text as one number, `major << 16 | minor`, or undefined; `name#1:10` (tc -n) is one. */
export function handleOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bare = text.includes('#') ? text.slice(text.lastIndexOf('#') + 1) : text;
  const colon = bare.indexOf(':');
  const [major, minor] = [bare.slice(0, colon), bare.slice(colon + 1)];
  if (colon < 0 || (major === '' && minor === '')) return undefined;
  if ((major !== '' && !hexadecimal.test(major)) || (minor !== '' && !hexadecimal.test(minor))) return undefined;
  return (major === '' ? 0 : Number.parseInt(major, 16)) * 0x1_0000 + (minor === '' ? 0 : Number.parseInt(minor, 16));
}

/** The same with its text normalised. */
export function normalised(text: string | undefined): string | undefined {
  const handle = handleOf(text);
  return handle === undefined ? undefined : handleText(handle >>> 16, handle & 0xffff);
}

export function packetsBits(sentPackets: Count | undefined): 32 | 64 {
  return sentPackets !== undefined && sentPackets > MAX_U32 ? 64 : 32;
}
