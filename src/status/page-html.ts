/** Markup: the only place that makes any, and where everything from outside is made harmless. Pure. */
import { printable } from '../text.ts';

/** Text that is markup already. Nothing but `html` makes it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Part = Html | string | number | undefined | readonly Part[];

/** A template: what is put into it is escaped for text and for values in double quotes, unless it is markup. */
export function html(fixed: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = fixed[0] ?? '';
  for (const [index, part] of parts.entries()) text += markupOf(part) + (fixed[index + 1] ?? '');
  return new Html(text);
}

function markupOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(markupOf).join('');
  return escaped(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' },
};

/** Without what could turn the direction of a line or hide in it, too. */
function escaped(text: string): string {
  return printable(text).replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '');
}

/** A name that may be very long, cut in its middle; the whole of it, or most, is shown where the pointer rests. */
export function name(text: string): Html {
  const characters = [...text.slice(0, MAX_TITLE)];
  if (text.length <= MAX_NAME || characters.length <= MAX_NAME) return html`${text}`;
  const tail = [...text.slice(-MAX_NAME)].slice(-MAX_NAME / 2 + 1);
  const short = `${characters.slice(0, MAX_NAME / 2).join('')}…${tail.join('')}`;
  return html`<span title="${text.length > MAX_TITLE ? `${text.slice(0, MAX_TITLE)}…` : text}">${short}</span>`;
}

const MAX_NAME = 48;
const MAX_TITLE = 1000;
