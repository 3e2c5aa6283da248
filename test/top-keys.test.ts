/** Keys of `top`: what terminals send → keys → what is chosen. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../src/top/flags.ts';
import { decodeKeys, type Key } from '../src/top/keys.ts';
import { type Choices, type Pressed, press } from '../src/top/press.ts';
import { sortingOf, sortOf, type View } from '../src/top/view.ts';
import { queues, statusOf, vifs } from './support/top-documents.ts';

const names = (input: string): string[] =>
  decodeKeys(input).keys.map((key) => (key.name === 'text' ? `text ${key.text}` : key.name));

describe('what a terminal sends', () => {
  it.each([
    ['\u001b[A\u001b[B\u001b[C\u001b[D', ['up', 'down', 'right', 'left']],
    ['\u001bOA\u001bOB\u001bOH\u001bOF', ['up', 'down', 'home', 'end']],
    ['\u001b[5~\u001b[6~\u001b[1~\u001b[4~\u001b[H\u001b[F', ['pageUp', 'pageDown', 'home', 'end', 'home', 'end']],
    ['\u001b[1;5A\u001b[Z\t', ['up', 'backTab', 'tab']],
    ['q\u0003\u001a\u000c', ['text q', 'interrupt', 'suspend', 'redraw']],
    ['虚é', ['text 虚', 'text é']],
    ['\r\u007f\u0008\u0015', ['enter', 'backspace', 'backspace', 'clear']],
    // What is no key of ours is none: F5, the answer to a question that nobody asked, Ctrl-Q.
    ['\u001b[15~\u001b[?1;2c\u0011x', ['text x']],
    ['\u001bq', ['escape', 'text q']],
    ['\u001b\u001b[A', ['escape', 'up']],
  ])('%j is %j', (input, keys) => {
    expect(names(input)).toEqual(keys);
  });

  it('waits for the rest of a sequence, however it is cut', () => {
    for (const rest of ['\u001b', '\u001b[', '\u001bO', '\u001b[1;5', '\u001b[5'])
      expect(decodeKeys(`j${rest}`)).toEqual({ keys: [{ name: 'text', text: 'j' }], rest });
    const { rest } = decodeKeys('\u001b[');
    expect(names(`${rest}A`)).toEqual(['up']);
  });

  it('takes whatever comes, in any pieces, and holds little of it back', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\u001b', '[', 'O', '1;5', '~', 'A', '\u001b[<'),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        let rest = '';
        for (const one of pieces) rest = decodeKeys(rest + one).rest;
        expect(rest.length).toBeLessThan(20);
      }),
    );
  });
});

const start = viewOf({}, [vifs, queues], statusOf());
const choices: Choices = { heads: [vifs, { ...queues, rows: 5 }], targets: ['hv01', 'hv02'], page: 10, found: 45 };

/** What is chosen after these keys: words are their names, single characters the text. */
function after(keys: readonly string[], around: Choices = choices, from: View = start): View {
  let view: View = from;
  for (const one of keys) {
    const key = (one.length === 1 ? { name: 'text', text: one } : { name: one }) as Key;
    const pressed: Pressed = press(view, key, around);
    if (typeof pressed === 'string') throw new Error(`${one}: ${pressed}`);
    view = pressed;
  }
  return view;
}

describe('keys', () => {
  it('scroll by rows and pages, and stop at both ends', () => {
    expect(after(['down', 'j', 'j', 'k', 'up']).offset).toBe(1);
    expect(after(['k', 'pageUp']).offset).toBe(0);
    expect(after(['pageDown', ' ']).offset).toBe(20);
    expect(after(['G']).offset).toBe(35);
    expect(after(['end', 'pageDown', 'pageDown', 'j']).offset).toBe(35);
    expect(after(['end', 'home']).offset).toBe(0);
    expect(after(['G'], { ...choices, found: 3 }).offset).toBe(0);
  });

  it('turn to tables: by number, and to the next one that has rows', () => {
    expect(after(['j', '2'])).toMatchObject({ table: 'queues', offset: 0 });
    expect(after(['7']).table).toBeUndefined();
    const heads = [vifs, { ...queues, name: 'empty' }, { ...queues, rows: 1 }];
    expect(after(['tab'], { ...choices, heads }).table).toBe('queues');
    expect(after(['right', 'right'], { ...choices, heads }).table).toBe('vifs');
    expect(after(['left'], { ...choices, heads }).table).toBe('queues');
    expect(after(['2'], { ...choices, heads }).table).toBe('empty');
    expect(after(['tab', '1', 'left'], { ...choices, heads: [] }).table).toBeUndefined();
  });

  it('sort, each table in its own way', () => {
    const sorted = after(['s', '2', 'S', '1']);
    expect(sortOf(sorted, vifs)).toBe('sent');
    expect(sortOf(sorted, queues)).toBe('queue');
    expect(sortOf(after(['<', '<', '<']), vifs)).toBe('target');
    expect(sortOf(after(['<', '<', '<', '<']), vifs)).toBe('backlog');
    const reversed = after(['s', 'r']);
    expect(sortingOf(reversed, 'vifs')).toEqual({ sort: 'sent', order: 'best' });
    expect(sortingOf(reversed, 'queues').order).toBe('worst');
    expect(sortingOf(after(['r', 'r']), 'vifs').order).toBe('worst');
  });

  it('filter while it is typed; Enter keeps it and Escape clears it', () => {
    expect(after(['j', '/', 'q', '?'])).toMatchObject({ typed: 'q?', offset: 0, showsHelp: false });
    expect(after(['/', 'v', 'i', 'backspace', 'f', 'enter'])).toMatchObject({ typed: undefined, filter: 'vf' });
    expect(after(['/', 'v', 'enter', '/', 'x', 'escape'])).toMatchObject({ typed: undefined, filter: '' });
    expect(after(['/', 'v', 'enter', 'escape']).filter).toBe('');
    expect(after(['/', 'v', 'w', 'clear', 'x', 'enter']).filter).toBe('x');
    expect(after(['/', ...'x'.repeat(1000)]).typed).toHaveLength(200);
    // Two units of text and one character: 199 and one more would be refused by the daemon.
    expect(after(['/', ...'x'.repeat(199), '😀']).typed).toHaveLength(199);
  });

  it('aim at one target after the other, and at all again', () => {
    expect(['t', 'tt', 'ttt'].map((keys) => after([...keys]).target)).toEqual(['hv01', 'hv02', undefined]);
    expect(after(['t'], { ...choices, targets: [] }).target).toBeUndefined();
    // One that is gone.
    expect(after(['t'], choices, { ...start, target: 'hv09' }).target).toBeUndefined();
  });

  it('pause, show help, and quit', () => {
    expect([after(['p']).isPaused, after(['p', 'p']).isPaused]).toEqual([true, false]);
    expect([after(['?']).showsHelp, after(['h', 'j']).showsHelp, after(['h', 'j']).offset]).toEqual([true, false, 0]);
    const quits = (view: View, key: Key) => press(view, key, choices);
    expect(quits(start, { name: 'text', text: 'q' })).toBe('quit');
    expect(quits(after(['/', 'x']), { name: 'interrupt' })).toBe('quit');
    expect(quits(after(['/', 'x']), { name: 'text', text: 'q' })).toMatchObject({ typed: 'xq' });
    expect(quits(start, { name: 'suspend' })).toBe('suspend');
  });
});
