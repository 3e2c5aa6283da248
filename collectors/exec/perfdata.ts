/**
 * Output of a monitoring plugin → values. Pure. Monitoring Plugins Development Guidelines, "Plugin output":
 *
 *     TEXT | 'label'=value[UOM];[warn];[crit];[min];[max] …
 *     LONG TEXT
 *     LONG TEXT | more of them
 *     more of them
 *
 * A label with blanks stands in quotes, where `''` is one quote. `U` is a value that the plugin does not know.
 */
import { Failure } from '../../src/errors.ts';
import { lines, quoted } from '../../src/text.ts';
import { MAX_VALUES, numberIn, type Printed, type Value } from './record.ts';

/** The texts that hold perfdata, and the first line of what is said. */
export function partsOf(stdout: string): { readonly said: string; readonly perfdata: readonly string[] } {
  const [first = '', ...rest] = lines(stdout);
  const bar = first.indexOf('|');
  const said = (bar < 0 ? first : first.slice(0, bar)).trim();
  const perfdata = bar < 0 ? [] : [first.slice(bar + 1)];
  const begin = rest.findIndex((line) => line.includes('|'));
  if (begin < 0) return { said, perfdata };
  const [opening = '', ...more] = rest.slice(begin);
  return { said, perfdata: [...perfdata, opening.slice(opening.indexOf('|') + 1), ...more] };
}

export function parsePerfdata(stdout: string): Printed {
  const { perfdata } = partsOf(stdout);
  const values: Value[] = [];
  const wrong: string[] = [];
  for (const text of perfdata) {
    parseText(text, values, wrong);
    if (values.length > MAX_VALUES) break;
  }
  const problems: Failure[] = [];
  const [first] = wrong;
  if (first !== undefined) {
    const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
    const form = "expected 'label'=value[unit];warn;crit;min;max";
    problems.push(
      new Failure('E_PARSE', `not perfdata: ${quoted(first)}${more}; ${form}`, { text: first, series: '' }),
    );
  }
  if (values.length > MAX_VALUES) {
    const why = `the program printed more than ${MAX_VALUES} values; the rest are not looked at`;
    problems.push(new Failure('E_OUTPUT_SIZE', why, { count: MAX_VALUES }));
  }
  return { values: values.slice(0, MAX_VALUES), problems };
}

const BLANK = /[ \t\v\f\r]+/y;
const WORD = /[^ \t\v\f\r]+/y;
/** A label in quotes, and the sign. */
const QUOTED = /'((?:[^']|'')*)'=/y;
const PLAIN = /([^ \t\v\f\r'=]+)=/y;

/** One line. A word that belongs nowhere makes its neighbours doubtful: `5 %`, `my label=5`, `1 000`. */
function parseText(text: string, values: Value[], wrong: string[]): void {
  let at = 0;
  let isDoubtful = false;
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  for (let own = 0; at < text.length; ) {
    next(BLANK);
    if (at >= text.length || values.length > MAX_VALUES) return;
    const label = next(QUOTED) ?? next(PLAIN);
    if (label === null) {
      const word = next(WORD)?.[0] ?? '';
      wrong.push(word);
      const before = own > 0 ? values.pop() : undefined;
      if (before !== undefined) values.push({ ...before, value: undefined, why: followed(word) });
      isDoubtful = true;
      // A quotation mark that is not closed: nothing behind it can be told apart.
      if (word.startsWith("'")) return;
      continue;
    }
    const [whole, name = ''] = label;
    const written = whole.startsWith("'") ? name.replaceAll("''", "'") : name;
    const value = valueIn(written, next(WORD)?.[0] ?? '');
    values.push(isDoubtful ? { ...value, value: undefined, why: 'a label with blanks must stand in quotes' } : value);
    isDoubtful = false;
    own += 1;
  }
}

function followed(word: string): string {
  return `it is followed by ${quoted(word, 40)}, which belongs to nothing`;
}

function valueIn(name: string, text: string): Value {
  const [first = '', , , min = '', max = ''] = text.split(';');
  if (first === 'U') return { name, value: undefined, unit: '', why: 'the program does not know it (U)' };
  const [, digits = '', unit = ''] = /^([-+.0-9]+(?:[eE][-+]?[0-9]+)?)([A-Za-z%°µμ]*)$/.exec(first) ?? [];
  const value = numberIn(digits);
  if (value === undefined) return { name, value, unit: '', why: `${quoted(first, 40)} is no number with a unit` };
  return { name, value, unit, min: numberIn(min), max: numberIn(max) };
}
