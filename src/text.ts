/** The parsing primitives that every format needs. All are pure, and none throws on hostile text. */

/** The lines of a text, without their ends (`\n` or `\r\n`); a last empty line is not one. */
export function lines(text: string): string[] {
  const all = text.split('\n');
  if (all.at(-1) === '') all.pop();
  return all.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
}

/** The words of a line, split at blanks and tabs. */
export function words(line: string): string[] {
  return line.split(/[ \t]+/).filter((word) => word !== '');
}

const MAX_U64 = 2n ** 64n - 1n;
const MIN_S64 = -(2n ** 63n);

/**
 * A whole decimal number, as the kernel and most tools print it: a number, a bigint above 2^53, or undefined when the
 * text is anything else (empty, `?`, a sign alone, hex, a fraction, more than 64 bits).
 */
export function integer(text: string | undefined): number | bigint | undefined {
  if (text === undefined || !/^-?[0-9]{1,20}$/.test(text)) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  const exact = BigInt(text);
  return exact >= MIN_S64 && exact <= MAX_U64 ? exact : undefined;
}

/** Text from outside for a message: one line, no control or direction characters, at most `limit` characters. */
export function quoted(text: string, limit = 120): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return `"${printable(cut).replaceAll('"', '\\"')}"`;
}

/** Replaces what could break a line, drive a terminal or turn its direction (C0, C1, bidi, line separators). */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Tells whether a name matches one of the globs: `*` any characters, `?` one, `[abc]` one of them, `[!a-c]` none.
 * Everything else stands for itself; there is no escape character.
 * No regular expression: a large one is refused, and many stars take one exponential time on a hostile name.
 */
export function matcher(globs: readonly string[]): (name: string) => boolean {
  const plain = new Set(globs.filter((glob) => !/[*?[]/.test(glob)));
  const patterns = globs.filter((glob) => !plain.has(glob)).map(globParts);
  return (name) => {
    if (plain.has(name)) return true;
    if (patterns.length === 0) return false;
    const characters = [...name];
    return patterns.some((parts) => fits(parts, characters));
  };
}

/** A run of stars, or what one character must be. */
type GlobPart = '*' | ((character: string) => boolean);

function globParts(glob: string): GlobPart[] {
  const all = [...glob];
  const parts: GlobPart[] = [];
  let close = 0;
  for (let at = 0; at < all.length; at++) {
    const one = all[at] ?? '';
    if (one === '[' && close >= 0 && close < at + 2) close = all.indexOf(']', at + 1);
    if (one === '*') {
      if (parts.at(-1) !== '*') parts.push('*');
    } else if (one === '?') parts.push(() => true);
    else if (one === '[' && close > at + 1) {
      parts.push(oneOf(all.slice(at + 1, close)));
      at = close;
    } else parts.push((character) => character === one);
  }
  return parts;
}

function oneOf(inside: readonly string[]): GlobPart {
  const negated = inside[0] === '!' && inside.length > 1;
  const characters = negated ? inside.slice(1) : inside;
  const singles = new Set<string>();
  const ranges: (readonly [from: number, to: number])[] = [];
  for (let at = 0; at < characters.length; at++) {
    const [from = '', dash, to] = characters.slice(at, at + 3);
    // `[z-a]` is no range: its characters stand for themselves.
    if (dash === '-' && to !== undefined && codeOf(from) <= codeOf(to)) {
      ranges.push([codeOf(from), codeOf(to)]);
      at += 2;
    } else singles.add(from);
  }
  return (character) => {
    const code = codeOf(character);
    return (singles.has(character) || ranges.some(([from, to]) => from <= code && code <= to)) !== negated;
  };
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** Goes back to the last star only, so the time is at most the product of both lengths. */
function fits(parts: readonly GlobPart[], characters: readonly string[]): boolean {
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < characters.length) {
    const wanted = parts[part];
    if (wanted === '*') {
      star = part++;
      starAt = at;
    } else if (wanted?.(characters[at] ?? '') === true) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++starAt;
    } else return false;
  }
  if (parts[part] === '*') part++;
  return part === parts.length;
}

/** The candidate nearest to a word by edit distance, when it is near enough to be what was meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Edits (insert, delete, replace, swap neighbours) between two short words: optimal string alignment. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8 || a.length > 64) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replace);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? Number.POSITIVE_INFINITY;
}
