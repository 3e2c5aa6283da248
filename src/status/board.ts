/** The latest values of all tables: fed with what sinks get, asked by `top` and the status page. */
import type { Collector } from '../collector.ts';
import type { Point } from '../point.ts';
import type { TableDocument, TablesDocument } from './document.ts';

export interface Question {
  /** The title of a column, a label, or `target`; default: what the table says. */
  readonly sort?: string | undefined;
  readonly order?: 'worst' | 'best' | undefined;
  readonly filter?: string | undefined;
  readonly target?: string | undefined;
  readonly limit?: number | undefined;
}

/** One run's points, as the board needs to know them. */
export interface Seen {
  readonly collector: string;
  readonly target: string;
  readonly atMs: number;
  readonly intervalMs: number;
  readonly points: readonly Point[];
}

export interface Board {
  /** The tables are those of these collectors; what others had is forgotten. */
  use(collectors: readonly Collector[]): void;
  see(seen: Seen): void;
  tables(): TablesDocument;
  /** Undefined: there is no such table. `E_CONFIG`: the question names what the table has not. */
  table(name: string, question: Question): TableDocument | undefined;
}
