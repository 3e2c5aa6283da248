/** A table as lines: the heads of its columns, and its rows. Pure. */
import type { Entry, TableDocument } from '../status/document.ts';
import { cellText, gradeOf } from '../status/page-cell.ts';
import { printable } from '../text.ts';
import { type Layout, layoutOf, type Wanted } from './layout.ts';
import { fitted, type Line, plain, type Span, styled } from './line.ts';
import { cutMiddle, left, right } from './width.ts';

export interface Looks extends Wanted {
  readonly order: 'worst' | 'best';
  /** Without colours: `!` behind what is bad, `*` behind what is worth a look. */
  readonly marks: boolean;
  /** Blanks at the ends of lines are left out. */
  readonly bare: boolean;
}

export interface TableLines {
  readonly head: Line;
  readonly rows: readonly Line[];
}

export function tableLines(table: TableDocument, looks: Looks): TableLines {
  // The last column has its mark behind it, too.
  const width = looks.marks ? looks.width - 1 : looks.width;
  const layout = layoutOf(table, { ...looks, width });
  const finish = (line: Line): Line => (Number.isFinite(looks.width) ? fitted(line, looks.width) : line);
  return {
    head: finish(headLine(layout, looks)),
    rows: table.entries.map((entry, at) => finish(rowLine(layout, entry, at, looks))),
  };
}

/** The mark of the sorted column says where its worst rows are. */
const ARROW = { worst: '↓', best: '↑' } as const;

function headLine({ names, numbers, gap }: Layout, { sort, order, bare }: Looks): Line {
  const titled = (title: string): string => printable(title) + (title === sort ? ARROW[order] : '');
  const blank = plain(' '.repeat(gap));
  const style = (title: string): Span['style'] => (title === sort ? 'head' : 'bold');
  const heads = [
    ...names.map(({ title, width }) => styled(style(title), left(cutMiddle(titled(title), width), width))),
    ...numbers.map(({ head, width }) => styled(style(head.title), right(titled(head.title), width))),
  ];
  return trimmed(spaced(heads, blank), bare && numbers.length === 0);
}

const MARK = { bad: '!', warn: '*' } as const;

function rowLine({ names, numbers, gap }: Layout, { values }: Entry, row: number, { marks, bare }: Looks): Line {
  const spans: Span[] = [];
  for (const { texts, width } of names) {
    spans.push(plain(left(cutMiddle(texts[row] ?? '', width), width) + ' '.repeat(gap)));
  }
  for (const { head, width, at } of numbers) {
    const value = values[at] ?? null;
    const level = gradeOf(value, head);
    const mark = marks && level !== undefined ? MARK[level] : '';
    const cell = right(cellText(value, head.form), width);
    const text = cell.trimStart();
    spans.push(plain(cell.slice(0, cell.length - text.length)), styled(level ?? 'plain', text + mark));
    spans.push(plain(' '.repeat(gap - mark.length)));
  }
  return trimmed(spans, bare || numbers.length > 0);
}

function spaced(spans: readonly Span[], blank: Span): Span[] {
  return spans.flatMap((span, at) => (at === 0 ? [span] : [blank, span]));
}

/** Without the blanks at its end. */
function trimmed(spans: readonly Span[], isBare: boolean): Line {
  if (!isBare) return spans;
  const line = [...spans];
  for (let last = line.pop(); last !== undefined; last = line.pop()) {
    const text = last.text.trimEnd();
    if (text !== '') return [...line, { ...last, text }];
  }
  return line;
}
