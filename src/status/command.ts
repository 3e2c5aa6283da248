/** `edgestatd status`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure } from '../errors.ts';
import { printable } from '../text.ts';
import { openFullScreen } from '../top/full-screen.ts';
import { fitted, type Line, painted, plain, styled } from '../top/line.ts';
import { type Client, createClient, socketOf } from './client.ts';
import type { StatusDocument } from './document.ts';
import { clockText } from './page-cell.ts';
import { statusLines } from './screen.ts';
import { wrapped } from './screen-line.ts';

export interface StatusFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly healthy?: boolean;
  readonly socket?: string;
}

const WATCH_MS = 2000;

/** Answers the exit code. Rejects with what the client says where no daemon answers. */
export async function showStatus(flags: StatusFlags): Promise<number> {
  const { stdout: output, env } = process;
  const client = createClient(socketOf(flags));
  // A terminal that can do nothing (TERM=dumb) has no other screen and no colours.
  const isScreen = output.isTTY === true && env.TERM !== 'dumb';
  const colours = isScreen && (env.NO_COLOR ?? '') === '';
  const textOf = (status: StatusDocument): string => {
    if (flags.healthy === true) return healthText(status, flags.json === true);
    if (flags.json === true) return jsonText(status, flags.watch === true);
    const width = output.isTTY === true ? output.columns || 80 : Number.POSITIVE_INFINITY;
    return linesText(statusLines(status, width), colours, width);
  };
  try {
    const first = await client.status();
    if (flags.watch !== true || flags.healthy === true) {
      output.write(textOf(first));
      return flags.healthy !== true || first.health.healthy ? 0 : 1;
    }
    if (isScreen && flags.json !== true) return await watchScreen(client, first, colours);
    return await watchLines(client, first, textOf, flags.json !== true);
  } finally {
    client.close();
  }
}

function linesText(lines: readonly Line[], colours: boolean, width: number): string {
  return lines.map((line) => `${painted(fitted(line, width), colours).trimEnd()}\n`).join('');
}

/** As the daemon says it; what a terminal could take for a command is escaped, which JSON knows how to read. */
function jsonText(status: unknown, isLine: boolean): string {
  const text = isLine ? JSON.stringify(status) : JSON.stringify(status, null, 2);
  return `${text.split('\n').map(printable).join('\n')}\n`;
}

function healthText({ health }: StatusDocument, isJson: boolean): string {
  if (isJson) return jsonText(health, true);
  return health.healthy ? 'healthy\n' : `${health.reasons.map(printable).join('\n')}\n`;
}

/** One document or block each time, for a pipe; a daemon that goes away ends it, so that nobody waits for nothing. */
async function watchLines(
  client: Client,
  first: StatusDocument,
  textOf: (status: StatusDocument) => string,
  isBlock: boolean,
): Promise<number> {
  const { stdout: output } = process;
  let isGone = false;
  output.once('error', () => {
    isGone = true;
  });
  for (let status = first; ; status = await client.status()) {
    output.write(`${textOf(status)}${isBlock ? '\n' : ''}`);
    if (isGone) return 0;
    await sleep(WATCH_MS);
    if (isGone) return 0;
  }
}

/** The last answer stays while the daemon is away, as over a restart. */
function watchScreen(client: Client, first: StatusDocument, colours: boolean): Promise<number> {
  const { stdin: input, stdout: output } = process;
  return new Promise((resolve, reject) => {
    let status = first;
    let lost: string | undefined;
    let next: NodeJS.Timeout | undefined;
    let isOver = false;
    const end = (finish: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(next);
      screen.close();
      finish();
    };
    const draw = (): void => {
      if (isOver) return;
      const { columns, rows } = screen.size();
      const head: Line[] =
        lost === undefined
          ? [[styled('dim', `${clockText(status.nowMs)}, every ${WATCH_MS / 1000}s, q ends`)]]
          : wrapped(`of ${clockText(status.nowMs)}; no answer since: ${lost}`, 0, 'bad', columns);
      const all = [...head, ...statusLines(status, columns)].map((line) => fitted(line, columns));
      const cut =
        all.length > rows
          ? [...all.slice(0, rows - 1), fitted([plain(`… ${all.length - rows + 1} more lines`)], columns)]
          : all;
      screen.draw([...cut, ...Array.from({ length: Math.max(0, rows - cut.length) }, () => [plain('')])]);
    };
    const ask = async (): Promise<void> => {
      try {
        [status, lost] = [await client.status(), undefined];
      } catch (thrown) {
        lost = asFailure(thrown).message;
      }
      if (isOver) return;
      try {
        draw();
      } catch (thrown) {
        end(() => reject(thrown));
      }
      next = setTimeout(() => void ask(), WATCH_MS);
    };
    const screen = openFullScreen(input, output as NodeJS.WriteStream & { readonly fd: number }, colours, {
      onKey({ name, ...rest }) {
        if (name === 'interrupt' || ('text' in rest && rest.text === 'q')) end(() => resolve(0));
        else if (name === 'suspend') screen.suspend();
        else if (name === 'redraw') {
          screen.forget();
          draw();
        }
      },
      onReady: draw,
      onEnd: (code) => end(() => resolve(code)),
    });
    draw();
    next = setTimeout(() => void ask(), WATCH_MS);
  });
}
