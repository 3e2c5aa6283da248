/** What is written to a terminal: only what has changed, and the terminal as it was at the end. */
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { type FullScreen, openFullScreen } from '../src/top/full-screen.ts';
import type { Key } from '../src/top/keys.ts';
import { type Line, plain, styled } from '../src/top/line.ts';
import { eventually } from './support/statsd.ts';

/** A terminal that may be paused; no file is behind it. */
function terminal(columns = 20, rows = 4) {
  let written = '';
  let held: (() => void) | undefined;
  let isPaused = false;
  const output = Object.assign(
    new Writable({
      highWaterMark: 64,
      write(chunk: Buffer, _encoding, taken) {
        written += chunk.toString('utf8');
        if (isPaused) held = taken;
        else taken();
      },
    }),
    { columns, rows, fd: -1 },
  );
  const input = Object.assign(new EventEmitter(), { isTTY: true, setRawMode() {}, setEncoding() {}, pause() {} });
  const keys: Key[] = [];
  const ready: string[] = [];
  const ends: number[] = [];
  const full = openFullScreen(input as unknown as NodeJS.ReadStream, output as unknown as Output, true, {
    onKey: (key) => void keys.push(key),
    onReady: () => void ready.push('ready'),
    onEnd: (code) => void ends.push(code),
  });
  opened.add(full);
  return {
    ...{ full, input, output, keys, ready, ends },
    /** What was written since this was asked last. */
    take(): string {
      const all = written;
      written = '';
      return all;
    },
    pause(): void {
      isPaused = true;
    },
    resume(): void {
      isPaused = false;
      held?.();
    },
  };
}

type Output = Parameters<typeof openFullScreen>[1];
const opened = new Set<FullScreen>();
afterEach(() => {
  for (const one of opened) one.close();
  opened.clear();
});

const lines = (...texts: string[]): Line[] => texts.map((text) => [plain(text)]);

describe('a full screen', () => {
  it('is entered and left', () => {
    const { full, take } = terminal();
    expect(take()).toBe('\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J');
    full.close();
    expect(take()).toBe('\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l');
    full.close();
    full.draw(lines('a'));
    expect(take()).toBe('');
  });

  it('writes the lines that have changed, and nothing where none has', () => {
    const { full, take } = terminal();
    take();
    full.draw(lines('one', 'two', '', 'x'.repeat(20)));
    // A line of the full width is not cleared behind its end: the cursor still stands on its last character.
    expect(take()).toBe(`\u001b[1;1Hone\u001b[K\u001b[2;1Htwo\u001b[K\u001b[3;1H\u001b[K\u001b[4;1H${'x'.repeat(20)}`);
    full.draw(lines('one', 'two', '', 'x'.repeat(20)));
    expect(take()).toBe('');
    full.draw([[plain('one')], [styled('bad', '2')], [], [plain('x'.repeat(20))]]);
    expect(take()).toBe('\u001b[2;1H\u001b[1;31m2\u001b[0m\u001b[K');
    full.forget();
    full.draw(lines('one', 'two', '', ''));
    expect(take()).toContain('\u001b[1;1Hone');
  });

  it('leaves drawings out while the terminal takes nothing, and draws the last one then', async () => {
    const { full, take, pause, resume, ready } = terminal();
    take();
    pause();
    full.draw(lines('first', 'y'.repeat(100)));
    for (let at = 0; at < 1000; at++) full.draw(lines(`later ${at}`));
    expect(take()).not.toContain('later');
    resume();
    await eventually(() => (ready.length > 0 ? true : undefined), 'that it can be written to again');
    full.draw(lines('last'));
    expect(take()).toContain('\u001b[1;1Hlast');
  });

  it('draws everything anew at another size', () => {
    const { full, output, take, ready } = terminal();
    full.draw(lines('one', 'two'));
    take();
    output.columns = 30;
    output.emit('resize');
    expect(ready).toEqual(['ready']);
    expect(full.size()).toEqual({ columns: 30, rows: 4 });
    full.draw(lines('one', 'two'));
    expect(take()).toContain('\u001b[2;1Htwo');
  });

  it('hears Escape alone as a key, and as the beginning of one however late the rest comes', async () => {
    const { input, keys } = terminal();
    input.emit('data', '\u001b[');
    input.emit('data', 'A\u001b');
    expect(keys).toEqual([{ name: 'up' }]);
    await eventually(() => (keys.length === 2 ? true : undefined), 'the key Escape');
    expect(keys[1]).toEqual({ name: 'escape' });
  });

  it('ends when the terminal is gone', () => {
    const { input, output, ends } = terminal();
    input.emit('end');
    output.emit('error', Object.assign(new Error('EIO'), { code: 'EIO' }));
    expect(ends).toEqual([129, 129]);
  });
});
