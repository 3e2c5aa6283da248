/** What is read of each process that was found: its status, its limits, and how many files it has open. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { openFilesLimit, parseStatus, type Status } from './parse.ts';

export interface Details {
  /** Since its stat was read. */
  readonly hasEnded: boolean;
  readonly status: Status;
  readonly limit: number | undefined;
  /** Undefined: not asked for, or it ended meanwhile. */
  readonly openFiles: number | Failure | undefined;
}

/** A directory each, so this many at once, and no more than that in one run. */
const AT_ONCE = 4;
export const MAX_COUNTED = 256;

export async function readDetails(
  host: Host,
  proc: string,
  pids: readonly number[],
  counts: boolean,
): Promise<ReadonlyMap<number, Details>> {
  const texts = await host.readFiles(pids.flatMap((pid) => [`${proc}/${pid}/status`, `${proc}/${pid}/limits`]));
  const open = counts ? await countOpen(host, proc, pids) : new Map<number, number | Failure | undefined>();
  const textAt = (at: number): string => {
    const text = texts[at];
    return typeof text === 'string' ? text : '';
  };
  return new Map(
    pids.map((pid, at) => {
      const status = parseStatus(textAt(2 * at));
      return [
        pid,
        {
          hasEnded: isGone(texts[2 * at]),
          status,
          limit: openFilesLimit(textAt(2 * at + 1)),
          openFiles: open.get(pid),
        },
      ];
    }),
  );
}

/** Its memory goes before its files in /proc do. */
function isGone(status: string | Failure | undefined): boolean {
  if (status instanceof Failure) return status.code === 'E_NOT_FOUND' || status.code === 'E_CONNECT';
  return status === '' || /^State:\t[ZX]/m.test(status ?? '');
}

async function countOpen(host: Host, proc: string, pids: readonly number[]) {
  const counted = new Map<number, number | Failure | undefined>();
  const queue = pids.slice(0, MAX_COUNTED);
  for (const pid of pids.slice(MAX_COUNTED)) counted.set(pid, tooMany);
  const work = async (): Promise<void> => {
    for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
      counted.set(pid, await host.list(`${proc}/${pid}/fd`).then((names) => names.length, whyNot));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return counted;
}

const tooMany = new Failure(
  'E_OUTPUT_SIZE',
  `open files are counted of ${MAX_COUNTED} processes at most: name fewer, or set openFiles: false`,
);

function whyNot(thrown: unknown): Failure | undefined {
  const { code, message, evidence } = asFailure(thrown);
  if (code === 'E_NOT_FOUND') return undefined;
  if (code !== 'E_DENIED') throw thrown;
  const advice = 'run as root or with CAP_DAC_READ_SEARCH, or set openFiles: false';
  return new Failure(code, `open files cannot be counted, ${message}: ${advice}`, { ...evidence, cause: thrown });
}
