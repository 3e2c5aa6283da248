/** Lines of a screen: spans of text, each with a style; and how they are written to a terminal. Pure. */
import { cutEnd, widthOf } from './width.ts';

export type Style = 'plain' | 'dim' | 'bold' | 'warn' | 'bad' | 'head';

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

export const plain = (text: string): Span => ({ text, style: 'plain' });
export const styled = (style: Style, text: string): Span => ({ text, style });

/** ECMA-48 SGR: the eight colours that every terminal has, so that its own theme decides. */
const SGR: Readonly<Record<Style, string>> = {
  plain: '',
  dim: '2',
  bold: '1',
  warn: '33',
  bad: '1;31',
  head: '7',
};

export function textOf(line: Line): string {
  return line.map(({ text }) => text).join('');
}

/** As bytes for a terminal; without colours the text alone. */
export function painted(line: Line, colours: boolean): string {
  if (!colours) return textOf(line);
  return line
    .map(({ text, style }) => (SGR[style] === '' || text === '' ? text : `\u001b[${SGR[style]}m${text}\u001b[0m`))
    .join('');
}

/** At most so many columns. */
export function fitted(line: Line, width: number): Line {
  let left = width;
  const fit: Span[] = [];
  for (const { text, style } of line) {
    const cut = cutEnd(text, left);
    if (cut !== '') fit.push({ text: cut, style });
    left -= widthOf(cut);
    if (cut.length < text.length) break;
  }
  return fit;
}

/** All in one style. */
export function washed(line: Line, style: Style): Line {
  return [{ text: textOf(line), style }];
}
