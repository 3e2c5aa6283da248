/** The line of tables: which there are, which is shown, which have nothing to show. Pure. */
import type { TableHead } from '../status/document.ts';
import { printable } from '../text.ts';
import { type Line, plain, type Span, styled } from './line.ts';
import { widthOf } from './width.ts';

const GAP = '  ';
const MORE = '… ';

export function tabLine(heads: readonly TableHead[], chosen: TableHead | undefined, width: number): Line {
  const tabs = heads.map((head, at) => tabOf(head, at, head === chosen));
  const widths = tabs.map(({ text }) => widthOf(text) + GAP.length);
  const total = widths.reduce((sum, one) => sum + one, 0) - GAP.length;
  const at = chosen === undefined ? 0 : heads.indexOf(chosen);
  let from = 0;
  // The chosen one is to be seen, with as much before it as fits.
  const upTo = (first: number): number => widths.slice(first, at + 1).reduce((sum, one) => sum + one, 0);
  if (total > width) while (from < at && upTo(from) > width - 2 * MORE.length) from += 1;
  const shown = tabs.slice(from).flatMap((tab) => [tab, plain(GAP)]);
  return from === 0 ? shown : [styled('dim', MORE), ...shown];
}

/** In brackets: it is shown. In parentheses: it has no rows. */
function tabOf({ name, rows }: TableHead, at: number, isChosen: boolean): Span {
  const key = at < 10 ? `${(at + 1) % 10} ` : '';
  const text = `${key}${printable(name)}`;
  if (isChosen) return styled('head', `[${text}]`);
  return rows === 0 ? styled('dim', `(${text})`) : plain(text);
}
