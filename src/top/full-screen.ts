/** The terminal itself: its other screen, keys, size and signals; only what has changed is written. */
import { writeSync } from 'node:fs';
import { unblocked } from '../terminal.ts';
import { decodeKeys, type Key } from './keys.ts';
import type { Size } from './known.ts';
import { type Line, painted, textOf } from './line.ts';
import { widthOf } from './width.ts';

export interface FullScreen {
  size(): Size;
  /** Where the terminal has not taken what was drawn before, nothing; `onReady` is called when it has. */
  draw(lines: readonly Line[]): void;
  /** The next drawing writes every line. */
  forget(): void;
  suspend(): void;
  close(): void;
}

export interface Events {
  onKey(key: Key): void;
  /** The screen is to be drawn: another size, or it can be written to again. */
  onReady(): void;
  /** The terminal is gone, or a signal ends us: with this exit code. */
  onEnd(code: number): void;
}

/** The other screen without cursor and without wrapping; and back (xterm's control sequences). */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J';
const LEAVE = '\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l';
/** So long after ESC the rest of a sequence may still come, over a slow line. */
const ESCAPE_MS = 100;
/** 128 and the number of the signal, as a shell says it. */
const ENDS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export function openFullScreen(
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream & { readonly fd: number },
  colours: boolean,
  events: Events,
): FullScreen {
  let isOpen = true;
  let drawn: readonly string[] | undefined;
  let rest = '';
  let alone: NodeJS.Timeout | undefined;
  const stream = unblocked(output);
  const raw = (on: boolean): void => {
    if (input.isTTY === true) input.setRawMode(on);
  };
  const enter = (): void => {
    raw(true);
    drawn = undefined;
    stream.write(ENTER);
  };
  /** At once: the process may end or stop next. A terminal that takes nothing stays as it is. */
  const leave = (): void => {
    try {
      if (stream.writableLength === 0) writeSync(output.fd, LEAVE);
      else stream.write(LEAVE);
    } catch {
      stream.write(LEAVE);
    }
    try {
      raw(false);
    } catch {
      // The terminal is gone.
    }
  };

  const hear = (text: string): void => {
    clearTimeout(alone);
    const { keys, rest: unfinished } = decodeKeys(rest + text);
    rest = unfinished;
    for (const key of keys) if (isOpen) events.onKey(key);
    if (rest === '' || !isOpen) return;
    alone = setTimeout(() => {
      rest = '';
      events.onKey({ name: 'escape' });
    }, ESCAPE_MS);
  };
  const onExit = (): void => leave();
  const onGone = (): void => events.onEnd(ENDS.SIGHUP);
  const onInputError = (): void => onGone();
  const onResize = (): void => {
    drawn = undefined;
    events.onReady();
  };
  const onContinue = (): void => {
    // Who stopped us may have changed the terminal.
    process.off('SIGTSTP', suspendAlone);
    process.on('SIGTSTP', suspendAlone);
    enter();
    events.onReady();
  };
  const stop = (who: number): void => {
    leave();
    // The kernel's own way of stopping, which a handler of ours is in the way of.
    process.off('SIGTSTP', suspendAlone);
    process.kill(who, 'SIGTSTP');
    setImmediate(() => {
      if (isOpen) onContinue();
    });
  };
  const suspendAlone = (): void => stop(process.pid);
  const ending = Object.entries(ENDS).map(([signal, code]) => ({ signal, end: () => events.onEnd(code) }));

  process.on('exit', onExit);
  process.on('SIGTSTP', suspendAlone);
  process.on('SIGCONT', onContinue);
  for (const { signal, end } of ending) process.on(signal, end);
  output.on('resize', onResize);
  stream.on('drain', events.onReady);
  stream.on('error', onGone);
  if (input.isTTY === true) {
    input.setEncoding('utf8');
    input.on('data', hear);
    input.on('end', onGone);
    input.on('error', onInputError);
  }
  enter();

  return {
    size: () => ({ columns: Math.max(1, output.columns || 80), rows: Math.max(1, output.rows || 24) }),
    draw(lines) {
      if (!isOpen || stream.writableNeedDrain || stream.writableLength > 0) return;
      const { columns } = this.size();
      const next = lines.map((line) => `${painted(line, colours)}${widthOf(textOf(line)) < columns ? '\u001b[K' : ''}`);
      const changed = next.flatMap((text, at) => (drawn?.[at] === text ? [] : [`\u001b[${at + 1};1H${text}`]));
      drawn = next;
      if (changed.length > 0) stream.write(changed.join(''));
    },
    forget() {
      drawn = undefined;
    },
    // As the terminal itself does it: everybody in the foreground is stopped.
    suspend: () => stop(0),
    close() {
      if (!isOpen) return;
      isOpen = false;
      clearTimeout(alone);
      process.off('exit', onExit);
      process.off('SIGTSTP', suspendAlone);
      process.off('SIGCONT', onContinue);
      // The signals that end us stay heard: what comes twice must not end us before the terminal is as it was.
      output.off('resize', onResize);
      stream.off('drain', events.onReady);
      input.off('data', hear);
      input.off('end', onGone);
      input.pause();
      leave();
    },
  };
}
