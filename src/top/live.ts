/** The live table: asks the daemon, hears keys, draws. */
import { asFailure } from '../errors.ts';
import type { Client } from '../status/client.ts';
import { type FullScreen, openFullScreen } from './full-screen.ts';
import type { Key } from './keys.ts';
import { type Known, targetsOf } from './known.ts';
import { press } from './press.ts';
import { partsOf, screen } from './screen.ts';
import { chosenTable, questionOf, type View } from './view.ts';

export interface Live {
  readonly client: Client;
  readonly view: View;
  readonly known: Known;
  readonly intervalMs: number;
  readonly colours: boolean;
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream & { readonly fd: number };
}

/** The list of tables changes slowly. Health too, and of hundreds of jobs it costs more than a table. */
const HEADS_MS = 2000;
const STATUS_MS = 5000;
/** An answer that is nearly there is waited for, so that a key draws once. */
const DRAW_MS = 100;

/** Answers the exit code, when the terminal is as it was before. */
export function showLive({ client, intervalMs, colours, input, output, ...begun }: Live): Promise<number> {
  let { view, known } = begun;
  let headsAtMs = performance.now();
  let statusAtMs = headsAtMs;
  let isAsking = false;
  let asksAgain = false;
  let next: NodeJS.Timeout | undefined;
  let drawing: NodeJS.Timeout | undefined;

  return new Promise((resolve, reject) => {
    let terminal: FullScreen | undefined;
    const end = (finish: () => void): void => {
      clearTimeout(next);
      clearTimeout(drawing);
      terminal?.close();
      terminal = undefined;
      finish();
    };
    /** A fault of ours is told on the terminal as it was before. */
    const guarded = <Given extends unknown[]>(work: (...given: Given) => void) => {
      return (...given: Given): void => {
        try {
          work(...given);
        } catch (thrown) {
          end(() => reject(thrown));
        }
      };
    };

    const draw = guarded((): void => {
      clearTimeout(drawing);
      drawing = undefined;
      if (terminal === undefined) return;
      terminal.draw(screen(view, known, terminal.size(), performance.now(), colours));
    });
    const page = (): number => (terminal === undefined ? 1 : partsOf(terminal.size(), view).page);
    const questionNow = (): string => {
      const head = chosenTable(view, known.heads);
      return head === undefined ? '' : `${head.name}?${questionOf(view, head, page())}`;
    };

    const askOnce = async (): Promise<void> => {
      const nowMs = performance.now();
      const isBack = known.lost !== undefined;
      if (isBack || nowMs - statusAtMs >= STATUS_MS) {
        known = { ...known, status: await client.status() };
        statusAtMs = nowMs;
      }
      if (isBack || nowMs - headsAtMs >= HEADS_MS || known.heads.every(({ rows }) => rows === 0)) {
        known = { ...known, heads: (await client.tables()).tables };
        headsAtMs = nowMs;
      }
      const head = chosenTable(view, known.heads);
      if (head === undefined) known = { ...known, table: undefined, lost: undefined };
      else {
        const asked = questionNow();
        const table = await client.table(head.name, questionOf(view, head, page()));
        if (asked === questionNow()) known = { ...known, table, lost: undefined };
        else asksAgain = true;
      }
    };
    const ask = async (): Promise<void> => {
      if (isAsking) {
        asksAgain = true;
        return;
      }
      isAsking = true;
      clearTimeout(next);
      const beganMs = performance.now();
      do {
        asksAgain = false;
        try {
          await askOnce();
        } catch (thrown) {
          const { message, evidence } = asFailure(thrown);
          // A reload has taken the table away: which there are is asked next.
          if (evidence.status === 404 && known.lost === undefined) headsAtMs = Number.NEGATIVE_INFINITY;
          else known = { ...known, lost: { message, sinceMs: known.lost?.sinceMs ?? performance.now() } };
        }
      } while (asksAgain && terminal !== undefined && known.lost === undefined);
      isAsking = false;
      draw();
      if (terminal !== undefined) next = setTimeout(tick, Math.max(0, intervalMs - (performance.now() - beganMs)));
    };
    const tick = (): void => {
      if (!view.isPaused) void ask();
    };

    const onKey = guarded((key: Key): void => {
      const before = { question: questionNow(), isPaused: view.isPaused };
      const { heads, table } = known;
      const choices = { heads, targets: targetsOf(known), page: page(), found: table?.found ?? 0 };
      const pressed = press(view, key, choices);
      if (pressed === 'quit') end(() => resolve(0));
      else if (pressed === 'suspend') terminal?.suspend();
      else {
        if (pressed === 'redraw') terminal?.forget();
        else view = pressed;
        const isAsked = questionNow() !== before.question || (before.isPaused && !view.isPaused);
        if (isAsked) {
          drawing ??= setTimeout(draw, DRAW_MS);
          void ask();
        } else draw();
      }
    });

    terminal = openFullScreen(input, output, colours, {
      onKey,
      onReady: draw,
      onEnd: (code) => end(() => resolve(code)),
    });
    void ask();
  });
}
