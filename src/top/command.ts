/** `edgestatd top`. */
import { type Client, createClient, socketOf } from '../status/client.ts';
import type { TableHead } from '../status/document.ts';
import { viewOf } from './flags.ts';
import { showLive } from './live.ts';
import { listText, type Printed, tablesText } from './print.ts';
import { questionOf, sortingOf, sortOf, type View } from './view.ts';

export interface TopFlags {
  readonly config?: string;
  readonly table?: string;
  readonly sort?: string;
  readonly best?: boolean;
  readonly filter?: string;
  readonly target?: string;
  readonly interval: number;
  readonly lines?: number;
  readonly once?: boolean;
  readonly socket?: string;
}

/** Answers the exit code. Rejects with what the client says where no daemon answers, and `E_CONFIG` for a wrong name. */
export async function showTop(flags: TopFlags): Promise<number> {
  const { stdin: input, stdout: output, env } = process;
  const client = createClient(socketOf(flags));
  try {
    const [status, { tables: heads }] = await Promise.all([client.status(), client.tables()]);
    if (flags.table === 'list') {
      output.write(listText(heads));
      return 0;
    }
    const view = viewOf(flags, heads, status);
    // A terminal that can do nothing (TERM=dumb) has no other screen and no colours.
    const isScreen = output.isTTY === true && env.TERM !== 'dumb';
    const colours = isScreen && (env.NO_COLOR ?? '') === '';
    if (isScreen && flags.once !== true) {
      const known = { status, heads, table: undefined, lost: undefined };
      return await showLive({ client, view, known, intervalMs: flags.interval, colours, input, output });
    }
    const width = output.isTTY === true ? output.columns || 80 : Number.POSITIVE_INFINITY;
    const tables = await askAll(client, view, wanted(view, flags, heads));
    output.write(tables.length > 0 ? tablesText(tables, { width, colours }) : 'no table has rows yet\n');
    return 0;
  } finally {
    client.close();
  }
}

/** Those that have rows, or the one that is asked for. */
function wanted(view: View, { table }: TopFlags, heads: readonly TableHead[]): readonly TableHead[] {
  return heads.filter(({ name, rows }) => (table === undefined ? rows > 0 : name === view.table));
}

/** One after the other, so that all are whole and none waits for many. */
async function askAll(client: Client, view: View, heads: readonly TableHead[]): Promise<Printed[]> {
  const tables: Printed[] = [];
  for (const head of heads) {
    const question = questionOf(view, head, 0);
    question.delete('limit');
    if (view.lines !== undefined) question.set('limit', String(view.lines));
    const document = await client.table(head.name, question);
    tables.push({ document, sort: sortOf(view, head), order: sortingOf(view, head.name).order });
  }
  return tables;
}
