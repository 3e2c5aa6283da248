/** Which queues keep their names, and which exchanges are asked for, as regular expressions of the server (PCRE). Pure. */
import { matcher } from '../../src/text.ts';
import type { RabbitmqOptions } from './options.ts';

/** In bytes. 4.3 refuses a longer one, and cowboy long request lines; queue names of OpenStack need far less. */
const MAX_LENGTH = 1024;

/** The end, where `$` would stand before a last newline too. */
const END = '(?![\\s\\S])';

/**
 * The server compares bytes, and not their case; it may give more than is kept, which the collector tells apart, and
 * never less. Undefined: it would be too long, so nothing is left out by the server.
 */
export function nameFilter({ keep, groups, include, exclude }: RabbitmqOptions): string | undefined {
  const kept = alternatives(keep);
  const others = alternatives(include);
  const rest = others && `${noneOf(groups.flatMap(({ match }) => match))}${others}`;
  const wanted = [kept, rest].filter((one) => one !== undefined).join('|');
  return whole(`${noneOf(exclude)}(?:${wanted === '' ? '(?!)' : wanted})`);
}

/** The default exchange has no name, so globs ask for it by the one that we give it. */
export const exchangeName = (name: string): string => (name === '' ? 'default' : name);

/** As nameFilter does, for exchanges. Undefined: it would be too long, or all are asked for. */
export function exchangeFilter(globs: readonly string[]): string | undefined {
  if (globs.includes('*')) return undefined;
  const unnamed = matcher(globs)(exchangeName('')) ? '?' : '';
  return whole(`${alternatives(globs) ?? '(?!)'}${unnamed}`);
}

function whole(inner: string): string | undefined {
  const pattern = `^(?s:${inner})$`;
  return new TextEncoder().encode(pattern).length > MAX_LENGTH ? undefined : pattern;
}

function alternatives(globs: readonly string[]): string | undefined {
  return globs.length === 0 ? undefined : `(?:${globs.map(regexOf).join('|')})`;
}

/** Refuses what surely matches: of `?` and classes the server cannot tell how many bytes they are. */
function noneOf(globs: readonly string[]): string {
  const sure = alternatives(globs.filter((glob) => !/[?[]/.test(glob)));
  return sure === undefined ? '' : `(?!(?-i:${sure})${END})`;
}

/** The globs of `matcher` (src/text.ts); one character is up to four bytes. */
function regexOf(glob: string): string {
  let pattern = '';
  const characters = [...glob];
  for (let at = 0; at < characters.length; at++) {
    const one = characters[at] ?? '';
    const close = one === '[' ? characters.indexOf(']', at + 1) : -1;
    if (one === '*') pattern += '.*';
    else if (one === '?') pattern += '.{1,4}';
    else if (close > at + 1) {
      // What a class means is told apart by the collector itself.
      pattern += '.{1,4}';
      at = close;
    } else pattern += one.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  }
  return pattern;
}
