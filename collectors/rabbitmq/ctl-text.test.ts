/** Captured: 3.10.8. Constructed from the formats that the other versions document: 2.x to 3.7. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonIn, parseQueueTable, parseVhostTable } from './ctl-text.ts';

const columns = ['name', 'messages', 'memory'];
const read = (text: string, isEscaped = false, asked = columns) => {
  const { rows, problem } = parseQueueTable(text, asked, isEscaped);
  return { rows: rows.map((row) => asked.map((column) => row[column])), problem: problem?.message };
};

describe('tables', () => {
  test.each<[string, string, boolean]>([
    ['2.x and 3.3: banner and done', 'Listing queues ...\na\t1\t2\n...done.\n', true],
    ['3.6: banner alone', 'Listing queues ...\na\t1\t2\n', true],
    ['3.7: two banners', 'Timeout: 60.0 seconds ...\nListing queues for vhost / ...\na\t1\t2\n', false],
    ['3.8 and later: a header row', 'name\tmessages\tmemory\na\t1\t2\n', false],
    ['CRLF', 'a\t1\t2\r\n', false],
    ['colours', '\u001b[1ma\u001b[0m\t1\t2\n', false],
  ])('%s', (_, text, isEscaped) => {
    expect(read(text, isEscaped)).toEqual({ rows: [['a', '1', '2']], problem: undefined });
  });

  test('3.10.8, captured with -q: a name with TAB, quote and backslash', () => {
    const text = 'name\tmessages\tmemory\nc-quorum\t0\t109860\nc-"q\\u\\n\tx\t0\t34712\nc-one\t2\t55568\n';
    expect(read(text).rows).toEqual([
      ['c-quorum', '0', '109860'],
      ['c-"q\\u\\n\tx', '0', '34712'],
      ['c-one', '2', '55568'],
    ]);
  });

  test('up to 3.6: anything but ASCII is escaped by byte', () => {
    expect(read('uni-\\303\\251\\346\\227\\245\t1\t2\na\\\\b\\011c\t3\t4\n', true).rows).toEqual([
      ['uni-é日', '1', '2'],
      ['a\\b\tc', '3', '4'],
    ]);
  });

  test('3.6: a queue that is down has four fields, whatever was asked for', () => {
    const asked = ['name', 'messages', 'messages_ready', 'memory', 'state'];
    expect(read('a\t1\t1\t5\trunning\nb\tdown\ttrue\t<rabbit@b.1.234.0>\n', true, asked).rows).toEqual([
      ['a', '1', '1', '5', 'running'],
      ['b', '', '', '', 'down'],
    ]);
  });

  test('a queue may be called as a banner is', () => {
    expect(read('Listing queues ...\t1\t2\n').rows).toEqual([['Listing queues ...', '1', '2']]);
  });

  test('a line that is no row is counted, and the others are read', () => {
    const { rows, problem } = read('a\t1\t2\nwhat\nb\t3\t4\nis this\n');
    expect(rows).toHaveLength(2);
    expect(problem).toBe('2 lines are wrong: line 2 is "what"; expected 3 fields with TABs between them');
  });

  test('vhosts: one in a line', () => {
    expect(parseVhostTable('Listing vhosts ...\n/\nnova\n...done.\n')).toEqual(['/', 'nova']);
    expect(parseVhostTable('name\n/\n')).toEqual(['/']);
  });

  test('never throws, and tells of every line', () => {
    const part = fc.constantFrom(
      'a',
      '\t',
      '\n',
      '\\',
      '\\303',
      '[',
      '...done.',
      'Listing queues ...',
      '\u001b[1m',
      'true',
      '<x>',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 40 }), fc.boolean(), (parts, isEscaped) => {
        for (const { name } of parseQueueTable(parts.join(''), columns, isEscaped).rows)
          expect(typeof name).toBe('string');
        jsonIn(parts.join(''));
      }),
    );
  });
});

describe('JSON', () => {
  test.each([
    ['a row in each line', '[\n{"name":"a"}\n,{"name":"tab\\tx"}\n]\n', [{ name: 'a' }, { name: 'tab\tx' }]],
    ['nothing', '[\n]\n', []],
    [
      'banners before it',
      'Timeout: 60.0 seconds ...\nListing queues for vhost [x] ...\n[{"name":"a"}]\n',
      [{ name: 'a' }],
    ],
    ['a banner like it', '[warning] something\n[{"name":"a"}]\n', [{ name: 'a' }]],
    ['colours', '\u001b[1m{"alarms":[]}\u001b[0m', { alarms: [] }],
    ['none', 'Error: no such thing\n', undefined],
    ['empty', '', undefined],
    ['cut off', '[\n{"name":"a"}\n,{"na', undefined],
  ])('%s', (_, text, value) => {
    expect(jsonIn(text)).toEqual(value);
  });
});
