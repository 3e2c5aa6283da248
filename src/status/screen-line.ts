/** Lines of the status screen: words wrapped, and rows of columns of which the last are left out where it is narrow. Pure. */
import { printable } from '../text.ts';
import { type Line, plain, type Style, styled } from '../top/line.ts';
import { cutEnd, cutMiddle, left, right, widthOf } from '../top/width.ts';

/** `width`: without limit where the output is no terminal. */
export type Width = number;

const MAX_WRAPPED = 4;

/** A text from anywhere, on lines of its own behind an indent; after four of them it is cut. */
export function wrapped(text: string, indent: number, style: Style, width: Width): Line[] {
  const room = Math.max(8, width - indent);
  const found = linesOf(printable(text), room);
  const last = found.slice(MAX_WRAPPED - 1).join(' ');
  const shown = found.length > MAX_WRAPPED ? [...found.slice(0, MAX_WRAPPED - 1), cutEnd(last, room)] : found;
  return shown.map((line) => [plain(' '.repeat(indent)), styled(style, line)]);
}

function linesOf(text: string, room: number): string[] {
  const found: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    let rest = line === '' ? word : `${line} ${word}`;
    if (widthOf(rest) > room && line !== '') {
      found.push(line);
      rest = word;
    }
    while (widthOf(rest) > room) {
      // One that is longer than a line (a path) is broken, and nothing of it is lost.
      const head = headOf(rest, room);
      found.push(head);
      rest = rest.slice(head.length);
    }
    line = rest;
  }
  return line === '' && found.length > 0 ? found : [...found, line];
}

function headOf(text: string, room: number): string {
  let head = '';
  for (const character of text) {
    if (head !== '' && widthOf(head + character) > room) break;
    head += character;
  }
  return head;
}

export interface Cell {
  readonly text: string;
  readonly style?: Style | undefined;
}

export interface Heading {
  readonly title: string;
  /** Numbers are. */
  readonly right?: true;
}

const LEAST_NAME = 6;
const INDENT = 2;
const GAP = 2;

/** Rows of which the first cell names; it shrinks first, and then columns are left out from the right, but the second. */
export function columnLines(heads: readonly Heading[], rows: readonly (readonly Cell[])[], width: Width): Line[] {
  const clean = rows.map((cells) => cells.map(({ text, style }) => ({ text: printable(text), style })));
  const all: readonly (readonly Cell[])[] = [heads.map(({ title }): Cell => ({ text: title, style: 'dim' })), ...clean];
  const widths = heads.map((_, at) => Math.max(0, ...all.map((cells) => widthOf(cells[at]?.text ?? ''))));
  const nameWidth = widths[0] ?? 0;
  let count = heads.length;
  const others = (): number => widths.slice(1, count).reduce((sum, one) => sum + GAP + one, 0);
  while (count > 2 && INDENT + Math.min(nameWidth, LEAST_NAME * 3) + others() > width) count -= 1;
  const name = Math.min(nameWidth, Math.max(LEAST_NAME, width - INDENT - others()));
  return all.map((cells) => {
    const [first, ...rest] = cells.slice(0, count);
    const cut = left(cutMiddle(first?.text ?? '', name), name);
    const head = [plain(' '.repeat(INDENT)), styled(first?.style ?? 'plain', cut)];
    const tail = rest.flatMap(({ text, style = 'plain' }, index) => {
      const room = widths[index + 1] ?? 0;
      const isLast = index === count - 2;
      const shown = heads[index + 1]?.right === true ? right(text, room) : isLast ? text : left(text, room);
      return [plain(' '.repeat(GAP)), styled(style, shown)];
    });
    return [...head, ...tail];
  });
}
