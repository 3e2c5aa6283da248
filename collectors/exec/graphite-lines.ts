/** Lines of Graphite's plaintext protocol, `path value [seconds since the epoch]` → values. Pure. */
import { Failure } from '../../src/errors.ts';
import { lines, quoted, words } from '../../src/text.ts';
import { MAX_VALUES, numberIn, type Printed, type Value } from './record.ts';

/** An older one is not what is true now, and one that is so far ahead comes from a clock that is wrong. */
const MAX_AGE_MS = 600_000;

/** `atMs`: when the run began, in milliseconds since the epoch. */
export function parseGraphite(stdout: string, atMs: number): Printed {
  const values: Value[] = [];
  const wrong: { readonly line: number; readonly text: string }[] = [];
  let isCut = false;
  for (const [index, line] of lines(stdout).entries()) {
    const [path = '', text = '', time, ...rest] = words(line);
    if (path === '' || path.startsWith('#')) continue;
    if (values.length >= MAX_VALUES) {
      isCut = true;
      break;
    }
    if (text === '' || rest.length > 0) wrong.push({ line: index + 1, text: line });
    else values.push(valueOn(path, text, time, atMs));
  }
  const problems: Failure[] = [];
  const [first] = wrong;
  if (first !== undefined) {
    const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
    const message = `line ${first.line}: expected "path value [timestamp]", found ${quoted(first.text)}${more}`;
    problems.push(new Failure('E_PARSE', message, { ...first, series: '' }));
  }
  if (isCut) {
    const why = `the program printed more than ${MAX_VALUES} values; the rest are not looked at`;
    problems.push(new Failure('E_OUTPUT_SIZE', why, { count: MAX_VALUES }));
  }
  return { values, problems };
}

function valueOn(name: string, text: string, time: string | undefined, atMs: number): Value {
  const none = (why: string): Value => ({ name, value: undefined, unit: '', why });
  const value = numberIn(text);
  if (value === undefined) return none(`${quoted(text, 40)} is no number`);
  // To carbon -1 and N mean now.
  if (time === undefined || time === '-1' || time === 'N') return { name, value, unit: '' };
  const seconds = numberIn(time);
  if (seconds === undefined || seconds < 0) return none(`${quoted(time, 40)} is no time in seconds since the epoch`);
  const countedAtMs = Number(seconds) * 1000;
  const ageMs = atMs - countedAtMs;
  if (Math.abs(ageMs) <= MAX_AGE_MS) return { name, value, unit: '', countedAtMs };
  const off = `${Math.abs(Math.round(ageMs / 1000))} s ${ageMs > 0 ? 'before' : 'after'} this run`;
  return none(`its time is ${off}; a value must be of now, and the clock of that machine right`);
}
