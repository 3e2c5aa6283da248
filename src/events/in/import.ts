/** Hands in the events of an import, many at a time; what was handed in before is known, and added no second time. */
import { asFailure, Failure } from '../../errors.ts';
import { quoted } from '../../text.ts';
import type { Event } from '../event.ts';
import type { Take } from '../taking.ts';
import type { ImportRow } from './import-rows.ts';

export interface ImportCounts {
  /** Rows that were looked at. */
  readonly read: number;
  readonly added: number;
  /** They were there already. */
  readonly known: number;
  /** Rows that are none, or that have the id of another event. */
  readonly faulty: number;
}

export interface ImportResult extends ImportCounts {
  /** The first of them, each one sentence that begins with its place. */
  readonly faults: readonly { readonly line: number; readonly message: string }[];
}

export interface Import {
  readonly rows: AsyncIterable<ImportRow>;
  readonly take: Take;
  /** The way in, as the spool keeps it. */
  readonly source: string;
  /** All or nothing: when one row is faulty, no event is taken. */
  readonly strict: boolean;
  /** After every batch; while `strict` reads, after as many rows. */
  readonly onProgress?: (counts: ImportCounts) => void;
}

/** Of one call of `take`, and so of one commit. */
const BATCH = 500;
const BATCH_BYTES = 4 * 1024 * 1024;
/** Bound of what `strict` holds in memory, and hands in as one. */
export const MAX_STRICT_EVENTS = 20_000;
export const MAX_STRICT_BYTES = 32 * 1024 * 1024;
const MAX_FAULTS = 20;

type Known = { readonly line: number; readonly place: string; readonly event: Event };

/**
 * Takes all events of the rows and says what became of them. Rejects as `take` and the rows do; what was taken until
 * then stays, and the message says how much that is.
 */
export async function importEvents({ rows, take, source, strict, onProgress }: Import): Promise<ImportResult> {
  const counts = { read: 0, added: 0, known: 0, faulty: 0 };
  const faults: { line: number; message: string }[] = [];
  let batch: Known[] = [];
  let bytes = 0;
  const fault = (line: number, message: string): void => {
    counts.faulty += 1;
    if (faults.length < MAX_FAULTS) faults.push({ line, message });
  };
  const hand = async (): Promise<void> => {
    const events = batch.map(({ event }) => event);
    const receipts = await take(events, { source, conflicts: strict ? 'refuse' : 'report' });
    for (const [index, { line, place, event }] of batch.entries()) {
      const receipt = receipts[index];
      if (receipt === 'added' || receipt === 'known') counts[receipt] += 1;
      else fault(line, `${place}: the id ${quoted(event.id)} is that of an event with other content`);
    }
    batch = [];
    bytes = 0;
  };
  try {
    for await (const row of rows) {
      counts.read += 1;
      if ('fault' in row) fault(row.line, row.fault.message);
      else {
        batch.push(row);
        bytes += sizeOf(row.event);
      }
      if (strict) {
        if (counts.faulty > 0) batch = [];
        else if (batch.length > MAX_STRICT_EVENTS || bytes > MAX_STRICT_BYTES) throw tooMuch();
        if (counts.read % BATCH === 0) onProgress?.(counts);
      } else if (batch.length >= BATCH || bytes >= BATCH_BYTES) {
        await hand();
        onProgress?.(counts);
      }
    }
    if (strict ? counts.faulty === 0 && batch.length > 0 : batch.length > 0) {
      if (strict) refuseTwins(batch);
      await hand();
    }
    onProgress?.(counts);
  } catch (thrown) {
    throw told(asFailure(thrown), counts);
  }
  return { ...counts, faults };
}

/** An id that is that of two events of one import: told by their lines, which the spool does not know. */
function refuseTwins(batch: readonly Known[]): void {
  const seen = new Map<string, Known>();
  for (const one of batch) {
    const before = seen.get(one.event.id);
    seen.set(one.event.id, one);
    if (before === undefined || isSame(before.event, one.event)) continue;
    const message = `${one.place}: the id ${quoted(one.event.id)} is that of ${before.place}, which has other content`;
    throw new Failure('E_PARSE', message, { line: one.line });
  }
}

function isSame(a: Event, b: Event): boolean {
  const same = a.what === b.what && a.data === b.data && (a.whenUs === b.whenUs || b.isRelative === true);
  return same && a.tags.toSorted().join(' ') === b.tags.toSorted().join(' ');
}

function sizeOf({ id, what, tags, data }: Event): number {
  return id.length + what.length + data.length + tags.join(' ').length;
}

function tooMuch(): Failure {
  const bound = `${MAX_STRICT_EVENTS} events or ${MAX_STRICT_BYTES / 2 ** 20} MiB`;
  return new Failure('E_PARSE', `more than ${bound} cannot be taken all or none; leave out --strict, or import parts`);
}

function told(failure: Failure, { added }: ImportCounts): Failure {
  if (added === 0) return failure;
  const { code, message, evidence } = failure;
  const advice = `${added} events were added before; run it again when this is mended: none is added twice`;
  return new Failure(code, `${message}; ${advice}`, { ...evidence, cause: failure });
}
