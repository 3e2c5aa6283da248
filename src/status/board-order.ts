/** In which order the rows of a table stand. Pure. */
import type { Table } from '../table.ts';

/** What of a row its place is told by. */
export interface Ranked {
  readonly target: string;
  /** The values of labels, then of tags. */
  readonly names: readonly (string | null)[];
  /** By column; NaN: unknown. */
  readonly values: readonly number[];
}

/** What rows are sorted by: a number of which the largest comes first, or a text of which the first does. */
export type Rank = { readonly number: (row: Ranked) => number } | { readonly text: (row: Ranked) => string | null };

/** Of the table's columns, by title: the worst first. */
export function byColumn({ columns }: Table, title: string): Rank {
  const at = columns.findIndex((column) => column.title === title);
  const sign = columns[at]?.below === true ? -1 : 1;
  return { number: ({ values }) => sign * (values[at] ?? Number.NaN) };
}

/** The rows in their order, or in the reverse one; those of which it is not known come last in both. Stable. */
export function inOrder<Row extends Ranked>(rows: readonly Row[], rank: Rank, isReversed: boolean): Row[] {
  const sign = isReversed ? -1 : 1;
  if ('number' in rank) {
    const known = rows.map((row) => ({ row, value: rank.number(row) }));
    known.sort((one, other) => {
      const [isKnown, isOtherKnown] = [!Number.isNaN(one.value), !Number.isNaN(other.value)];
      if (!isKnown || !isOtherKnown) return Number(isOtherKnown) - Number(isKnown);
      return sign * (other.value - one.value);
    });
    return known.map(({ row }) => row);
  }
  const known = rows.map((row) => ({ row, value: rank.text(row) }));
  known.sort(({ value: one }, { value: other }) => {
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return one === other ? 0 : sign * (one < other ? -1 : 1);
  });
  return known.map(({ row }) => row);
}
