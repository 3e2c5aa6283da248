import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelOf, readPrometheusText } from './prometheus-text.ts';

type Sample = readonly [name: string, labels: Record<string, string>, value: number];

function read(text: string) {
  const samples: Sample[] = [];
  const families: string[] = [];
  const result = readPrometheusText(
    text,
    (name, labels, value) => {
      const pairs: Record<string, string> = {};
      for (let at = 0; at < labels.length; at += 2) pairs[labels[at] ?? ''] = labels[at + 1] ?? '';
      samples.push([name, pairs, value]);
    },
    (family) => families.push(family),
  );
  expect(result.samples).toBe(samples.length);
  return { samples, families, problem: result.problem?.message };
}

test.each<[string, string, Sample]>([
  ['plain', 'a 1', ['a', {}, 1]],
  ['labels', 'a_b:c{x="1",y="two words"} 2.5e3', ['a_b:c', { x: '1', y: 'two words' }, 2500]],
  ['no label', 'a{} -1', ['a', {}, -1]],
  ['a comma behind the last label', 'a{x="1",} 1', ['a', { x: '1' }, 1]],
  ['blanks everywhere', ' \ta\t{ x = "1" , y\t=\t"2" } \t 1 \t', ['a', { x: '1', y: '2' }, 1]],
  ['escapes', String.raw`a{x="\\n\"\n"} 1`, ['a', { x: '\\n"\n' }, 1]],
  ['a backslash before anything else', String.raw`a{x="\d"} 1`, ['a', { x: '\\d' }, 1]],
  ['what looks like an end in a value', 'a{x="} 9",y="{,="} 1', ['a', { x: '} 9', y: '{,=' }, 1]],
  ['+Inf', 'a +Inf', ['a', {}, Number.POSITIVE_INFINITY]],
  ['-Inf', 'a -Inf', ['a', {}, Number.NEGATIVE_INFINITY]],
  ['NaN', 'a NaN', ['a', {}, Number.NaN]],
  ['a timestamp', 'a{x="1"} 1 1395066363000', ['a', { x: '1' }, 1]],
  ['an exemplar of OpenMetrics', 'a{x="1"} 1 # {trace="x"} 0.5', ['a', { x: '1' }, 1]],
  ['CRLF', 'a{x="1"} 1\r\n', ['a', { x: '1' }, 1]],
])('reads %s', (_, text, sample) => {
  expect(read(`${text}\n`)).toMatchObject({ samples: [sample], problem: undefined });
});

test.each([
  ...[
    '{x="1"} 1',
    'a',
    'a{x="1"}',
    'a{x="1" 1',
    'a{x=1} 1',
    'a{x} 1',
    'a{"x"="1"} 1',
    'a{x="1"y="2"} 1',
    'a x',
    'a 1x',
  ],
  ...['a 0x10', 'a 1 2 3', 'a 1_000', 'a{x="1} 1', String.raw`a{x="1\"} 1`, '1a 1', 'a{x:y="1"} 1', 'a{x="a"b"} 0'],
])('leaves out the wrong line %j, and goes on', (wrong) => {
  const { samples, problem } = read(`b 1\n${wrong}\nc 2\n`);
  expect(samples.map(([name]) => name)).toEqual(['b', 'c']);
  expect(problem).toMatch(/^line 2(?: \(a\))? is no sample; expected NAME\{LABEL="VALUE",…\} NUMBER/);
});

test('counts wrong lines, and tells the first', () => {
  expect(read('\n# x\nnot one\nnor two\nb 1\n').problem).toMatch(/^2 lines are wrong: line 3 is no sample/);
});

test.each([
  ['', /^no sample in the text/],
  ['# TYPE a gauge\n', /^no sample in the text/],
  [
    '<!DOCTYPE html>\n<html><title>Log in</title></html>\n',
    /^no sample in the text: 2 lines are wrong: line 1 is no sample/,
  ],
])('a text without a sample is wrong: %j', (text, message) => {
  expect(read(text).problem).toMatch(message);
});

test.each([
  'auth Basic dTpzRWNyZXQ=\n',
  'dTpzRWNyZXQ= {x="1"}\n',
  'b 1\ndTpzRWNyZXQ=\n',
  'b{x="dTpzRWNyZXQ=\n',
  'b 1\n\u001b[2J dTpzRWNyZXQ=',
])('nothing that a server repeats stands in the problem: %j', (text) => {
  const { problem } = readPrometheusText(text, () => {});
  expect(problem?.code).toBe('E_PARSE');
  expect(JSON.stringify([problem, problem?.message])).not.toMatch(/dTpz|u001b/);
});

test('the metric of a wrong line is named, and its line is told as it stands there', () => {
  const wrong: string[] = [];
  const { problem } = readPrometheusText(
    'b 1\n a{x="a"b"} 0 \n',
    () => {},
    () => {},
    (line) => wrong.push(line) > 0,
  );
  expect(problem?.message).toMatch(/^line 2 \(a\) is no sample/);
  expect(problem?.evidence).toEqual({ line: 2, count: 1 });
  expect(wrong).toEqual(['a{x="a"b"} 0']);
});

test.each([
  ['whole', 'a 1\n', true],
  ['a wrong line of a few', 'a 1\nb 1\nwrong\n', true],
  ['most lines wrong', 'a 1\nwrong\nwrong\n', false],
  ['no sample', '# x\n', false],
  ['ends within a number', 'a 1\nb 12', false],
  ['ends within a comment', 'a 1\n# TY', false],
  ['# EOF without a line feed', 'a 1\n# EOF', true],
])('whether the rest can be believed: %s', (_, text, isSound) => {
  expect(readPrometheusText(text, () => {}).isSound).toBe(isSound);
});

test('wrong lines of which it is known what they are do not make the rest unbelievable', () => {
  const read = (isKnown: boolean) =>
    readPrometheusText(
      'a 1\nwrong\nwrong\n',
      () => {},
      () => {},
      () => isKnown,
    );
  expect([read(true).isSound, read(false).isSound]).toEqual([true, false]);
  expect(read(true).problem?.evidence.count).toBe(2);
});

test('tells families, ends at # EOF, and skips comments', () => {
  const text = '# HELP a b 1\n# TYPE a counter\n# TYPE none gauge\na 1\n# EOF\nb 2\n';
  expect(read(text)).toMatchObject({ samples: [['a', {}, 1]], families: ['a', 'none'], problem: undefined });
});

test('a label that is asked for', () => {
  expect(labelOf(['x', 'y', 'y', 'z'], 'y')).toBe('z');
  expect(labelOf(['x', 'y'], '__proto__')).toBeUndefined();
});

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

test('hostile label values come out exactly', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('"} 1', '\\', '\\"', '\n', '\r\n', '{,="', '# EOF'),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(hostile, hostile), { maxLength: 5 }), (rows) => {
      const text = rows.map(([x, y]) => `a{x="${escaped(x)}",y="${escaped(y)}"} 1\n`).join('');
      expect(read(text).samples).toEqual(rows.map(([x, y]) => ['a', { x, y }, 1]));
    }),
  );
});

test('never throws, whatever the text', () => {
  const part = fc.constantFrom(
    'a',
    '{',
    '}',
    '"',
    '\\',
    '\n',
    '\r',
    ' ',
    '=',
    ',',
    '#',
    '1',
    'x="',
    '# TYPE ',
    'NaN',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 60 }), (parts) => void read(parts.join(''))),
  );
});

test('a page cut off anywhere gives what stands before the cut', () => {
  const text = 'a{x="1"} 12\nb{y="2"} 34\n';
  for (let cut = 0; cut < text.length; cut++) {
    const { samples, problem } = read(text.slice(0, cut));
    // A number that is cut off is another number.
    for (const [, , value] of samples) expect([12, 34]).toContain(value);
    if (cut > 0 && text[cut - 1] !== '\n') expect(problem).toContain('it ends within line');
  }
});

test('5 MB are read in a fraction of a second', () => {
  const row = (index: number): string =>
    `rabbitmq_detailed_queue_messages_ready{vhost="/",queue="reply_${String(index).padStart(60, '0')}"} ${index}\n`;
  const text = Array.from({ length: 40_000 }, (_, index) => row(index)).join('');
  expect(text.length).toBeGreaterThan(4_500_000);
  // 30 to 60 ms where this was written; what is not linear would take minutes.
  const before = performance.now();
  expect(readPrometheusText(text, () => {}).samples).toBe(40_000);
  expect(performance.now() - before).toBeLessThan(1000);
});
