/** Text → roff with the man(7) macros. Whatever the text holds, it is printed as it is. Pure. */

const SPECIAL: Readonly<Record<string, string>> = {
  '\\': '\\e',
  "'": '\\(aq',
  '"': '\\(dq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
  '…': '...',
};

/** One text for one line of input: no request, no escape, no control character. */
export function escaped(text: string): string {
  return [...text.replaceAll(/\s+/g, ' ')]
    .map((character) => {
      const special = SPECIAL[character];
      if (special !== undefined) return special;
      const point = character.codePointAt(0) ?? 0;
      if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return '';
      return point < 0x7f ? character : `\\[u${point.toString(16).toUpperCase().padStart(4, '0')}]`;
    })
    .join('');
}

/** What is typed as it stands: its hyphens can be copied. */
export const literal = (text: string): string => escaped(text).replaceAll('-', '\\-');
export const bold = (text: string): string => `\\fB${literal(text)}\\fR`;
export const italic = (text: string): string => `\\fI${literal(text)}\\fR`;

/** Prose; what stands between backticks is bold. Lines end at blanks, and none begins a request. */
export function prose(text: string): string {
  const parts = text.split(/(`[^`]*`)/);
  const inline = parts.map((part) => (/^`[^`]+`$/.test(part) ? bold(part.slice(1, -1)) : escaped(part))).join('');
  return wrapped(inline);
}

const WIDTH = 78;

/** A line that is too long ends at a blank; a word that is longer than a line stays whole. */
export function wrapped(text: string): string {
  let line = '';
  const lines: string[] = [];
  for (const word of text.trim().split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '';
    }
    // roff takes the end of a sentence for one only at the end of a line.
    line = line === '' ? word : `${line} ${word}`;
    if (/[.?!]\)?$/.test(word) && word.length > 3) {
      lines.push(line);
      line = '';
    }
  }
  if (line !== '') lines.push(line);
  return lines.map((one) => (/^[.']/.test(one) ? `\\&${one}` : one)).join('\n');
}

export const section = (title: string, ...blocks: readonly string[]): string =>
  [`.SH ${title}`, ...begun(blocks)].join('\n');
export const subsection = (title: string, ...blocks: readonly string[]): string =>
  [`.SS ${argument(title)}`, ...begun(blocks)].join('\n');
/** A section begins a paragraph by itself. */
const begun = ([first = '', ...rest]: readonly string[]): string[] => [first.replace(/^\.PP\n/, ''), ...rest];
export const paragraph = (text: string): string => `.PP\n${prose(text)}`;
/** A term, ready made, and what is said of it. */
export const item = (term: string, text: string): string => `.TP\n${term}\n${prose(text) || '\\&'}`;
/** Lines as they stand, indented. */
export const example = (text: string): string =>
  [
    '.PP',
    '.RS 4',
    '.nf',
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => `\\&${keepingBlanks(line)}`),
    '.fi',
    '.RE',
  ].join('\n');

const keepingBlanks = (line: string): string => {
  const [indent = ''] = /^ */.exec(line) ?? [];
  return indent + literal(line.slice(indent.length));
};

/** An argument of a macro. */
const argument = (text: string): string => `"${literal(text)}"`;

export function titleLine(name: string, chapter: number, date: string, version: string, manual: string): string {
  return `.TH ${[name.toUpperCase(), String(chapter), date, `edgestatd ${version}`, manual].map((one) => `"${escaped(one)}"`).join(' ')}`;
}
