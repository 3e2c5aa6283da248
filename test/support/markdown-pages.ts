/** The Markdown pages of the repository, taken apart: headings, links, code. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { anchor } from '../../scripts/generated/markdown.ts';

export const root = resolve(import.meta.dirname, '../..');

/** A fenced block. */
export interface Block {
  /** `docs/events.md:12`. */
  readonly at: string;
  /** The first word behind the fence, and the rest of it. */
  readonly language: string;
  readonly info: string;
  readonly text: string;
  /** The comment that stands before it: `runs`, `not run: why`. */
  readonly note: string | undefined;
}

export interface Page {
  /** From the root: `docs/events.md`. */
  readonly file: string;
  readonly text: string;
  /** Without what is fenced. */
  readonly prose: string;
  readonly blocks: readonly Block[];
  readonly anchors: ReadonlySet<string>;
}

const NOT_OURS = /(?:^|\/)(?:node_modules|testdata|captures|dist|\.git)(?:\/|$)/;

const FENCE = /(?:^ *<!-- ([^\n]*?) -->\n\n?)?^( *)(```+)(\S*)([^\n]*)\n([\s\S]*?)^ *\3 *$/gm;

/** Every page, by name. */
export const pages: readonly Page[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md') && !NOT_OURS.test(file))
  .sort()
  .map((file) => pageOf(file, readFileSync(join(root, file), 'utf8')));

export function pageOf(file: string, text: string): Page {
  const blocks = [...text.matchAll(FENCE)].map((match): Block => {
    const [whole, note, indent = '', , language = '', info = '', body = ''] = match;
    const line = text.slice(0, match.index + whole.indexOf('```')).split('\n').length;
    const lines = body.split('\n').map((one) => (one.startsWith(indent) ? one.slice(indent.length) : one));
    return { at: `${file}:${line}`, language, info: info.trim(), text: lines.join('\n'), note };
  });
  const prose = text.replace(FENCE, '');
  return { file, text, prose, blocks, anchors: anchorsOf(prose) };
}

/** As GitHub makes them: a second heading of the same text gets `-1` behind. */
function anchorsOf(prose: string): ReadonlySet<string> {
  const found = new Map<string, number>();
  const all = [...prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map((match) => {
    const heading = (match[1] ?? '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
    const name = anchor(heading.replaceAll(/(?<!\w)[*_]+|[*_]+(?!\w)/g, ''));
    const times = found.get(name) ?? 0;
    found.set(name, times + 1);
    return times === 0 ? name : `${name}-${times}`;
  });
  const given = [...prose.matchAll(/<a (?:id|name)="([^"]+)"/g)].map((match) => match[1] ?? '');
  return new Set([...all, ...given]);
}

/** What stands in backticks outside of fences. */
export function inlineCode({ prose }: Pick<Page, 'prose'>): string[] {
  return [...prose.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map((match) => match[1] ?? '');
}

/** `[text](target)` and `![text](target)` outside of code. */
export function linksOf({ prose }: Pick<Page, 'prose'>): string[] {
  const plain = prose.replace(/(?<!`)`[^`\n]+`(?!`)/g, 'code');
  return [...plain.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)].map((match) => match[1] ?? '');
}
