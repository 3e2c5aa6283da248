/** The first line of a qdisc in tc(8)'s text: `qdisc htb 1: dev eth1 root refcnt 3 r2q 10 default 0x1 …`. Pure. */
import { words } from '../../src/text.ts';
import { normalised, type QdiscRecord } from './record.ts';
import { narrow } from './tc-stats.ts';

export type QdiscHead = Pick<QdiscRecord, 'kind' | 'device' | 'handle' | 'parent' | 'directPackets' | 'defaultMinor'>;

/** Undefined: it cannot be read, which `wrong` is told. */
export function qdiscHead(line: string, wrong: (what: string) => void): QdiscHead | undefined {
  const all = words(line);
  const [, kind = '', handleWord] = all;
  const handle = normalised(handleWord);
  const hasDevice = all[3] === 'dev';
  const device = hasDevice ? all[4] : undefined;
  if (handle === undefined || (hasDevice && device === undefined)) {
    wrong('expected "qdisc KIND HANDLE dev DEVICE"');
    return undefined;
  }
  const from = hasDevice ? 5 : 3;
  const parent = all[from] === 'root' ? 'root' : all[from] === 'parent' ? normalised(all[from + 1]) : undefined;
  const ours = kind === 'htb' || kind === 'hfsc';
  const direct = ours ? wordAfter(all, from, 'direct_packets_stat') : undefined;
  const byDefault = ours ? wordAfter(all, from, 'default') : undefined;
  const directPackets = direct !== undefined && /^[0-9]{1,10}$/.test(direct) ? narrow(direct) : undefined;
  if (direct !== undefined && directPackets === undefined) wrong('expected a counter after "direct_packets_stat"');
  const defaultMinor = minorOf(byDefault);
  if (byDefault !== undefined && defaultMinor === undefined) wrong('expected a hexadecimal number after "default"');
  return { kind, device, handle, parent, directPackets, defaultMinor };
}

function wordAfter(all: readonly string[], from: number, word: string): string | undefined {
  const at = all.indexOf(word, from);
  return at < 0 ? undefined : (all[at + 1] ?? '');
}

/** Hexadecimal, without `0x` until 4.18. The kernel takes its lower 16 bits for the minor number. */
export function minorOf(text: string | undefined): number | undefined {
  const match = text === undefined ? null : /^(?:0x)?([0-9a-f]{1,8})$/i.exec(text);
  return match === null ? undefined : Number.parseInt(match[1] ?? '', 16) & 0xffff;
}
