import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrame, type Token } from '../src/hosts/ssh-frame.ts';

/** No end of it is a beginning: else what stands before it could be taken for its part, which nobody can write by chance. */
const MARKER = '0123456789abcdef123456789abcdef1';

/** Fed in pieces that end anywhere. */
function fed(all: Buffer, cuts: readonly number[], limits = { maxBytes: 1e6 }) {
  const tokens: Token[] = [];
  const frame = createFrame(MARKER, limits, (token) => tokens.push(token));
  let from = 0;
  for (const cut of [...cuts.map((one) => one % (all.length + 1)), all.length].toSorted((a, b) => a - b)) {
    frame.feed(Buffer.from(all.subarray(from, cut)));
    from = cut;
  }
  return { frame, tokens };
}

describe('a frame', () => {
  it('gives back all that is no word of the shell, wherever it is cut', () => {
    // Beginnings of the marker, and all of it but the last character, are data too.
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 1, max: 31 }).map((length) => Buffer.from(MARKER.slice(0, length))),
      fc.constantFrom('\n', '0', 'e\n', 'r0\n').map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(piece), fc.array(piece), fc.array(fc.nat()), (first, second, cuts) => {
        const data = Buffer.concat([...first, ...second]);
        fc.pre(!data.includes(MARKER));
        const [head, tail] = [Buffer.concat(first), Buffer.concat(second)];
        const whole = Buffer.concat([head, Buffer.from(`${MARKER}r12l\n`), tail, Buffer.from(`${MARKER}e0\n`)]);
        fc.pre(whole.indexOf(MARKER) === head.length && whole.lastIndexOf(MARKER) === whole.length - MARKER.length - 3);
        const { frame, tokens } = fed(whole, cuts);
        expect(frame.bytes().equals(data)).toBe(true);
        expect(frame.isComplete()).toBe(true);
        expect(tokens).toEqual([
          { letter: 'r', text: '12l' },
          { letter: 'e', text: '0' },
        ]);
      }),
    );
  });

  it('keeps nothing beyond its limit, or the beginning', () => {
    const all = Buffer.from(`${'x'.repeat(100)}${MARKER}e\n`);
    const { frame } = fed(all, [10, 20, 90], { maxBytes: 99 });
    expect([frame.isOver(), frame.bytes().length, frame.isComplete()]).toEqual([true, 0, true]);
    const beginning = createFrame(MARKER, { maxBytes: 5, beginning: true });
    for (const one of ['abc', 'def', 'ghi']) beginning.feed(Buffer.from(one));
    expect([beginning.bytes().toString(), beginning.isOver()]).toEqual(['abcde', false]);
  });

  it('refuses what follows the end, and words that are cut', () => {
    const frame = createFrame(MARKER, { maxBytes: 10 });
    frame.feed(Buffer.from(`${MARKER}e\n`));
    expect(() => frame.feed(Buffer.from('x'))).toThrow('something was written after the end');
    const other = createFrame(MARKER, { maxBytes: 10 });
    expect(() => other.feed(Buffer.from(`${MARKER}${'p'.repeat(100)}`))).toThrow('the words of the shell are cut');
  });
});
