/** Files of /proc/PID (proc(5)) and pid files → records. Pure. */
import { integer, lines } from '../../src/text.ts';

/** USER_HZ, in which the kernel tells times to processes: 100 on every architecture that hypervisors have. */
export const TICKS_PER_SECOND = 100;

export interface Stat {
  /** The program's name, at most 15 bytes; a process may change it. */
  readonly comm: string;
  /** One letter: R, S, D, Z, T and so on. */
  readonly state: string;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly threads: number;
  /** After the machine's start: with the pid it tells one process from every other. */
  readonly startedTicks: number;
  /** A thread of the kernel, which has no command line. */
  readonly isKernels: boolean;
}

const PF_KTHREAD = 0x00200000;

/** The name stands in parentheses and may hold anything, `) ` and newlines too. Undefined: not in this form. */
export function parseStat(text: string): Stat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (!/^[0-9]+ \($/.test(text.slice(0, open + 1)) || close < open) return undefined;
  const fields = text
    .slice(close + 2)
    .trim()
    .split(' ');
  // Field 3 of proc(5), the state, is the first behind the name.
  const field = (number: number): number => Number(integer(fields[number - 3]) ?? Number.NaN);
  const [flags, user, system, threads, started] = [field(9), field(14), field(15), field(20), field(22)];
  const [state = ''] = fields;
  if (!/^[A-Za-z]$/.test(state)) return undefined;
  // A zombie has no threads but itself; nothing else is below 0 either.
  if ([flags, user, system, threads, started].some((one) => !(one >= 0))) return undefined;
  return {
    comm: text.slice(open + 1, close),
    ...{ state, userTicks: user, systemTicks: system, threads, startedTicks: started },
    // Flags are 32 bits, and `&` is signed.
    isKernels: (flags & PF_KTHREAD) !== 0,
  };
}

export const isDead = ({ state }: Stat): boolean => state === 'Z' || state === 'X' || state === 'x';

export interface Status {
  readonly residentBytes: number | undefined;
  /** How often its main thread gave up the processor or lost it; the same number: it did not run in between. */
  readonly switches: number | undefined;
}

export function parseStatus(text: string): Status {
  const all = lines(text);
  const number = (form: RegExp): number | undefined => {
    for (const line of all) {
      const value = integer(form.exec(line)?.[1]);
      if (value !== undefined) return Number(value);
    }
    return undefined;
  };
  const kilobytes = number(/^VmRSS:\s*([0-9]+) kB$/);
  const [wanted, taken] = [
    number(/^voluntary_ctxt_switches:\s*([0-9]+)$/),
    number(/^nonvoluntary_ctxt_switches:\s*([0-9]+)$/),
  ];
  return {
    residentBytes: kilobytes === undefined ? undefined : kilobytes * 1024,
    switches: wanted === undefined || taken === undefined ? undefined : wanted + taken,
  };
}

/** The soft limit of `Max open files   1024   524288   files`; undefined: none, or not told. */
export function openFilesLimit(text: string): number | undefined {
  const line = lines(text).find((one) => one.startsWith('Max open files '));
  const soft = integer(/^Max open files +([0-9]+) /.exec(line ?? '')?.[1]);
  return soft === undefined ? undefined : Number(soft);
}

/** `350735.47 234388.90`: seconds since the machine's start. */
export function machineUptime(text: string): number | undefined {
  const [first = ''] = text.split(' ');
  return /^[0-9]+(?:\.[0-9]+)?$/.test(first) ? Number(first) : undefined;
}

/** The words of a command line; one that the process wrote over (a title) is mostly a single word with blanks. */
export function commandWords(text: string): string[] {
  const end = text.replace(/\0+$/, '');
  return end === '' ? [] : end.split('\0');
}

/** The kernel's own limit of process ids (PID_MAX_LIMIT). */
const MAX_PID = 4_194_304;

/** A process id, alone in the first line as daemons write it; undefined: none. */
export function pidIn(text: string): number | undefined {
  const [first = ''] = lines(text);
  const word = first.trim();
  if (!/^[0-9]{1,10}$/.test(word)) return undefined;
  const pid = Number(word);
  return pid >= 1 && pid <= MAX_PID ? pid : undefined;
}
