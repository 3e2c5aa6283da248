/** What the command line asks for, against what the daemon has. Pure. */
import { Failure } from '../errors.ts';
import type { StatusDocument, TableHead } from '../status/document.ts';
import { nearest, quoted } from '../text.ts';
import { sortable, type View } from './view.ts';

export interface Asked {
  readonly table?: string | undefined;
  readonly sort?: string | undefined;
  readonly best?: boolean | undefined;
  readonly filter?: string | undefined;
  readonly target?: string | undefined;
  readonly lines?: number | undefined;
}

/** `E_CONFIG`: a name that there is not, with those that there are. */
export function viewOf(asked: Asked, heads: readonly TableHead[], status: Pick<StatusDocument, 'jobs'>): View {
  const { table, sort, best, filter = '', target, lines } = asked;
  const chosen = table === undefined ? heads : heads.filter(({ name }) => name === table);
  if (chosen.length === 0 && table !== undefined) unknown('--table', table, [...heads.map(({ name }) => name), 'list']);
  const sorted = sort === undefined ? chosen : chosen.filter((head) => sortable(head).includes(sort));
  if (sort !== undefined && sorted.length === 0) unknown('--sort', sort, [...new Set(chosen.flatMap(sortable))]);
  const targets = [...new Set(status.jobs.map((job) => job.target))];
  if (target !== undefined && targets.length > 0 && !targets.includes(target)) unknown('--target', target, targets);
  // Of several tables the one that can be sorted so is meant.
  const first = sorted.find(({ rows }) => rows > 0) ?? sorted[0];
  return {
    table: table ?? (sort === undefined ? undefined : first?.name),
    sortings: new Map(),
    sorting: { sort, order: best === true ? 'best' : 'worst' },
    ...{ filter, typed: undefined, target, offset: 0, isPaused: false, showsHelp: false, lines },
  };
}

function unknown(flag: string, found: string, known: readonly string[]): never {
  const near = nearest(found, known);
  const meant = near === undefined ? '' : `; did you mean ${quoted(near)}?`;
  const all = known.length === 0 ? 'none: no job has a table' : known.map((name) => quoted(name)).join(', ');
  throw new Failure('E_CONFIG', `${flag} ${quoted(found)}: there is no such name${meant} (there are ${all})`);
}
