/** The page of keys. Pure. */
import { type Line, plain, styled } from './line.ts';
import { left } from './width.ts';

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['1-9 0', 'the table of this number'],
  ['← → Tab', 'the table before, the next one'],
  ['↑ ↓ k j', 'one row up, down'],
  ['PgUp PgDn', 'one page up, down; Home End: to the ends'],
  ['s > S <', 'sort by the next column, the one before'],
  ['r', 'the other way round: the best rows above'],
  ['/', 'only rows whose names hold what you type; Enter keeps it, Esc clears it'],
  ['t', 'only the next target; after the last one all of them'],
  ['p', 'pause: drawn anew only when you press a key'],
  ['Ctrl-L', 'draw the screen anew'],
  ['q Ctrl-C', 'quit'],
];

const KEYS_WIDTH = 11;

export function helpLines(width: number, colours: boolean): Line[] {
  const marks = colours ? 'yellow: worth a look; red: bad' : '* worth a look, ! bad';
  const narrow = width < 40;
  const lines = KEYS.map(
    ([keys, does]): Line => [styled('bold', narrow ? `${keys} ` : left(keys, KEYS_WIDTH)), plain(does)],
  );
  const legend = `any key goes back; ${marks}; –: not known, which is not 0`;
  return [[styled('dim', legend)], ...lines];
}
