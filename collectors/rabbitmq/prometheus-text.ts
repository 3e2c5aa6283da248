/**
 * Parser of the Prometheus text exposition format 0.0.4, tolerant of what OpenMetrics adds (`# EOF`, exemplars).
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/. It walks the text by character: a broker with
 * 10,000 queues tells 5 MB, and neither a list of its lines nor of its samples is ever made.
 */
import { Failure } from '../../src/errors.ts';

/** Names and values in turn, unescaped, as they stand in the line: `['vhost', '/', 'queue', 'a']`. */
export type LabelPairs = readonly string[];

/** Told once for each sample, in the order of the text. The value may be an infinity or NaN. */
export type TakeSample = (name: string, labels: LabelPairs, value: number) => void;

/** Told once for each wrong line, as it stands there; true: it is known what it is, and it does not speak against the text. */
export type TakeWrong = (line: string) => boolean;

export interface PrometheusText {
  /** How many samples were told. */
  readonly samples: number;
  /**
   * `E_PARSE`: lines that have not the form of the format, no sample at all, or an end within a line. It says which line
   * is the first, and nothing of what stands there but a plain name.
   */
  readonly problem: Failure | undefined;
  /** The text is what it should be but for single lines, if any: it is not cut off, and most lines are samples. */
  readonly isSound: boolean;
}

/** The value of a label, or undefined. */
export function labelOf(labels: LabelPairs, name: string): string | undefined {
  for (let at = 0; at < labels.length; at += 2) if (labels[at] === name) return labels[at + 1];
  return undefined;
}

const TAB = 9;
const LINE_FEED = 10;
const RETURN = 13;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;
const OPEN = 123;
const CLOSE = 125;

const NONE: LabelPairs = [];
/**
 * Tells each sample of a text, and each family that has a `# TYPE` line (a family without samples has one too). Never
 * throws by itself. A wrong line is counted and left out; so is a last one without its line feed, whose number may go on.
 *
 * RabbitMQ before 3.13 does not escape what stands in labels: of those, a queue with `"` in its name is a wrong line,
 * and one with a line feed may write lines of its own. Readers must therefore take two samples of one name for none.
 */
export function readPrometheusText(
  text: string,
  take: TakeSample,
  takeFamily: (name: string) => void = () => {},
  takeWrong: TakeWrong = () => false,
): PrometheusText {
  const found: Found = { samples: 0, wrong: 0, strange: 0, first: undefined, cutAt: undefined };
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf('\n', start);
    const next = feed < 0 ? text.length : feed + 1;
    const from = pastBlanks(text, start, next);
    const end = lineEnd(text, from, feed < 0 ? text.length : feed);
    line += 1;
    start = next;
    if (from >= end) continue;
    if (end - from === 5 && text.startsWith('# EOF', from)) break;
    if (feed < 0) found.cutAt = line;
    else if (text.charCodeAt(from) === HASH) {
      if (text.startsWith('# TYPE ', from)) takeFamily(text.slice(from + 7, wordEnd(text, from + 7, end)));
    } else if (readSample(text, from, end, take)) found.samples += 1;
    else {
      found.wrong += 1;
      found.first ??= { line, name: nameIn(text, from, end) };
      if (!takeWrong(text.slice(from, end))) found.strange += 1;
    }
  }
  const { samples, strange, cutAt } = found;
  return {
    samples,
    problem: problemOf(found),
    isSound: cutAt === undefined && samples >= SOUND * strange && samples > 0,
  };
}

/** So many samples for one line of which nobody knows what it is. */
const SOUND = 2;
interface Found {
  samples: number;
  wrong: number;
  strange: number;
  first: { readonly line: number; readonly name: string | undefined } | undefined;
  /** The last line, where it has no end. */
  cutAt: number | undefined;
}

const EXPECTED = 'expected NAME{LABEL="VALUE",…} NUMBER of the Prometheus text format';

function problemOf({ samples, wrong, first, cutAt }: Found): Failure | undefined {
  const lead = samples === 0 ? 'no sample in the text: ' : '';
  if (cutAt !== undefined) {
    const message = `${lead}it ends within line ${cutAt}; expected a line feed after the last line`;
    return new Failure('E_PARSE', message, { line: cutAt, count: wrong + 1 });
  }
  if (first === undefined)
    return samples > 0 ? undefined : new Failure('E_PARSE', `no sample in the text; ${EXPECTED}`);
  const count = wrong === 1 ? '' : `${wrong} lines are wrong: `;
  const name = first.name === undefined ? '' : ` (${first.name})`;
  return new Failure('E_PARSE', `${lead}${count}line ${first.line}${name} is no sample; ${EXPECTED}`, {
    line: first.line,
    count: wrong,
  });
}

/** The metric of a wrong line, if labels follow: a word alone may be anything. */
function nameIn(text: string, from: number, end: number): string | undefined {
  const nameEnd = identifierEnd(text, from, Math.min(end, from + 100), true);
  const isName = nameEnd > from && nameEnd < end && text.charCodeAt(nameEnd) === OPEN;
  return isName ? text.slice(from, nameEnd) : undefined;
}

/** Reads the line between two positions; false: it is no sample. */
function readSample(text: string, from: number, end: number, take: TakeSample): boolean {
  const nameEnd = identifierEnd(text, from, end, true);
  if (nameEnd === from) return false;
  let at = pastBlanks(text, nameEnd, end);
  let labels = NONE;
  if (at < end && text.charCodeAt(at) === OPEN) {
    const pairs: string[] = [];
    at = readLabels(text, at + 1, end, pairs);
    if (at < 0) return false;
    labels = pairs;
  } else if (at === nameEnd) return false;
  at = pastBlanks(text, at, end);
  const valueEnd = wordEnd(text, at, end);
  const value = numberIn(text.slice(at, valueEnd));
  if (value === undefined || !isRest(text, pastBlanks(text, valueEnd, end), end)) return false;
  take(text.slice(from, nameEnd), labels, value);
  return true;
}

/** Appends the labels up to `}`; where they end, or -1. */
function readLabels(text: string, from: number, end: number, pairs: string[]): number {
  let at = pastBlanks(text, from, end);
  while (at < end && text.charCodeAt(at) !== CLOSE) {
    const nameEnd = identifierEnd(text, at, end, false);
    if (nameEnd === at) return -1;
    const name = text.slice(at, nameEnd);
    at = pastBlanks(text, nameEnd, end);
    if (at >= end || text.charCodeAt(at) !== EQUALS) return -1;
    at = pastBlanks(text, at + 1, end);
    if (at >= end || text.charCodeAt(at) !== QUOTE) return -1;
    const close = closingQuote(text, at + 1, end);
    if (close < 0) return -1;
    pairs.push(name, unescaped(text.slice(at + 1, close)));
    at = pastBlanks(text, close + 1, end);
    if (at < end && text.charCodeAt(at) === COMMA) at = pastBlanks(text, at + 1, end);
    else if (at >= end || text.charCodeAt(at) !== CLOSE) return -1;
  }
  return at < end ? at + 1 : -1;
}

function closingQuote(text: string, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
  }
  return -1;
}

/** `\\`, `\"` and `\n`; before anything else a backslash stands for itself, as it does where nothing is escaped. */
function unescaped(value: string): string {
  if (!value.includes('\\')) return value;
  return value.replace(/\\([\\"n])/g, (_, character: string) => (character === 'n' ? '\n' : character));
}

/** After the value: nothing, a timestamp, or what OpenMetrics puts behind `#`. */
function isRest(text: string, from: number, end: number): boolean {
  if (from >= end || text.charCodeAt(from) === HASH) return true;
  const wordEndsAt = wordEnd(text, from, end);
  if (numberIn(text.slice(from, wordEndsAt)) === undefined) return false;
  const after = pastBlanks(text, wordEndsAt, end);
  return after >= end || text.charCodeAt(after) === HASH;
}

const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** As Go's ParseFloat reads it, without hexadecimal and underscores. */
function numberIn(word: string): number | undefined {
  if (word === '') return undefined;
  for (let at = 0; at < word.length; at++) {
    const code = word.charCodeAt(at);
    const isPart = (code >= 48 && code <= 57) || code === 46 || code === 43 || code === 45 || (code | 32) === 101;
    if (!isPart) return notFinite(word);
  }
  const value = Number(word);
  return Number.isNaN(value) ? undefined : value;
}

function notFinite(word: string): number | undefined {
  if (/^nan$/i.test(word)) return Number.NaN;
  const sign = INFINITE.exec(word)?.[1];
  if (sign === undefined) return undefined;
  return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** `[a-zA-Z_][a-zA-Z0-9_]*`, of a metric's name with `:` too. */
function identifierEnd(text: string, from: number, end: number, isMetric: boolean): number {
  let at = from;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    const lower = code | 32;
    if ((lower >= 97 && lower <= 122) || code === 95 || (isMetric && code === 58)) continue;
    if (at > from && code >= 48 && code <= 57) continue;
    break;
  }
  return at;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

function pastBlanks(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

function wordEnd(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && !isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

function lineEnd(text: string, from: number, to: number): number {
  let end = to;
  while (end > from) {
    const code = text.charCodeAt(end - 1);
    if (code !== RETURN && code !== LINE_FEED && !isBlank(code)) break;
    end -= 1;
  }
  return end;
}
