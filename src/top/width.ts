/** How many columns a text takes on a terminal, and texts made to fit. Pure. */

/** Marks that stand on the character before them, and characters that show nothing. */
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u{1160}-\u{11ff}]$/u;
/** East Asian wide and full width (UAX #11), and emoji that are drawn so. */
const WIDE =
  /^[\u{1100}-\u{115f}\u{2e80}-\u{303e}\u{3041}-\u{4dbf}\u{4e00}-\u{a4cf}\u{a960}-\u{a97f}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;
const PLAIN = /^[\u0020-\u007e]*$/;

/** More marks on one character are left out: a name may have thousands, which are no width and yet a flood. */
const MAX_MARKS = 3;

interface Glyph {
  readonly text: string;
  readonly width: number;
}

function widthOfCharacter(character: string): number {
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Characters with the marks that belong to them. */
function glyphs(text: string): Glyph[] {
  const found: { text: string; width: number; marks: number }[] = [];
  for (const character of text) {
    const width = widthOfCharacter(character);
    const last = found.at(-1);
    if (width > 0 || last === undefined) found.push({ text: width > 0 ? character : '', width, marks: 0 });
    else if (last.marks++ < MAX_MARKS) last.text += character;
  }
  return found;
}

const joined = (all: readonly Glyph[]): string => all.map(({ text }) => text).join('');

/** Columns of a text without control characters. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOfCharacter(character);
  return width;
}

/** The glyphs of one end that fit into so many columns. */
function fitting(all: readonly Glyph[], width: number): Glyph[] {
  const taken: Glyph[] = [];
  let left = width;
  for (const glyph of all) {
    if (glyph.width > left) break;
    taken.push(glyph);
    left -= glyph.width;
  }
  return taken;
}

/** Cut at its end; what was cut ends with `…`. */
export function cutEnd(text: string, width: number): string {
  if (PLAIN.test(text)) {
    if (text.length <= width) return text;
    return width < 1 ? '' : `${text.slice(0, width - 1)}…`;
  }
  const all = glyphs(text);
  if (widthOf(text) <= width) return joined(all);
  return width < 1 ? '' : `${joined(fitting(all, width - 1))}…`;
}

/** Cut in its middle: names differ at their ends. */
export function cutMiddle(text: string, width: number): string {
  const all = glyphs(text);
  if (widthOf(text) <= width) return joined(all);
  if (width < 3) return cutEnd(text, width);
  const tail = fitting(all.toReversed(), Math.floor((width - 1) / 2)).toReversed();
  const head = fitting(all, width - 1 - tail.reduce((sum, one) => sum + one.width, 0));
  return `${joined(head)}…${joined(tail)}`;
}

export function left(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

export function right(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text;
}
