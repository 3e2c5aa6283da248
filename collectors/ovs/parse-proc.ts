/** /proc/<pid>/stat, /proc/<pid>/status and /proc/uptime (proc(5)) → records. Pure. */
import { integer, lines } from '../../src/text.ts';

/** USER_HZ, in which the kernel tells times to processes: 100 on every architecture that vswitchd runs on. */
const TICKS_PER_SECOND = 100;

export interface Stat {
  /** The program's name, at most 15 characters. */
  readonly command: string;
  readonly cpuSeconds: number;
  readonly threads: number;
  /** After the machine's start. */
  readonly startedSeconds: number;
  /** Dead, but not yet waited for. */
  readonly isZombie: boolean;
}

/** The command stands in parentheses and may hold anything, parentheses too. Undefined: not in this form. */
export function parseStat(text: string): Stat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text
    .slice(close + 2)
    .trim()
    .split(' ');
  // Field 3 of proc(5), the state, is the first behind the command.
  const field = (number: number): number => Number(integer(fields[number - 3]) ?? Number.NaN);
  const [user, system, threads, started] = [field(14), field(15), field(20), field(22)];
  if ([user, system, threads, started].some(Number.isNaN)) return undefined;
  return {
    command: text.slice(open + 1, close),
    cpuSeconds: (user + system) / TICKS_PER_SECOND,
    threads,
    startedSeconds: started / TICKS_PER_SECOND,
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
  };
}

/** `VmRSS:     12345 kB` → bytes. A process that ends has none. */
export function residentBytes(text: string): number | undefined {
  const line = lines(text).find((one) => one.startsWith('VmRSS:'));
  const kilobytes = integer(/^VmRSS:\s*([0-9]+) kB$/.exec(line ?? '')?.[1]);
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** `350735.47 234388.90`: seconds since the machine's start. */
export function machineUptime(text: string): number | undefined {
  const [first = ''] = text.split(' ');
  return /^[0-9]+(?:\.[0-9]+)?$/.test(first) ? Number(first) : undefined;
}
