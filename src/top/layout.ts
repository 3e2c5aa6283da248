/** Which columns of a table are shown, and how wide each is. Pure. */
import type { ColumnHead, Entry, TableDocument } from '../status/document.ts';
import { cellText } from '../status/page-cell.ts';
import type { Form } from '../table.ts';
import { printable } from '../text.ts';
import { widthOf } from './width.ts';

export interface NameColumn {
  readonly title: string;
  readonly width: number;
  /** By row, printable. */
  readonly texts: readonly string[];
}

export interface NumberColumn {
  readonly head: ColumnHead;
  readonly width: number;
  /** Its place among the values of an entry. */
  readonly at: number;
}

export interface Layout {
  readonly names: readonly NameColumn[];
  readonly numbers: readonly NumberColumn[];
  /** Blanks between two columns. */
  readonly gap: number;
}

/** So wide is a column whatever stands in it now, so that the others do not move with each number. */
const USUAL: Readonly<Record<Form, number>> = { ratio: 6, number: 6, bits: 6, bytes: 6, seconds: 6, boolean: 3 };
const NARROW = 60;

interface Names extends NameColumn {
  readonly isTag: boolean;
}

export interface Wanted {
  /** Infinity: everything, whole. */
  readonly width: number;
  /** By what rows are sorted: the column that stays. */
  readonly sort: string;
  readonly showTarget: boolean;
}

export function layoutOf(table: TableDocument, { width, sort, showTarget }: Wanted): Layout {
  const gap = width < NARROW ? 1 : 2;
  const whole = namesOf(table, showTarget, sort);
  let names = whole;
  let numbers = table.columns.map(
    (head, at): NumberColumn => ({ head, at, width: numberWidth(table, head, at, sort) }),
  );
  const fits = (): boolean => {
    const widths = [...names, ...numbers].map((one) => one.width);
    return widths.reduce((sum, one) => sum + one, 0) + gap * Math.max(0, widths.length - 1) <= width;
  };

  const dropTags = (kept: number): void => {
    while (!fits()) {
      const tags = names.filter(({ isTag, title }) => isTag && title !== sort);
      const last = tags.at(-1);
      if (tags.length <= kept) return;
      names = names.filter((one) => one !== last);
    }
  };
  const shrinkNames = (least: number): void => {
    while (!fits()) {
      const widest = Math.max(0, ...names.map((one) => one.width));
      if (widest <= least) return;
      const at = names.findIndex((one) => one.width === widest);
      names = names.map((one, index) => (index === at ? { ...one, width: widest - 1 } : one));
    }
  };
  const dropNumbers = (kept: number): void => {
    while (!fits() && numbers.length > kept) {
      const last = numbers.findLast(({ head }) => head.title !== sort);
      numbers = numbers.filter((one) => one !== last);
    }
  };
  const dropNames = (): void => {
    while (!fits() && names.length > 1) {
      const first = names.find(({ title }) => title !== sort);
      names = names.filter((one) => one !== first);
    }
  };
  /** What is left over goes back to the names. */
  const growNames = (): void => {
    for (const { title, width: most } of whole) {
      for (let before = names; fits(); before = names) {
        names = names.map((one) => (one.title === title && one.width < most ? { ...one, width: one.width + 1 } : one));
        if (!fits()) names = before;
        if (names.every((one, at) => one.width === before[at]?.width)) break;
      }
    }
  };
  // What is needed least goes first: a name and the sorted column are what is left.
  dropTags(1);
  shrinkNames(24);
  dropNumbers(4);
  dropTags(0);
  shrinkNames(12);
  dropNumbers(1);
  shrinkNames(8);
  dropNames();
  shrinkNames(3);
  growNames();
  return { names, numbers, gap };
}

function numberWidth({ entries }: TableDocument, head: ColumnHead, at: number, sort: string): number {
  const title = widthOf(printable(head.title)) + (head.title === sort ? 1 : 0);
  let width = Math.max(title, USUAL[head.form] ?? 6);
  for (const { values } of entries) width = Math.max(width, widthOf(cellText(values[at] ?? null, head.form)));
  return width;
}

/** Labels, tags and the target; those that no row has are left out. */
function namesOf({ labels, tags, entries }: TableDocument, showTarget: boolean, sort: string): Names[] {
  const column = (title: string, isTag: boolean, textOf: (entry: Entry) => string | null | undefined): Names => {
    const texts = entries.map((entry) => nameText(textOf(entry)));
    const least = widthOf(printable(title)) + (title === sort ? 1 : 0);
    return { title, isTag, texts, width: texts.reduce((most, text) => Math.max(most, widthOf(text)), least) };
  };
  const has = (at: number): boolean => entries.some(({ names }) => (names[at] ?? null) !== null);
  const all = [...labels, ...tags];
  const shown = all.flatMap((title, at) =>
    has(at) || title === sort ? [column(title, at >= labels.length, ({ names }) => names[at])] : [],
  );
  // What has no name at all is the machine itself.
  const isNameless = entries.some(({ names }) => names.every((name) => name === null));
  const target = showTarget || isNameless || shown.length === 0 || sort === 'target';
  return target ? [column('target', false, (entry) => entry.target), ...shown] : shown;
}

function nameText(name: string | null | undefined): string {
  if (name === null || name === undefined) return cellText(null, 'number');
  return name === '' ? '""' : printable(name);
}
