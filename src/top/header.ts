/** What stands above a table: of which machine, how old, how healthy; which rows, and why these. Pure. */
import type { TableDocument, TableHead } from '../status/document.ts';
import { cellText } from '../status/page-cell.ts';
import { printable } from '../text.ts';
import type { Known } from './known.ts';
import { type Line, plain, type Span, styled } from './line.ts';
import { sortingOf, sortOf, type View } from './view.ts';
import { cutMiddle } from './width.ts';

interface Around {
  readonly width: number;
  /** This machine's clock. */
  readonly nowMs: number;
  readonly page: number;
}

const BETWEEN = plain('  ');
const age = (ms: number): string => cellText(Math.round(Math.max(0, ms) / 1000), 'seconds');

/** The machine, then what matters most: a narrow screen cuts the end. */
export function headerLine(view: View, known: Known, table: TableDocument | undefined, around: Around): Line {
  const { status, lost } = known;
  const machine = cutMiddle(printable(status?.machine ?? 'edgestatd'), Math.max(8, Math.floor(around.width / 3)));
  const parts: Span[] = [styled('bold', machine)];
  if (lost !== undefined) {
    parts.push(styled('bad', `no answer for ${age(around.nowMs - lost.sinceMs)}`));
    if (view.isPaused) parts.push(styled('warn', 'paused'));
    parts.push(plain(printable(lost.message)));
    return spaced(parts);
  }
  if (view.isPaused) parts.push(styled('warn', 'paused'));
  if (status !== undefined) parts.push(...health(status.health));
  const read = table === undefined ? undefined : dataAge(view, table, around.page);
  if (read !== undefined) parts.push(plain(read));
  if (status !== undefined) parts.push(plain(`edgestatd ${printable(status.version)}`));
  return spaced(parts);
}

function health({ healthy, reasons }: { readonly healthy: boolean; readonly reasons: readonly string[] }): Span[] {
  if (healthy) return [plain('healthy')];
  return [styled('bad', 'NOT HEALTHY'), ...reasons.map((reason) => plain(printable(reason)))];
}

/** Rows of several jobs and targets were read at different times. By the daemon's clock, as they are. */
function dataAge({ offset }: View, { entries, nowMs }: TableDocument, page: number): string | undefined {
  const ages = entries.slice(offset, offset + page).map(({ atMs }) => nowMs - atMs);
  if (ages.length === 0) return undefined;
  const [least, most] = [age(Math.min(...ages)), age(Math.max(...ages))];
  return least === most ? `data ${most} old` : `data ${least}-${most} old`;
}

/** Which rows of how many, in which order, and what they are chosen by. */
export function titleLine(
  view: View,
  head: TableHead | undefined,
  table: TableDocument | undefined,
  page: number,
): Line {
  const parts: Span[] = [];
  if (view.typed !== undefined) parts.push(styled('bold', `/${printable(view.typed)}_`));
  else if (view.filter !== '') parts.push(styled('bold', `/${printable(view.filter)}`));
  if (view.target !== undefined) parts.push(styled('bold', `target ${printable(view.target)}`));
  if (head !== undefined) {
    const { order } = sortingOf(view, head.name);
    if (table !== undefined) parts.push(plain(rangeText(view, table, page)));
    parts.push(plain(`${order} by ${printable(sortOf(view, head))}`), styled('dim', printable(head.title)));
  }
  return spaced(parts);
}

function rangeText({ offset }: View, { found, rows, omitted }: TableDocument, page: number): string {
  const first = Math.max(0, Math.min(offset, found - page));
  const last = Math.min(first + page, found);
  const of = found === rows ? `${found}` : `${found} (${rows} in all)`;
  const more = omitted === undefined ? '' : `, ${omitted} more are not kept`;
  return found === 0 ? `0 of ${rows}${more}` : `${first + 1}-${last} of ${of}${more}`;
}

function spaced(parts: readonly Span[]): Line {
  return parts.flatMap((part, at) => (at === 0 ? [part] : [BETWEEN, part]));
}
